// hairpin traffic: makes captures by published laws, and says what captures hold. README.md beside this is the help.

import { UsageError } from '../command.js'
import type { Command } from '../command.js'
import { hint } from '../nearest.js'
import { info } from './info.js'
import { make, makeFlags } from './make.js'

export const command: Command = {
  name: 'traffic',
  flags: {
    ...makeFlags,
    specification: { type: 'string' },
    out: { type: 'string', short: 'o' },
    dry: { type: 'boolean' },
    json: { type: 'boolean' },
  },
  async run(flags, io) {
    const [what, ...rest] = flags.positionals
    if (what === 'make' && rest.length === 0) return make(flags, io)
    if (what === 'make') throw new UsageError(`make takes flags only, not ${rest[0]}; the file goes to --out`)
    if (what !== 'info')
      throw new UsageError(
        what === undefined
          ? 'make or info is missing'
          : `traffic takes make or info, not ${what}.${hint(what, ['make', 'info'])}`,
      )
    if (rest.length !== 1) throw new UsageError(rest.length ? 'info takes one FILE' : 'info needs a FILE')
    const odd = Object.keys(flags.values).find(name => name !== 'json')
    if (odd !== undefined) throw new UsageError(`--${odd} belongs to traffic make`)
    return info(rest[0], flags, io)
  },
}
