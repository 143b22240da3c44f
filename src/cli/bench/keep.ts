// hairpin bench keep: writes results into a ledger, one record a line, so that they can be compared with later ones.
//
// A ledger is committed, so it holds only results of a commit: what was measured on changed files is refused.

import { appendFileSync } from 'node:fs'
import { Failure, UsageError } from '../command.js'
import type { Flags, Io } from '../command.js'
import { exit } from '../exit.js'
import { isSet, required } from '../flags.js'
import { recordsOf } from './records.js'

export const keepPart = { run: keep, flags: ['ledger'] }

async function keep(flags: Flags, io: Io): Promise<number> {
  const [file, ...more] = flags.positionals
  if (file === undefined || more.length > 0) throw new UsageError('keep takes one FILE of records')
  const ledger = required(flags, 'ledger', 'FILE')
  const records = recordsOf(file)
  const loose = records.find(({ environment: { commit } }) => commit === null || commit.endsWith('+'))
  if (loose)
    throw new Failure(
      `${loose.name} was measured on ${loose.environment.commit ?? 'no commit'}: commit, and measure again`,
      exit.no,
    )
  try {
    appendFileSync(ledger, records.map(record => `${JSON.stringify(record)}\n`).join(''))
  } catch (error) {
    throw new Failure(`${ledger}: ${(error as Error).message}`, exit.input)
  }
  const commits = [...new Set(records.map(r => r.environment.commit))].join(', ')
  if (isSet(flags, 'json')) io.out(`${JSON.stringify({ ledger, records: records.length, commits })}\n`)
  else io.out(`${records.length} records of commit ${commits} kept in ${ledger}\n`)
  return exit.ok
}
