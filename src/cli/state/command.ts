// hairpin state: the state of attached programs, and their parameters. README.md beside this file is the help.

import { Failure, UsageError } from '../command.js'
import type { Command, Flags, Io } from '../command.js'
import { exit } from '../exit.js'
import { integer, isSet, texts } from '../flags.js'
import { withKernel } from '../kernel.js'
import { chosen } from '../chosen.js'
import { programJson, programText } from './dump.js'
import type { DumpOptions } from './dump.js'
import { set } from './set.js'

/** Entries of each object that are printed unless --limit or --all says otherwise. */
const usual = { text: 20, json: 1000 }

export const command: Command = {
  name: 'state',
  flags: {
    table: { type: 'string', multiple: true },
    limit: { type: 'string' },
    all: { type: 'boolean' },
    json: { type: 'boolean' },
  },
  async run(flags, io) {
    const [first, ...rest] = flags.positionals
    if (first === 'set' && rest.length > 0) return set(rest, flags, io)
    if (rest.length > 0)
      throw new UsageError(
        rest[0].includes('=')
          ? `to change parameters type hairpin state set ${first} ${rest.join(' ')}`
          : `one PROGRAM or IF is expected, not ${flags.positionals.length}`,
      )
    return withKernel(() => dump(first, flags, io))
  },
}

function dump(word: string | undefined, flags: Flags, io: Io): number {
  const json = isSet(flags, 'json')
  const limit = integer(flags, 'limit', { least: 1, most: 2 ** 32 })
  if (isSet(flags, 'all') && limit !== undefined) throw new UsageError('either --all or --limit')
  const options: DumpOptions = {
    tables: texts(flags, 'table'),
    most: isSet(flags, 'all') ? Infinity : (limit ?? (json ? usual.json : usual.text)),
  }
  const programs = chosen(word)
  if (programs.length === 0)
    throw new Failure('no program of hairpin is loaded; hairpin attach PROGRAM IF attaches one', exit.no)
  if (json) io.out(`${JSON.stringify({ programs: programs.map(p => programJson(p, options)) })}\n`)
  else io.out(`${programs.map(p => programText(p, options)).join('\n\n')}\n`)
  return exit.ok
}
