/**
 * Random programs down to the verifier: `npm run fuzz:kernel -- --programs 2000`. Needs root.
 *
 *     --programs n  go on with new seeds until so many programs have run (2000)
 *     --seed n      begin with this seed; without --programs, examine only this one
 *     --minimise s  seconds to spend on making a failing case smaller (60)
 *     --keep-going  only list failures and go on
 *
 * Every program that our compiler accepts is accepted by the verifier of this kernel, and verdicts, packets, state and
 * counters are those of the interpreter. Exit status 1 if one is not.
 */

import { parseArgs } from 'node:util'
import { caseOf, examine } from '../property/case.js'
import { minimise } from '../property/minimise.js'
import { reportOf } from '../property/report.js'
import { withoutPrograms } from './machine.js'
import { inKernel } from './random-source.js'

const { values } = parseArgs({
  options: {
    programs: { type: 'string' },
    seed: { type: 'string' },
    minimise: { type: 'string', default: '60' },
    'keep-going': { type: 'boolean' },
  },
})
if (withoutPrograms) throw new Error(withoutPrograms)
const first = values.seed === undefined ? Date.now() % 2 ** 31 : Number(values.seed)
const wanted = Number(values.programs ?? (values.seed === undefined ? 2000 : 1))

const began = performance.now()
const kinds = new Map<string, number>()
const counts = { ran: 0, refused: 0, failed: 0, packets: 0 }
let seed = first
for (; counts.ran + counts.failed < wanted; seed++) {
  const given = caseOf(seed)
  const { failure, refused } = await examine(given, undefined, inKernel)
  if (refused !== undefined) {
    counts.refused++
    if (wanted === 1) console.log(`refused: ${refused}`)
    if (wanted === 1 && values.seed !== undefined) break
    continue
  }
  if (!failure) {
    counts.ran++
    counts.packets += given.packets.length
  } else {
    counts.failed++
    process.exitCode = 1
    const known = kinds.get(failure.kind) ?? 0
    kinds.set(failure.kind, known + 1)
    if (values['keep-going'] !== true) {
      console.log(`seed ${seed}: ${failure.what}\nmaking it smaller …\n`)
      const small = await minimise(given, failure, 1000 * Number(values.minimise), inKernel)
      console.log(reportOf(small, 'npm run fuzz:kernel'))
      break
    }
    console.log(`seed ${seed}: ${failure.kind}`)
  }
  if (process.stderr.isTTY) process.stderr.write(`\r${counts.ran} programs`)
}
for (const [kind, n] of kinds) console.log(`${n} times: ${kind}`)
console.log(
  `seeds ${first} to ${seed - 1}: ${counts.ran} programs agree over ${counts.packets} packets, ${counts.failed} fail, ` +
    `${counts.refused} were refused by the compiler; ${Math.round((performance.now() - began) / 1000)} s`,
)
