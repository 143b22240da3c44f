import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hex } from './bytes.js'
import { ipv4Text, ipv6Text, macText, nameOf, readBits, writeBits } from './view.js'

test('bits are read and written across byte borders, and nothing else changes', () => {
  const bytes = hex('ff00ff00')
  assert.equal(readBits(bytes, 1, { bit: 4, bits: 8 }), 0x0fn)
  assert.equal(readBits(bytes, 0, { bit: 6, bits: 5 }), 0b11000n)
  writeBits(bytes, 1, { bit: 3, bits: 10 }, 0b1010101010n)
  assert.deepEqual(bytes, hex('ff155700'))
  assert.equal(readBits(bytes, 1, { bit: 3, bits: 10 }), 0b1010101010n)
})

test('addresses as text', () => {
  assert.equal(ipv4Text(0xc0a80001), '192.168.0.1')
  assert.equal(macText(0x0200000000ffn), '02:00:00:00:00:ff')
  const text = (address: string): string => ipv6Text(BigInt(`0x${address.replace(/:/g, '')}`))
  assert.equal(text('2001:0db8:0000:0000:0000:0000:0000:0001'), '2001:db8::1')
  assert.equal(text('0000:0000:0000:0000:0000:0000:0000:0000'), '::')
  assert.equal(text('2001:0db8:0000:0001:0001:0001:0001:0001'), '2001:db8:0:1:1:1:1:1')
  assert.equal(text('2001:0000:0000:0001:0000:0000:0000:0001'), '2001:0:0:1::1')
  assert.equal(text('fe80:0000:0000:0001:0000:0000:0000:0000'), 'fe80:0:0:1::')
})

test('numbers by name', () => {
  assert.equal(nameOf({ tcp: 6 }, 6), 'tcp')
  assert.equal(nameOf({ tcp: 6 }, 7), '7')
  assert.equal(nameOf({ tcp: 6 }, 7, 16), '0x0007')
})
