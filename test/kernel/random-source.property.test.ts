// Random source programs down to the verifier, a fixed set; `npm run fuzz:kernel` is the long run of the same.
//
// HAIRPIN_SEED=n runs one seed; a failure prints it.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compile } from '../../src/compile.js'
import { load } from '../../src/engine/kernel/load.js'
import { caseOf, examine } from '../property/case.js'
import { sourceOf } from '../property/program.js'
import { KernelMachine, withoutPrograms } from './machine.js'
import { inKernel, tooLarge } from './random-source.js'

const given = process.env['HAIRPIN_SEED']
const seeds = given === undefined ? Array.from({ length: 24 }, (_, k) => 1 + k) : [Number(given)]

test(
  'random programs: accepted by the verifier, and equal to the interpreter',
  { skip: withoutPrograms },
  async t => {
    let large = 0
    for (const seed of seeds) {
      const { failure, refused } = await examine(caseOf(seed), undefined, inKernel)
      if (failure?.kind === tooLarge) large++
      else assert.equal(failure?.what, undefined, `HAIRPIN_SEED=${seed}`)
      if (given !== undefined && refused !== undefined) t.diagnostic(`refused: ${refused}`)
    }
    t.diagnostic(`${seeds.length} programs, ${large} beyond the verifier's million instructions`)
    assert.ok(large <= seeds.length / 12, `${large} of ${seeds.length} are too large`)
  },
)

for (const seed of [7019, 7086])
  test(
    `random program ${seed} is too much for the verifier, until it forgets what it knows where paths meet`,
    { skip: withoutPrograms },
    async () => {
      const { compiled } = compile('random.ts', sourceOf(caseOf(seed).program))
      const usual = () => new KernelMachine(compiled!, { seed: 1n })
      assert.throws(usual, /BPF program is too large/)
      const { failure } = await examine(caseOf(seed), undefined, inKernel)
      assert.equal(failure, undefined)
      // As `attach` loads it.
      const loaded = load(compiled!, { settings: new Map(), seed: 1n })
      loaded.close()
    },
  )
