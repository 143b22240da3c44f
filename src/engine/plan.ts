// A plan: everything a run will do, as plain data, before it does anything. `start` in run.ts has the effects.
//
// Pure and printable: the same artifact and options give the same plan on any machine, and two plans can be compared
// field by field. What cannot work is refused here, with the reason and what to do instead.

import type { SharingForm, Strategy } from '../strategy/strategy.js'
import { leastEntries } from '../backend/wasm/log.js'
import { frameHeaderBytes, ringBytes } from '../backend/wasm/loops/value.js'
import type { FrameLayout } from '../backend/wasm/loops/value.js'
import { evidenceBytes } from '../backend/wasm/memory.js'
import type { Artifact } from './artifact.js'
import { canHandOver, handoverBytes } from './in-band.js'
import { mapMemory } from './memory.js'
import type { MemoryMap } from './memory.js'
import type { Epoch } from './rebalance.js'
import { checkRevisions } from './revision.js'
import type { Revision } from './revision.js'
import type { Loss } from './transport.js'

export interface RunOptions {
  readonly strategy: Strategy
  /** Workers, 1 to 16. */
  readonly cores: number
  /** All workers on the calling thread, taking turns as the seed says. */
  readonly virtual?: boolean
  /** Virtual workers do a whole slab each, in order: to measure what every worker's stream costs by itself. */
  readonly wholeSlabs?: boolean
  /** Of the turns of virtual workers, of keyed randomness and of the tables' hash. */
  readonly seed?: bigint
  /** Values of settings by name; what is not given has its default. */
  readonly settings?: ReadonlyMap<string, bigint>
  /** The rules block: rule tables as src/state lays them out. */
  readonly rules?: Uint8Array
  /** Shared state only: keep evidence of the order in which packets happened, for verify. */
  readonly checking?: boolean
  /** Output captures. */
  readonly sinks?: number
  /** Packets in a slab, and bytes of data. */
  readonly slabPackets?: number
  readonly slabDataBytes?: number
  /** Number of the first packet, from 1; packets of an earlier run had the ones before. */
  readonly firstSequence?: bigint
  /** Of a strategy that rebalances: how long an epoch is. */
  readonly epoch?: Epoch
  /** Changes of rules and settings while packets flow, in order. */
  readonly revisions?: readonly Revision[]
  /** Which frames the transport to the workers loses: with a strategy that recovers them only. */
  readonly loss?: Loss
  /** Of loss recovery: entries of each worker's log, a power of two; and looks at other logs before going on. */
  readonly logEntries?: number
  readonly patience?: number
}

export const mostWorkers = 16
/** Slabs in flight where workers run beside the reader. */
const slabsInFlight = 4
const defaultSlabPackets = 16_384
const defaultSlabBytes = 2 ** 20
/** By value every packet is written a second time, behind its history: a slab of frames should stay in a core's cache. */
export const valueSlabPackets = 1_024
/**
 * With loss recovery workers may not be further apart than their logs are long: by the slabs in flight one ahead of
 * the other, by as many again a worker that waits for one behind. So slabs are short and logs four times what is in flight.
 */
const recoverySlabPackets = 512
const defaultLogEntries = 4 * slabsInFlight * recoverySlabPackets
/** On threads another worker may be about to write what is missed; virtual workers only go on when this one returns. */
const defaultPatience = 20_000

export interface Plan {
  readonly program: string
  readonly strategy: string
  readonly contract: string
  /** Of a replicated run: how workers get the items of packets they did not see. */
  readonly history?: 'reference' | 'value'
  /** Of a shared run: how workers are kept apart. */
  readonly sharing?: SharingForm
  readonly workers: number
  /** Where workers run: on the calling thread, on threads, or as virtual workers. */
  readonly crew: 'inline' | 'threads' | 'virtual'
  readonly wholeSlabs: boolean
  readonly slabPackets: number
  readonly slabDataBytes: number
  readonly map: MemoryMap
  readonly settings: readonly { readonly name: string; readonly value: bigint }[]
  readonly seed: bigint
  readonly firstSequence: bigint
  /** Entries of each worker's log and looks at the others', if lost frames are recovered. */
  readonly recovery?: { readonly entries: number; readonly patience: number }
}

/** What a packet of a checking run leaves, in bytes: its commit number, or the evidence for one. */
export const commitBytesOf = (form: SharingForm): number => (form === 'atomics' ? evidenceBytes : 4)

/** The frames that a strategy has of a program, where history is carried at all. */
export const framesOf = (
  { item, dealt }: Artifact,
  { recovery, replicatesHeavy }: Strategy,
): FrameLayout | undefined => (recovery && replicatesHeavy ? dealt : item)

