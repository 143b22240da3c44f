/**
 * The long run of the differential tests: `npm run fuzz -- --seconds 600`.
 *
 *     --seconds n   go on with new seeds for so long (60)
 *     --seed n      begin with this seed; without --seconds, examine only this one
 *     --minimise s  seconds to spend on making a failing case smaller (60)
 *     --keep-going  only list failures, one seed of each kind, and go on
 *
 * Without --keep-going it ends at the first failure and prints what is left of the case. Exit status 1 if anything
 * failed.
 */

import { parseArgs } from 'node:util'
import { caseOf, examine } from './case.js'
import { minimise } from './minimise.js'
import { reportOf } from './report.js'

const { values } = parseArgs({
  options: {
    seconds: { type: 'string' },
    seed: { type: 'string' },
    minimise: { type: 'string', default: '60' },
    'keep-going': { type: 'boolean' },
  },
})
const first = values.seed === undefined ? Date.now() % 2 ** 31 : Number(values.seed)
const once = values.seed !== undefined && values.seconds === undefined
const deadline = performance.now() + 1000 * Number(values.seconds ?? (once ? 0 : 60))

const counts = { programs: 0, refused: 0, single: 0, replicated: 0, sharded: 0, shared: 0 }
const kinds = new Set<string>()
let seed = first
do {
  const given = caseOf(seed)
  const { failure, refused, ran } = await examine(given)
  counts.programs++
  if (refused !== undefined) {
    counts.refused++
    if (once) console.log(`refused: ${refused}`)
  }
  for (const { strategy } of ran) if (strategy in counts) counts[strategy as keyof typeof counts]++
  if (failure && values['keep-going'] === true) {
    process.exitCode = 1
    if (!kinds.has(failure.kind)) console.log(`seed ${seed}: ${failure.what.split('\n')[0]}`)
    kinds.add(failure.kind)
  } else if (failure) {
    console.log(`seed ${seed}: ${failure.what}\nmaking it smaller …\n`)
    console.log(reportOf(await minimise(given, failure, 1000 * Number(values.minimise))))
    process.exitCode = 1
    break
  }
  if (process.stderr.isTTY) process.stderr.write(`\r${counts.programs} programs`)
  seed++
} while (performance.now() < deadline)
console.log(
  `seeds ${first} to ${seed}: ${Object.entries(counts)
    .map(([what, n]) => `${n} ${what}`)
    .join(', ')}`,
)
