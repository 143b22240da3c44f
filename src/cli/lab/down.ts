// hairpin lab down: takes labs down that were made to stay, and removes what killed processes left of theirs.

import { openLab, sweep } from '../../lab/lab.js'
import { keptLabs } from '../../lab/name.js'
import { UsageError } from '../command.js'
import type { Flags, Io } from '../command.js'
import { exit } from '../exit.js'
import { isSet } from '../flags.js'
import { withKernel } from '../kernel.js'
import { labName, labNamed } from './names.js'

export async function labDown(flags: Flags, io: Io): Promise<number> {
  const all = isSet(flags, 'all')
  if (all && flags.positionals.length) throw new UsageError('either --all or a NAME')
  return withKernel(() => {
    const leftovers = sweep()
    const up = keptLabs()
    // Without a name and without the default lab, removing leftovers was all there was to do.
    const nothing = !flags.positionals.length && leftovers.length > 0 && !up.includes(labName([]))
    const names = all ? up : nothing ? [] : [labName(flags.positionals)]
    for (const name of names) (all ? openLab(name) : labNamed(name))?.down()
    if (isSet(flags, 'json')) io.out(`${JSON.stringify({ down: names, leftovers })}\n`)
    else
      io.out(
        [
          ...names.map(name => `lab ${name} is down\n`),
          ...leftovers.map(name => `removed ${name}, which a process left behind\n`),
        ].join('') || 'no lab is up\n',
      )
    return exit.ok
  })
}
