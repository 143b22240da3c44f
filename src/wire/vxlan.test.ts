import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hex } from './bytes.js'
import { parseVxlan, printVxlan } from './vxlan.js'

test('a VXLAN header', () => {
  const view = parseVxlan(hex('08000000 00007b00'), 0)!
  assert.deepEqual(view.fields, { flags: 8, identifier: 123 })
  assert.equal(printVxlan(view), 'VXLAN network 123')
})

test('without the valid-identifier flag, or cut off, there is no view', () => {
  assert.equal(parseVxlan(hex('00000000 00007b00'), 0), undefined)
  assert.equal(parseVxlan(hex('08000000 00007b'), 0), undefined)
})
