import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hex } from './bytes.js'
import { isTagType, parseVlan, printVlan } from './vlan.js'

test('a tag: three bits of priority, one of drop eligibility, twelve of identifier', () => {
  const view = parseVlan(hex('b064 86dd'), 0)!
  assert.deepEqual(view.fields, { priority: 5, dropEligible: true, identifier: 100, type: 0x86dd })
  assert.equal(printVlan(view), 'VLAN 100, priority 5, drop eligible, type Ipv6')
})

test('a tag cut off is none', () => {
  assert.equal(parseVlan(hex('b064 86'), 0), undefined)
})

test('802.1Q and 802.1ad tags are tags', () => {
  assert.deepEqual([0x8100, 0x88a8, 0x0800, 0x9100].map(isTagType), [true, true, false, false])
})
