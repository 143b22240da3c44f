// Random IR programs through the whole back half of the compiler: optimised, sliced, expanded, lowered to WebAssembly,
// run by every strategy on virtual workers, and compared with the interpreter on the IR as generated.
//
// HAIRPIN_SEED=n runs one seed; a failure prints it.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assemble } from '../../src/compile.js'
import { verify } from '../../src/engine/verify.js'
import { printFunction } from '../../src/ir/print.js'
import { allStrategies } from '../../src/strategy/strategies.js'
import { randomCase } from './random-program.js'

async function check(seed: number): Promise<void> {
  const { program, store } = randomCase(seed)
  const { artifact } = assemble(program)
  const rules = new Uint8Array(artifact.rulesLayout.size)
  const { cases } = await verify({ program, artifact }, store, {
    strategies: allStrategies,
    cores: [1, 3],
    seed: BigInt(seed),
    rules,
  })
  for (const c of cases)
    assert.equal(
      c.divergent,
      0,
      `HAIRPIN_SEED=${seed}: ${c.strategy} ${c.history ?? ''} on ${c.cores}: ${JSON.stringify(c.first)}\n` +
        printFunction(program.functions[0]),
    )
}

const only = process.env.HAIRPIN_SEED
test('random IR programs: interpreter = every strategy', async () => {
  if (only !== undefined) return check(Number(only))
  for (let seed = 1; seed <= 60; seed++) await check(seed)
  return undefined
})
