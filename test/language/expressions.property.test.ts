// Random programs: every backend agrees with a model over bigints. A failure prints the smallest program that
// fast-check finds, its operands, and the seed; rerun with HAIRPIN_SEED=<seed>.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { environment, expression, packetOf, program } from './model.js'
import type { Environment, Expression, Type } from './model.js'
import { compiled, runners } from './runners.js'

const types: readonly Type[] = ['u8', 'u16', 'u32', 'i32', 'u64', 'i64', 'bool']
const runs = Number(process.env.HAIRPIN_RUNS ?? 60)
const seed = process.env.HAIRPIN_SEED

const expressions = fc.tuple(...types.map(t => expression(t, 3)))

for (const runner of runners)
  test(`random programs mean the same to the ${runner.name} and to the model`, async () => {
    await fc.assert(
      fc.asyncProperty(expressions, environment, async (list: readonly Expression[], at: Environment) => {
        const text = program(list)
        const found = await runner.run(compiled(text), [packetOf(at)], list.length)
        const expected = list.map(e => BigInt.asUintN(64, e.value(at)))
        assert.deepEqual(found, expected, text)
      }),
      { numRuns: runs, includeErrorInReport: true, ...(seed !== undefined && { seed: Number(seed) }) },
    )
  })
