// random() on every backend equals its specification (src/lang/lower/random.ts): sites, iterations, packets, bounds.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { draw } from '../../src/lang/lower/random.js'
import { compiled, runners } from './runners.js'

const seed = 1n
const text = `import { type Packet, Verdict, array, random, u64 } from 'hairpin'
const results = array(u64, 16)
function helper(): number {
  return random()
}
export default function draws(packet: Packet): Verdict {
  results.set(0, u64(random()))
  results.set(1, u64(random(10)))
  results.set(2, u64(helper()))
  results.set(3, u64(helper()))
  for (let i = 0; i < 2; i++) {
    for (let k = 5; k < 7; k++) results.set(4 + i * 2 + (k - 5), u64(random()))
  }
  results.set(8, u64(random(0)))
  results.set(9, u64(random(0xffffffff)))
  results.set(10, packet.sequence)
  return Verdict.Pass
}
`

/** What the program leaves behind for the packet of this sequence number. */
function expected(sequence: bigint): bigint[] {
  const at = (site: number, ...counters: bigint[]): bigint => draw(seed, sequence, site, counters)
  const below = (n: bigint, v: bigint): bigint => (v * n) >> 32n
  return [
    at(0),
    below(10n, at(1)),
    at(2),
    at(3),
    at(4, 0n, 5n),
    at(4, 0n, 6n),
    at(4, 1n, 5n),
    at(4, 1n, 6n),
    0n,
    below(0xffffffffn, at(6)),
    sequence,
  ]
}

for (const runner of runners)
  test(`draws on the ${runner.name}`, async () => {
    const program = compiled(text)
    for (const packets of [1, 2, 5]) {
      const list = Array.from({ length: packets }, () => new Uint8Array(60))
      const found = await runner.run(program, list, 11)
      assert.deepEqual(found, expected(found[10]), `after ${packets} packets`)
    }
  })

test('draws are balanced bit by bit and differ between packets, sites and iterations', () => {
  const n = 4096
  const streams: Record<string, (k: bigint) => bigint> = {
    packets: k => draw(7n, k, 0, []),
    sites: k => draw(7n, 3n, Number(k), []),
    iterations: k => draw(7n, 3n, 0, [k]),
    seeds: k => draw(k, 3n, 0, []),
  }
  for (const [name, next] of Object.entries(streams)) {
    const values = Array.from({ length: n }, (_, k) => next(BigInt(k)))
    assert.ok(new Set(values).size > n - 16, `${name} repeat`)
    for (let bit = 0n; bit < 32n; bit++) {
      const ones = values.filter(v => (v >> bit) & 1n).length
      // Five standard deviations of a fair coin.
      assert.ok(
        Math.abs(ones - n / 2) < 2.5 * Math.sqrt(n),
        `${name}: bit ${bit} is set ${ones} times of ${n}`,
      )
    }
  }
})
