// How a program's work can be spread over workers: by replication, by sharding, by sharing its state.

import {
  capacityFormula,
  headerBytes,
  headroomFormula,
  maxWorkers,
  maxWorkersInHeadroom,
  paperAssumptions,
  reportedFrames,
  xdpAssumptions,
} from '../../analysis/capacity.js'
import type { HeadroomAssumptions, Properties } from '../../analysis/capacity.js'
import { flag } from '../../backend/wasm/loops/value.js'
import type { Compiled } from '../../compile.js'
import { obstacle } from './metadata.js'
import type { Obstacle } from './metadata.js'

export interface Capacity {
  /** Workers that a frame of so many bytes serves. */
  readonly workers: Readonly<Record<string, number>>
  /** The formula behind it, n being the number of workers. */
  readonly formula: string
  /** What it takes for granted; bytes, and the most workers considered. */
  readonly assumptions: { readonly outer: number; readonly original: number; readonly mostWorkers: number }
  readonly xdp: HeadroomCapacity
}

/** The same of a sequencer in XDP, which writes the history into the headroom. */
export interface HeadroomCapacity {
  readonly workers: number
  readonly formula: string
  readonly assumptions: HeadroomAssumptions
  /** Bytes that a packet grows by with so many workers, and the MTU of a device that carries full frames then. */
  readonly growth: number
  readonly mtu: number
}

/** Workers that replication serves; undefined if the program cannot be replicated. */
export function capacityOf({ artifact: { item } }: Compiled): Capacity | undefined {
  if (!item) return undefined
  const has = (bit: number): boolean => (item.versionAndFlags & bit) !== 0
  const properties: Properties = {
    timestamp: has(flag.timestamp),
    device: has(flag.device),
    originalLength: has(flag.originalLength),
  }
  const workers = reportedFrames.map(frame => [frame, maxWorkers(frame, item.itemBytes, properties)])
  return {
    workers: Object.fromEntries(workers) as Record<string, number>,
    formula: capacityFormula(item.itemBytes, properties),
    assumptions: paperAssumptions,
    xdp: headroomCapacityOf(item.itemBytes, properties),
  }
}

function headroomCapacityOf(itemBytes: number, properties: Properties): HeadroomCapacity {
  const workers = maxWorkersInHeadroom(itemBytes, properties)
  const growth = headerBytes(workers, itemBytes, properties)
  return {
    workers,
    formula: headroomFormula(itemBytes, properties),
    assumptions: xdpAssumptions,
    growth,
    mtu: xdpAssumptions.mtu + growth,
  }
}

export interface DescribedSharding {
  readonly possible: boolean
  /** Fields that decide the worker; any of them will do, if symmetric both of a pair. */
  readonly fields: readonly string[]
  readonly symmetric: boolean
  /** Why it is impossible. */
  readonly reason?: string
  readonly line?: number
  readonly column?: number
  readonly text?: string
  /** Why each other field may not be used. */
  readonly excluded: readonly (Obstacle & { readonly field: string })[]
}

export function shardingOf({ sharding, program }: Compiled): DescribedSharding {
  const { possible, fields, symmetric, reason, span, excluded } = sharding
  const why = reason === undefined ? {} : obstacle({ reason, ...(span && { span }) }, program.source)
  return {
    possible,
    fields,
    symmetric,
    ...why,
    excluded: [...excluded].map(([field, e]) => ({ field, ...obstacle(e, program.source) })),
  }
}

export interface DescribedSharing {
  readonly kind: 'none' | 'atomics' | 'key-lock' | 'program-lock'
  readonly objects: readonly string[]
  /** Why not less is enough. */
  readonly obstacle?: Obstacle
}

export function sharingOf({ sharing, program }: Compiled): DescribedSharing {
  const { kind, objects, reason, span } = sharing
  const why = reason !== undefined && obstacle({ reason, ...(span && { span }) }, program.source)
  return { kind, objects, ...(why && { obstacle: why }) }
}
