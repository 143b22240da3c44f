import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hex } from './bytes.js'
import { parseUdp, printUdp } from './udp.js'

test('a UDP header', () => {
  const view = parseUdp(hex('0044 0043 0118 0000'), 0)!
  assert.deepEqual(view.fields, { sourcePort: 68, destinationPort: 67, length: 280, checksum: 0 })
  assert.equal(printUdp(view), 'UDP 68 > 67, length 280, no checksum')
  assert.equal(parseUdp(hex('0044 0043 0118 00'), 0), undefined)
})
