// Microsoft's RSS verification suite, and the symmetry of the symmetric key.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { port, suite, suite6, v4, v6 } from './rss-suite.js'
import { standardKey, symmetricKey, toeplitz, toeplitzTables } from './toeplitz.js'

test("Microsoft's verification suite, IPv4 and IPv6, with and without ports", () => {
  for (const [rows, parse] of [
    [suite, v4],
    [suite6, v6],
  ] as const)
    for (const [to, toPort, from, fromPort, addresses, ports] of rows) {
      const pair = [...parse(from), ...parse(to)]
      assert.equal(toeplitz(standardKey, Uint8Array.from(pair)), addresses)
      assert.equal(
        toeplitz(standardKey, Uint8Array.from([...pair, ...port(fromPort), ...port(toPort)])),
        ports,
      )
    }
})

test('the symmetric key does not tell directions apart', () => {
  const there = Uint8Array.from([...v4('10.1.2.3'), ...v4('192.0.2.9'), ...port(1234), ...port(80)])
  const back = Uint8Array.from([...v4('192.0.2.9'), ...v4('10.1.2.3'), ...port(80), ...port(1234)])
  assert.equal(toeplitz(symmetricKey, there), toeplitz(symmetricKey, back))
})

test('the tables give the same hash', () => {
  const input = Uint8Array.from({ length: 36 }, (_, i) => (i * 37 + 11) & 255)
  const tables = toeplitzTables(standardKey)
  const sum = input.reduce((hash, byte, at) => hash ^ tables[at * 256 + byte], 0)
  assert.equal(sum >>> 0, toeplitz(standardKey, input))
})
