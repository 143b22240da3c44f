import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseArp, printArp } from './arp.js'
import { hex } from './bytes.js'

const request = '0001 0800 06 04 0001 020000000001 0a000001 000000000000 0a000002'

test('an ARP request', () => {
  const view = parseArp(hex(request), 0)!
  assert.equal(view.fields.operation, 1)
  assert.equal(view.fields.senderMac, 0x020000000001n)
  assert.equal(view.fields.senderAddress, 0x0a000001)
  assert.equal(view.fields.targetAddress, 0x0a000002)
  assert.equal(printArp(view), 'ARP 10.0.0.1 (02:00:00:00:00:01) asks for 10.0.0.2 (00:00:00:00:00:00)')
})

test('other hardware, protocols or address lengths have no view', () => {
  for (const start of ['0006 0800 06 04', '0001 86dd 06 04', '0001 0800 08 04', '0001 0800 06 10'])
    assert.equal(parseArp(hex(start + request.slice(15)), 0), undefined, start)
  assert.equal(parseArp(hex(request).subarray(0, 27), 0), undefined)
})
