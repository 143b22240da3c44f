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
    else io.out(`${grid(columns, found.map(rowOf))}\n`)
    return exit.ok
  },
}

const columns = ['interface', 'mode', 'program', 'id', 'pinned as', 'held by'].map(title => ({
  title,
  right: title === 'id',
}))

const placeOf = ({ device, elsewhere }: OwnProgram): string =>
  device?.name ?? (elsewhere ? '(other namespace)' : '(none)')

function rowOf(found: OwnProgram): string[] {
  const { device, description, programId, pins, holders } = found
  return [
    placeOf(found),
    device?.mode ?? '-',
    description.name,
    String(programId),
    pins.join(', ') || '-',
    holders.map(({ pid, command: name }) => `${name} ${pid}`).join(', ') || '-',
  ]
}

const jsonOf = ({ programId, description, tag, device, elsewhere, pins, holders }: OwnProgram): object => ({
  programId,
  program: description.name,
  file: description.file,
  tag,
  interface: device?.name ?? null,
  mode: device?.mode ?? null,
  otherNamespace: elsewhere,
  pins,
  holders,
})
