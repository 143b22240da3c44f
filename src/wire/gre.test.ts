import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hex } from './bytes.js'
import { parseGre, printGre } from './gre.js'

test('a GRE header without and with optional words', () => {
  const plain = parseGre(hex('0000 0800'), 0)!
  assert.equal(plain.next, 4)
  assert.equal(printGre(plain), 'GRE version 0, protocol Ipv4')
  const full = parseGre(hex('b000 6558 1234 0000 00000007 00000009'), 0)!
  assert.equal(full.next, 16)
  assert.equal(full.key, 7)
  assert.equal(full.sequenceNumber, 9)
  assert.equal(printGre(full), 'GRE version 0, protocol TransparentEthernetBridging, key 7, sequence 9')
})

test('the key stands first if there is no checksum', () => {
  assert.equal(parseGre(hex('2000 0800 0000002a'), 0)!.key, 42)
})

test('optional words that are cut off are absent', () => {
  const view = parseGre(hex('2000 0800 000000'), 0)!
  assert.equal(view.key, undefined)
  assert.equal(view.next, 8)
  assert.equal(parseGre(hex('2000 08'), 0), undefined)
})
