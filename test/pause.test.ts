// Pauses that the 48 bits of time in a frame cannot tell are refused, not got wrong; all others are exact.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PacketStore } from '../src/engine/packets.js'
import { verify } from '../src/engine/verify.js'
import { strategyWith } from '../src/strategy/strategies.js'
import { bundledProgram } from './programs.js'

const hour = 3600n * 1_000_000_000n

/** TCP segments of one connection, so many nanoseconds after the first. */
function segments(times: readonly bigint[]): PacketStore {
  const store = new PacketStore('segments with pauses')
  const bytes = new Uint8Array(54)
  bytes.set([0x08, 0x00, 0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 9], 12)
  bytes.set([0x03, 0xe8, 0, 80, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2], 34)
  for (const time of times) store.add(bytes, bytes.length, time, 0)
  return store
}

const byValue = strategyWith('replicated', { history: 'value' })!
const recovering = strategyWith('replicated', { recovery: true })!
const byReference = strategyWith('replicated', { history: 'reference' })!

for (const name of ['token-bucket', 'connection-tracker', 'source-nat']) {
  const { program, artifact } = bundledProgram(name, { recovery: true })
  const cases = async (times: readonly bigint[]) => {
    const strategies = [byReference, byValue, recovering]
    const found = await verify({ program, artifact }, segments(times), { strategies, cores: [2, 3, 16] })
    assert.equal(found.cases.length, 9)
    return found.cases
  }

  test(`${name}: sixteen pauses of nearly 4.9 hours in a row are exact by value`, async () => {
    const times = Array.from({ length: 40 }, (_, k) => BigInt(k) * (2n ** 44n - 1n))
    for (const c of await cases(times)) {
      assert.equal(c.skipped, undefined)
      assert.equal(c.divergent, 0, JSON.stringify(c.first))
    }
  })

  test(`${name}: a longer pause is refused by value, and exact by reference`, async () => {
    for (const pause of [2n ** 44n, 100n * hour, 30n * 365n * 24n * hour])
      for (const { history, divergent, skipped } of await cases([
        0n,
        hour,
        hour + pause,
        2n * hour + pause,
      ])) {
        if (history === 'value') assert.match(skipped!, /^packet 2 comes more than 4\.9 hours after/)
        else assert.equal(skipped, undefined)
        assert.equal(divergent, 0)
      }
  })
}
