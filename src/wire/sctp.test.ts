import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hex } from './bytes.js'
import { parseSctp, printSctp } from './sctp.js'

test('an SCTP common header', () => {
  const view = parseSctp(hex('0bc0 0050 4a28 3ac6 9e8f 2d11'), 0)!
  assert.deepEqual(view.fields, {
    sourcePort: 3008,
    destinationPort: 80,
    verificationTag: 0x4a283ac6,
    checksum: 0x9e8f2d11,
  })
  assert.equal(printSctp(view), 'SCTP 3008 > 80, tag 1244150470')
  assert.equal(parseSctp(hex('0bc0 0050 4a28 3ac6 9e8f 2d'), 0), undefined)
})
