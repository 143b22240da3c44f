// `--fields`: the header fields that sharding hashes, as a NIC that looks at fewer of them would.

import type { ShardField } from '../analysis/sharding.js'
import type { Compiled } from '../compile.js'
import type { Strategy } from '../strategy/strategy.js'
import { Failure, UsageError } from './command.js'
import type { Flags, Io } from './command.js'
import { exit } from './exit.js'
import { text } from './flags.js'
import { hint } from './nearest.js'
import { compileProgram } from './program.js'
import { withPlace } from './refusal.js'

/** `--fields source,destination`. */
export async function fieldsOf(
  flags: Flags,
  strategies: readonly Strategy[],
): Promise<ShardField[] | undefined> {
  const given = text(flags, 'fields')
  if (given === undefined) return undefined
  if (!strategies.some(s => s.steered))
    throw new UsageError(
      `--fields is of strategies sharded and rebalanced; strategy ${strategies[0].name} looks at none`,
    )
  const { shardFields } = await import('../analysis/sharding.js')
  return given.split(',').map(name => {
    const field = shardFields.find(f => f === name)
    if (field) return field
    throw new UsageError(`--fields takes ${shardFields.join(', ')}, not ${name}.${hint(name, shardFields)}`)
  })
}

/** The program made to be sharded by these fields; refused where they would split state. */
export async function shardedBy(fields: readonly ShardField[], file: string, io: Io): Promise<Compiled> {
  const { checkFields } = await import('../analysis/sharding.js')
  const compiled = await compileProgram(file, io)
  const bad = checkFields(compiled.sharding, fields)
  if (bad)
    throw new Failure(
      `${compiled.program.name} cannot be sharded by ${fields.join(', ')}: ${withPlace(bad, compiled)}`,
      exit.program,
    )
  const { assemble } = await import('../compile.js')
  return assemble(compiled.program, { fields, hybrid: true, recovery: true })
}
