// hairpin detach: takes our programs off their interfaces. README.md beside this file is the help.

import { detachOwn, isPinned, ownPrograms, removePins } from '../../engine/kernel/attached.js'
import type { OwnProgram } from '../../engine/kernel/attached.js'
import { Failure, UsageError } from '../command.js'
import type { Command } from '../command.js'
import { exit } from '../exit.js'
import { isSet, onlyArgument } from '../flags.js'
import { withKernel } from '../kernel.js'
import { hint } from '../nearest.js'

export const command: Command = {
  name: 'detach',
  flags: { all: { type: 'boolean' }, json: { type: 'boolean' } },
  async run(flags, io) {
    const all = isSet(flags, 'all')
    if (all && flags.positionals.length) throw new UsageError('either --all or one NAME or IF')
    const which = all ? undefined : onlyArgument(flags, 'NAME or IF')
    return withKernel(() => {
      const own = ownPrograms()
      const chosen = which === undefined ? own : own.filter(p => isCalled(p, which))
      if (which !== undefined && chosen.length === 0) {
        // Pins whose program is not described: what an interrupted attach left.
        if (!/^[A-Za-z0-9_-]+$/.test(which) || !isPinned(which)) throw unknown(which, own)
        removePins(which)
      }
      for (const found of chosen) detachOwn(found)
      const detached = chosen.map(({ programId, description, devices, pins }) => ({
        programId,
        program: description.name,
        interfaces: devices.map(d => d.name),
        pins,
      }))
      if (isSet(flags, 'json')) io.out(`${JSON.stringify({ detached })}\n`)
      else if (detached.length === 0)
        io.out(which === undefined ? 'nothing to detach\n' : `removed pins ${which}\n`)
      else
        for (const { program, interfaces, pins } of detached)
          io.out(
            `${program}: off ${interfaces.join(', ') || 'its interface'}${pins.length ? `, pins ${pins.join(', ')} removed` : ''}\n`,
          )
      return exit.ok
    })
  },
}

const isCalled = ({ devices, pins }: OwnProgram, which: string): boolean =>
  pins.includes(which) || devices.some(d => d.name === which)

function unknown(which: string, own: readonly OwnProgram[]): Failure {
  const known = own.flatMap(({ devices, pins }) => [...pins, ...devices.map(d => d.name)])
  return new Failure(
    `no program of hairpin is pinned as or attached to ${which}; there is ${known.join(', ') || 'none'}.${hint(which, known)}`,
    exit.no,
  )
}