/** The plan, or why there is none. */
export function plan(artifact: Artifact, options: RunOptions): Plan | { error: string } {
  const { strategy, cores, virtual = false, seed = 1n } = options
  if (!Number.isInteger(cores) || cores < 1 || cores > mostWorkers)
    return { error: `--cores takes 1 to ${mostWorkers}, not ${cores}` }
  if (strategy.name === 'single' && cores !== 1)
    return {
      error: `strategy single has one worker; for ${cores} use --strategy replicated, sharded or shared`,
    }
  if (strategy.name === 'replicated' && !artifact.item)
    return { error: `${artifact.name} cannot be replicated; hairpin check says why` }
  if (strategy.steered && !artifact.steering)
    return { error: `${artifact.name} cannot be sharded; hairpin check says why` }
  if (strategy.replicatesHeavy && !artifact.item)
    return { error: `${artifact.name} cannot be replicated, its heavy keys neither; hairpin check says why` }
  if (strategy.replicatesHeavy && !artifact.hybrid)
    return { error: `${artifact.name} was compiled without what strategy hybrid needs` }
  if (strategy.recovery && !(strategy.replicatesHeavy ? artifact.dealt : artifact.recovery))
    return { error: `${artifact.name} was compiled without loss recovery` }
  if (options.loss && !strategy.recovery && !(strategy.steered && !strategy.replicatesHeavy))
    return { error: `strategy ${strategy.name} without loss recovery cannot lose frames` }
  const entries = options.logEntries ?? defaultLogEntries
  if (strategy.recovery && (entries < leastEntries || (entries & (entries - 1)) !== 0))
    return { error: `a log has a power of two of entries, ${leastEntries} or more, not ${entries}` }
  if (strategy.sharing && !artifact.sharing.forms.includes(strategy.sharing))
    return {
      error:
        `${artifact.name} is not safe to share with ${strategy.sharing}, only with ` +
        `${artifact.sharing.forms.join(' or ')}; hairpin check says why`,
    }
  const known = new Set(artifact.settings.map(s => s.name))
  for (const name of options.settings?.keys() ?? [])
    if (!known.has(name))
      return { error: `${artifact.name} has no parameter ${name}; it has ${[...known].join(', ') || 'none'}` }
  const { revisions = [] } = options
  const wrong = checkRevisions(artifact, revisions)
  if (wrong !== undefined) return { error: wrong }
  const byValue = strategy.history === 'value'
  const crew = virtual ? 'virtual' : cores === 1 ? 'inline' : 'threads'
  const frames = framesOf(artifact, strategy)
  const withItems = strategy.name === 'replicated' || strategy.replicatesHeavy === true
  const usual = strategy.recovery ? recoverySlabPackets : byValue ? valueSlabPackets : defaultSlabPackets
  const slabPackets = options.slabPackets ?? usual
  const slabDataBytes = options.slabDataBytes ?? defaultSlabBytes
  const map = mapMemory({
    workers: cores,
    settings: artifact.settings.length,
    counters: artifact.counters.length,
    rulesBytes: Math.max(
      artifact.rulesLayout.size,
      ...[options, ...revisions].map(({ rules }) => rules?.length ?? 0),
    ),
    stateBytes: artifact.stateLayout.size,
    stateBlocks: strategy.state === 'one' ? 1 : cores,
    sources: 1,
    sinks: options.sinks ?? 0,
    slabs: crew === 'threads' ? slabsInFlight : 1,
    slabPackets,
    slabDataBytes,
    replicated: withItems,
    itemStride: withItems ? frames!.itemBytes : 0,
    lists: strategy.steered ? cores + Number(strategy.replicatesHeavy === true) : 0,
    locks: strategy.name === 'shared',
    commitBytes: options.checking && strategy.sharing ? commitBytesOf(strategy.sharing) : 0,
    stamps: crew === 'threads',
    frameHeader: byValue ? frameHeaderBytes(frames!, cores) : 0,
    ringBytes: byValue ? ringBytes(cores - 1, frames!.itemBytes) : 0,
    logEntries: strategy.recovery ? entries : 0,
    ...(strategy.rebalances && canHandOver(artifact) && { handover: handoverBytes(artifact) }),
  })
  if ('error' in map) return { error: `${artifact.name} with ${cores} workers does not fit: ${map.error}` }
  return {
    program: artifact.name,
    strategy: strategy.name,
    contract: strategy.contract,
    ...(strategy.name === 'replicated' && { history: strategy.history ?? 'reference' }),
    ...(strategy.sharing && { sharing: strategy.sharing }),
    workers: cores,
    crew,
    wholeSlabs: options.wholeSlabs ?? false,
    slabPackets,
    slabDataBytes,
    map,
    settings: artifact.settings.map(s => ({
      name: s.name,
      value: options.settings?.get(s.name) ?? s.default,
    })),
    seed,
    firstSequence: options.firstSequence ?? 1n,
    ...(strategy.recovery && {
      recovery: { entries, patience: options.patience ?? (crew === 'threads' ? defaultPatience : 0) },
    }),
  }
}
