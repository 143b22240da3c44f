// Random programs as replicated workers in the kernel, over a transport that loses frames: states are the serial run's
// over what survived, whatever was lost where and in whatever order workers got their frames.
//
// HAIRPIN_SEED=n runs one program; a failure prints it.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compile } from '../../src/compile.js'
import { StackExceeded } from '../../src/engine/kernel/load.js'
import { VerifierRejection } from '../../src/sys/program.js'
import { drawnOptions } from '../property/case.js'
import { Draw } from '../property/draw.js'
import { randomLosses } from '../property/losses.js'
import { randomProgram, sourceOf } from '../property/program.js'
import { randomTraffic } from '../property/traffic.js'
import { LossyWorkers, anyTurn } from './lossy.js'
import type { Outcome } from './lossy.js'
import { withoutPrograms } from './machine.js'

const given = process.env['HAIRPIN_SEED']
/** Those of the first that can be replicated and are small. */
const small = [504, 507, 511, 513, 515, 516, 517, 519, 522, 524]
const seeds = given === undefined ? small : [Number(given)]

/** Workers of a random program; undefined if it cannot be replicated, or is beyond what the kernel takes. */
function workersOf(seed: number, draw: Draw, packets: ReturnType<typeof randomTraffic>) {
  const { compiled } = compile('random.ts', sourceOf(randomProgram(seed)), { ways: ['replicated'] })
  if (!compiled?.artifact.item) return undefined
  const { settings, rules } = drawnOptions(compiled, seed, packets)
  const workers = 1 + draw.below(4)
  const options = {
    workers,
    seed: BigInt(seed),
    slots: workers - 1 + draw.pick([0, 0, 3]),
    outer: draw.chance(1, 2),
  }
  try {
    return new LossyWorkers({ ...compiled, settings, ...(rules && { rules }) }, options)
  } catch (error) {
    if (error instanceof StackExceeded) return undefined
    if (error instanceof VerifierRejection && /BPF program is too large\. Processed/.test(error.log))
      return undefined
    throw error
  }
}

test('random programs recover from random losses', { skip: withoutPrograms }, t => {
  const total = { programs: 0, cases: 0, detected: 0, recovered: 0, lostEverywhere: 0 }
  for (const seed of seeds) {
    const draw = new Draw(seed)
    const packets = randomTraffic(draw, 90).filter(p => p.bytes.length >= 14 && p.bytes.length < 2000)
    const replicas = workersOf(seed, draw, packets)
    if (!replicas) continue
    try {
      for (let k = 0; k < 3; k++) {
        const last = draw.pick([0n, 2n ** 32n - BigInt(draw.below(100)), 2n ** 40n])
        const { what, loss } = randomLosses(draw, last + 1n, packets.length, replicas.workers.length)
        const where: string = `${what} lost, ${replicas.workers.length} workers; rerun with HAIRPIN_SEED=${seed}`
        const found: Outcome = replicas.run({ packets, loss, last, turn: anyTurn(draw) }, where)
        assert.deepEqual(found.stopped, [], where)
        total.cases++
        for (const column of ['detected', 'recovered', 'lostEverywhere'] as const)
          total[column] += found[column]
      }
      total.programs++
    } finally {
      replicas.close()
    }
  }
  t.diagnostic(JSON.stringify(total))
  if (given !== undefined) return
  assert.ok(total.programs >= seeds.length / 2 && total.recovered > 100 && total.lostEverywhere > 100)
})
