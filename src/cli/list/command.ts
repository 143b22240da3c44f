// hairpin list: our programs in the kernel. README.md beside this file is the help.

import { ownPrograms } from '../../engine/kernel/attached.js'
import type { OwnProgram } from '../../engine/kernel/attached.js'
import { UsageError } from '../command.js'
import type { Command } from '../command.js'
import { exit } from '../exit.js'
import { isSet } from '../flags.js'
import { grid } from '../grid.js'
import { withKernel } from '../kernel.js'

export const command: Command = {
  name: 'list',
  flags: { json: { type: 'boolean' } },
  async run(flags, io) {
    if (flags.positionals.length)
      throw new UsageError(`list takes no argument, such as ${flags.positionals[0]}`)
    const found = withKernel(ownPrograms)
    if (isSet(flags, 'json')) io.out(`${JSON.stringify({ programs: found.map(jsonOf) })}\n`)
    else if (found.length === 0) io.out('no program of hairpin is loaded\n')
    else io.out(`${grid(columns, found.flatMap(rowsOf))}\n`)
    return exit.ok
  },
}

const columns = ['interface', 'mode', 'program', 'id', 'pinned as', 'held by'].map(title => ({
  title,
  right: title === 'id',
}))

/** A program as often as it has devices, and once if it has none. */
const placesOf = ({ devices, elsewhere }: OwnProgram): { name: string; mode: string }[] => [
  ...devices,
  ...(elsewhere > 0 ? [{ name: '(other namespace)', mode: '-' }] : []),
  ...(devices.length === 0 && elsewhere === 0 ? [{ name: '(none)', mode: '-' }] : []),
]

const rowsOf = (found: OwnProgram): string[][] =>
  placesOf(found).map(({ name, mode }) => [
    name,
    mode,
    found.description.name,
    String(found.programId),
    found.pins.join(', ') || '-',
    found.holders.map(({ pid, command: owner }) => `${owner} ${pid}`).join(', ') || '-',
  ])

const jsonOf = ({ programId, description, tag, devices, elsewhere, pins, holders }: OwnProgram): object => ({
  programId,
  program: description.name,
  file: description.file,
  tag,
  interfaces: devices.map(({ name, mode }) => ({ name, mode })),
  otherNamespace: elsewhere > 0,
  pins,
  holders,
})
