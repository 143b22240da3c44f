// Keeping a receive queue for ourselves: no packet gets there by chance, and those we want do. All of it can be undone.
//
// A card spreads packets by hash over the queues in its indirection table, and rules steer chosen ones. So the queue is
// taken out of the table and rules are added, as one transaction: what fails undoes what came before. Pure where it can
// be: `withoutQueues` and `rulesFor` are what tests look at.

import { scaling, setScaling, featureFlag, setFeatureFlag, offloads, setOffloads } from '../../sys/ethtool.js'
import { SystemError } from '../../sys/failure.js'
import { addFlowRule, flowRuleAt, flowRuleCount, removeFlowRule } from '../../sys/flow-rules.js'
import type { FlowRule } from '../../sys/flow-rules.js'
import type { Match, Network } from './match.js'

/** What has to be put back, as plain data: another process may do it. */
export type Undo =
  | { readonly kind: 'indirection'; readonly device: string; readonly table: readonly number[] }
  | { readonly kind: 'rule'; readonly device: string; readonly location: number }
  | {
      readonly kind: 'ntuple' | 'largeReceive' | 'receiveOffload'
      readonly device: string
      readonly on: boolean
    }

/** Puts one thing back. */
export function undo(step: Undo): void {
  switch (step.kind) {
    case 'indirection':
      return setScaling(step.device, step.table)
    case 'rule':
      return removeFlowRule(step.device, step.location)
    case 'receiveOffload':
      return setOffloads(step.device, { receiveOffload: step.on })
    default:
      return setFeatureFlag(step.device, step.kind, step.on)
  }
}

/** An indirection table without some queues: their places go to the other queues in use, in turn. */
export function withoutQueues(table: readonly number[], queues: readonly number[]): number[] | undefined {
  const others = [...new Set(table)].filter(q => !queues.includes(q)).toSorted((a, b) => a - b)
  if (others.length === 0) return undefined
  let next = 0
  return table.map(q => (queues.includes(q) ? others[next++ % others.length] : q))
}

const ipFlows = { 6: 'tcp', 17: 'udp', 132: 'sctp' } as const

/** Rules of a card that steer what matches to a queue; two where a match holds for both versions of IP. */
export function rulesFor(match: Match, queue: number): FlowRule[] | undefined {
  const { family, protocol, source, destination, sourcePort, destinationPort } = match
  if (Object.keys(match).length === 1) return undefined
  const name = ipFlows[protocol as keyof typeof ipFlows]
  return (family === undefined ? ([4, 6] as const) : [family]).map(version => ({
    flow: `${name ?? 'ip'}${version}` as FlowRule['flow'],
    queue,
    ...(source && { source: masked(source) }),
    ...(destination && { destination: masked(destination) }),
    ...(sourcePort !== undefined && { sourcePort }),
    ...(destinationPort !== undefined && { destinationPort }),
    ...(name === undefined && protocol !== undefined && { protocol }),
  }))
}

function masked({ bytes, prefix }: Network): NonNullable<FlowRule['source']> {
  const mask = bytes.map((_, k) => (0xff00 >> Math.min(8, Math.max(0, prefix - 8 * k))) & 0xff)
  return { bytes: bytes.map((b, k) => b & mask[k]), mask }
}

/** What was done to an interface, by what means. */
export interface Isolation {
  /** Steps that put everything back, the last done first. */
  readonly undo: readonly Undo[]
  /** Whether the card steers what matches; else XDP does. */
  readonly steering: 'rules' | 'xdp'
  /** The indirection table as it is now, if the queue was taken out of it. */
  readonly indirection?: readonly number[]
  /** Locations of our rules. */
  readonly rules: readonly number[]
  /** What could not be done, in words. */
  readonly notes: readonly string[]
}

/**
 * Gives a queue over: `isolate` takes it out of the indirection table even if the card cannot steer packets to it. Throws
 * after undoing everything if a step fails that the device said it could do.
 */
export function isolateQueue(device: string, queue: number, match: Match, isolate: boolean): Isolation {
  const done: Undo[] = []
  const notes: string[] = []
  try {
    let steers = flowRuleCount(device) !== undefined
    const wanted = rulesFor(match, queue)
    if (steers && featureFlag(device, 'ntuple') === false) {
      try {
        setFeatureFlag(device, 'ntuple', true)
        done.push({ kind: 'ntuple', device, on: false })
      } catch (error) {
        if (!(error instanceof SystemError)) throw error
        steers = false
      }
    }
    const byRules = steers && wanted !== undefined
    const before = byRules || isolate ? scaling(device) : undefined
    let indirection: number[] | undefined
    if (before !== undefined) {
      indirection = withoutQueues(before.indirection, [queue])
      if (indirection === undefined)
        notes.push(`queue ${queue} is the only one in the indirection table: it stays there`)
      else {
        setScaling(device, indirection)
        done.push({ kind: 'indirection', device, table: before.indirection })
        const now = scaling(device)?.indirection ?? []
        if (now.includes(queue))
          throw new Error(`${device} still has queue ${queue} in its indirection table`)
      }
    } else if (isolate)
      notes.push(`${device} has no indirection table: its other packets may come to queue ${queue} too`)
    const rules: number[] = []
    if (byRules)
      for (const rule of wanted) {
        const location = addFlowRule(device, rule)
        done.push({ kind: 'rule', device, location })
        rules.push(location)
      }
    return {
      undo: done.toReversed(),
      steering: byRules ? 'rules' : 'xdp',
      ...(indirection && { indirection }),
      rules,
      notes,
    }
  } catch (error) {
    for (const step of done.toReversed()) undo(step)
    throw error
  }
}

/** Whether our rules are still there: somebody else may have removed them. */
export const missingRules = (device: string, queue: number, rules: readonly number[]): number[] =>
  rules.filter(location => flowRuleAt(device, location)?.queue !== queue)

/** Turns off what would merge packets before we see them; answers the steps back. */
export function stopMerging(device: string): Undo[] {
  const done: Undo[] = []
  const { receiveOffload, largeReceive } = offloads(device)
  try {
    if (receiveOffload) {
      setOffloads(device, { receiveOffload: false })
      done.push({ kind: 'receiveOffload', device, on: true })
    }
    if (largeReceive) {
      setFeatureFlag(device, 'largeReceive', false)
      done.push({ kind: 'largeReceive', device, on: true })
    }
  } catch (error) {
    for (const step of done.toReversed()) undo(step)
    throw error
  }
  return done.toReversed()
}
