import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hex } from './bytes.js'
import { parseEthernet, printEthernet } from './ethernet.js'

const bytes = hex('0242ac110002 0242ac110001 0800 45')

test('an Ethernet header', () => {
  const view = parseEthernet(bytes, 0)!
  assert.deepEqual(view.fields, { destination: 0x0242ac110002n, source: 0x0242ac110001n, type: 0x0800 })
  assert.equal(view.next, 14)
  assert.equal(printEthernet(view), 'Ethernet 02:42:ac:11:00:01 > 02:42:ac:11:00:02, type Ipv4')
})

test('an Ethernet header cut off by one byte is none', () => {
  assert.equal(parseEthernet(bytes.subarray(0, 13), 0), undefined)
  assert.equal(parseEthernet(bytes, 2), undefined)
})

test('an unknown type prints as a number', () => {
  assert.match(printEthernet(parseEthernet(hex('000000000000 000000000000 1234'), 0)!), /type 0x1234$/)
})
