import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hex } from './bytes.js'
import { parseIcmp, printIcmp } from './icmp.js'

test('an ICMP echo', () => {
  const view = parseIcmp(hex('08 00 1c9f 43a8 0007'), 0)!
  assert.deepEqual(view.fields, { type: 8, code: 0, checksum: 0x1c9f, identifier: 0x43a8, sequenceNumber: 7 })
  assert.equal(printIcmp(view), 'ICMP echo, identifier 17320, sequence 7')
})

test('other messages print their code, unknown ones their number', () => {
  assert.equal(printIcmp(parseIcmp(hex('03 01 0000 00000000'), 0)!), 'ICMP destinationUnreachable, code 1')
  assert.equal(printIcmp(parseIcmp(hex('fe 00 0000 00000000'), 0)!), 'ICMP 254, code 0')
  assert.equal(parseIcmp(hex('08 00 1c9f 43a8 00'), 0), undefined)
})
