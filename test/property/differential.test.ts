import assert from 'node:assert/strict'
import { test } from 'node:test'
import { caseOf, examine } from './case.js'
import { minimise } from './minimise.js'
import { reportOf } from './report.js'

// Random programs, packets and settings: the interpreter on the front end's IR, WebAssembly on one worker, and every
// strategy that applies on some number of workers from 1 to 16 agree, each under its contract.
// `npm run fuzz -- --seconds 600` is the long run of the same.

const fixed = Array.from({ length: 12 }, (_, k) => 1 + k)
const day = Math.floor(Date.now() / 86_400_000)
const given = process.env['HAIRPIN_SEED']
const varying = given === undefined ? [day * 10, day * 10 + 1, day * 10 + 2] : [Number(given)]

let programs = 0
let refused = 0
const ran = new Map<string, number>()

for (const seed of [...fixed, ...varying])
  test(`seed ${seed}`, async () => {
    const drawn = caseOf(seed)
    const examined = await examine(drawn)
    programs++
    if (examined.refused !== undefined) refused++
    for (const { strategy } of examined.ran) ran.set(strategy, (ran.get(strategy) ?? 0) + 1)
    if (examined.failure) assert.fail(reportOf(await minimise(drawn, examined.failure, 20_000)))
  })

test('enough of the random programs compile and run under each strategy', t => {
  t.diagnostic(
    `${programs} programs, ${refused} refused; runs: ${[...ran].map(([s, n]) => `${n} ${s}`).join(', ')}`,
  )
  assert.ok(refused <= programs / 3, `${refused} of ${programs} were refused`)
  for (const strategy of ['single', 'replicated', 'shared'])
    assert.ok((ran.get(strategy) ?? 0) >= 3, `${strategy}: ${ran.get(strategy) ?? 0} runs`)
})
