// hairpin state set: parameters of an attached program, changed while packets flow, and read back.

import { UsageError } from '../command.js'
import type { Flags, Io } from '../command.js'
import { exit } from '../exit.js'
import { isSet } from '../flags.js'
import { settingsFrom } from '../inputs.js'
import { withKernel } from '../kernel.js'
import { onlyOne } from '../chosen.js'
import { withReading } from './dump.js'
import { parametersOf, setParameters } from './parameters.js'

export function set([word, ...assignments]: readonly string[], flags: Flags, io: Io): number {
  const odd = ['limit', 'all'].find(name => flags.values[name] !== undefined)
  if (odd !== undefined) throw new UsageError(`--${odd} belongs to hairpin state, not to state set`)
  if (assignments.length === 0) throw new UsageError('nothing to set: NAME=VALUE is missing')
  return withKernel(() => {
    const program = onlyOne(word)
    const { name, settings } = program.description
    const values = settingsFrom(assignments.map(pairOf), 'state set', name, settings)
    const changed = withReading(program, reading => {
      const before = parametersOf(reading)
      setParameters(reading, values)
      const after = parametersOf(reading)
      return [...values.keys()].map(parameter => ({
        parameter,
        before: before.get(parameter)!,
        after: after.get(parameter)!,
      }))
    })
    if (isSet(flags, 'json'))
      io.out(`${JSON.stringify({ programId: program.programId, program: name, parameters: changed })}\n`)
    else
      for (const { parameter, before, after } of changed)
        io.out(`${name}: ${parameter} = ${after}${before === after ? ', as before' : `, was ${before}`}\n`)
    return exit.ok
  })
}

function pairOf(assignment: string): [name: string, text: string] {
  const at = assignment.indexOf('=')
  if (at < 1) throw new UsageError(`state set takes NAME=VALUE, not ${assignment}`)
  return [assignment.slice(0, at), assignment.slice(at + 1)]
}
