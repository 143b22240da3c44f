import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hex } from './bytes.js'
import { parseIcmpv6, printIcmpv6 } from './icmpv6.js'

test('ICMPv6 messages', () => {
  const view = parseIcmpv6(hex('80 00 1c9f 43a8 0007'), 0)!
  assert.deepEqual(view.fields, {
    type: 128,
    code: 0,
    checksum: 0x1c9f,
    identifier: 0x43a8,
    sequenceNumber: 7,
  })
  assert.equal(printIcmpv6(view), 'ICMPv6 echoRequest, identifier 17320, sequence 7')
  assert.equal(
    printIcmpv6(parseIcmpv6(hex('87 00 0000 00000000'), 0)!),
    'ICMPv6 neighbourSolicitation, code 0',
  )
  assert.equal(parseIcmpv6(hex('80 00 1c9f 43a8 00'), 0), undefined)
})
