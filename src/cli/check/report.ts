// Everything check knows about a program, as plain data; docs/json.md has the shape of its JSON.

import type { Compiled } from '../../compile.js'
import { limitsOf } from './limits.js'
import type { Limits } from './limits.js'
import { metadataOf, obstacleOf } from './metadata.js'
import type { Metadata, Obstacle } from './metadata.js'
import { capacityOf, shardingOf, sharingOf } from './spreading.js'
import type { Capacity, DescribedSharding, DescribedSharing } from './spreading.js'
import { parametersOf, rulesOf, stateOf } from './state.js'
import type { DescribedObject, DescribedParameter } from './state.js'

export interface CheckReport {
  readonly program: string
  readonly file: string
  readonly licence?: string
  readonly parameters: readonly DescribedParameter[]
  readonly state: readonly DescribedObject[]
  readonly rules: readonly DescribedObject[]
  readonly counters: readonly { readonly name: string; readonly description?: string }[]
  readonly replicable: boolean
  /** Absent where the program cannot be replicated; then `obstacle` says why. */
  readonly metadata?: Metadata | undefined
  readonly obstacle?: Obstacle | undefined
  /** Workers that frames of given sizes serve by replication; absent like `metadata`. */
  readonly capacity?: Capacity | undefined
  readonly sharding: DescribedSharding
  readonly sharing: DescribedSharing
  readonly limits: Limits
}

export function checkReport(compiled: Compiled): CheckReport {
  const { artifact, program } = compiled
  return {
    program: artifact.name,
    file: artifact.file,
    ...(program.licence !== undefined && { licence: program.licence }),
    parameters: parametersOf(compiled),
    state: stateOf(compiled),
    rules: rulesOf(compiled),
    counters: artifact.counters,
    replicable: artifact.item !== undefined,
    metadata: metadataOf(compiled),
    obstacle: obstacleOf(compiled),
    capacity: capacityOf(compiled),
    sharding: shardingOf(compiled),
    sharing: sharingOf(compiled),
    limits: limitsOf(artifact),
  }
}

/** The report as its JSON: stable names, nothing that is only for the page. */
export function checkJson(report: CheckReport): object {
  const { state, rules, capacity, sharing, metadata, obstacle, ...rest } = report
  return {
    ...rest,
    metadata: metadata ?? null,
    ...(obstacle && { obstacle }),
    tables: [...state, ...rules],
    sharing: sharing.kind,
    ...(sharing.obstacle && { sharingObstacle: sharing.obstacle }),
    maxCores: capacity ? { ...capacity.workers, xdp: capacity.xdp.workers } : {},
    ...(capacity && { capacity: capacityJson(capacity) }),
  }
}

function capacityJson({ formula, assumptions, xdp }: Capacity): object {
  const { growth, mtu } = xdp
  return { formula, ...assumptions, xdp: { formula: xdp.formula, ...xdp.assumptions, growth, mtu } }
}
