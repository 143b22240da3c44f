// How the packets of several receive queues come to the one sequencer of a live run, or to a state that one CPU at a time may
// change: by the card's indirection table, which then has all of them on one queue, or through a queue of one CPU.

import { CannotSteer, SteeredTable } from '../../engine/live/table.js'
import type { LiveInterface } from '../../engine/live/plan.js'
import { deviceNamed, queuesOf } from '../attach/devices.js'
import { Failure, UsageError } from '../command.js'
import type { Flags } from '../command.js'
import { exit } from '../exit.js'
import { text } from '../flags.js'
import { hint } from '../nearest.js'

const ways = ['auto', 'table', 'funnel'] as const

export type SteerWay = (typeof ways)[number]

/** What was found. */
export interface Steered {
  /** The table, which is written already. */
  readonly table?: SteeredTable
  /** Why the table was not taken, where it was not. */
  readonly why?: string
}

/** The way that is asked for; ends the command if there is no such way. */
export function wayOf(flags: Flags): SteerWay {
  const given = text(flags, 'steer') ?? 'auto'
  const found = ways.find(way => way === given)
  if (found) return found
  throw new UsageError(`--steer takes ${ways.join(', ')}, not ${given}.${hint(given, [...ways])}`)
}

/** Has all packets come by one queue, if that is wanted and can be. In the namespace of the interfaces. */
export function steer(
  way: SteerWay,
  interfaces: readonly LiveInterface[],
  mode: 'native' | 'generic',
): Steered {
  const queues = interfaces.reduce((sum, { queues: n }) => sum + n, 0)
  if (queues === 1 || way === 'funnel') return {}
  const refused = (why: string): Steered => {
    if (way === 'auto') return { why }
    throw new Failure(`${why}: --steer funnel sends all packets through one CPU's queue first`, exit.program)
  }
  if (interfaces.length > 1) return refused('several interfaces have no table in common')
  if (mode === 'generic') return refused('in generic mode packets of one queue come on any CPU')
  try {
    return { table: new SteeredTable(interfaces[0].name) }
  } catch (error) {
    if (error instanceof CannotSteer) return refused(error.message)
    throw error
  }
}

/**
 * How it is done, in one line; undefined where there is only one queue. A funnel that nobody asked for is one CPU for all packets:
 * where shards need none, that is said.
 */
export function steeringText(
  interfaces: readonly LiveInterface[],
  { table, why }: Steered,
  funnelCpu: number,
  canShard: boolean,
): string | undefined {
  const queues = interfaces.reduce((sum, { queues: n }) => sum + n, 0)
  if (table)
    return `sources: ${queues} queues steered to queue ${table.queue} by the indirection table of ${table.device}`
  if (queues === 1) return undefined
  const funnelled = `sources: ${queues} queues funnelled through CPU ${funnelCpu}`
  if (why === undefined) return funnelled
  return `${funnelled}; ${why}${canShard ? '; -s sharded takes packets of all queues at once, by flow' : ''}`
}

/** An interface as far as it matters here. In its namespace. */
export function look(name: string): LiveInterface {
  const device = deviceNamed(name)
  return { name, mtu: device.mtu, queues: queuesOf(device) }
}

/** Puts a card's table back if the run that would do so later does not come about. */
export function restoring<T>(table: SteeredTable | undefined, make: () => T): T {
  try {
    return make()
  } catch (error) {
    table?.restore()
    throw error
  }
}
