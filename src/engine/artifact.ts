// What the compiler hands to the engine: a module's bytes and everything needed to run it, as plain data.
//
// An artifact is deterministic (same source, same bytes, on any machine) and survives a structured clone and the
// output cache, so a run needs neither TypeScript nor the compiler once a program has been compiled.

import type { FrameLayout } from '../backend/wasm/loops/value.js'
import type { ShardKeys } from '../strategy/bucket.js'
import type { SteeringFields } from '../strategy/steering.js'
import type { SharingForm } from '../strategy/strategy.js'
import type { RulesDecl, StateObject } from '../state/declaration.js'
import type { RulesLayout, StateLayout } from '../state/layout.js'

export interface SettingInfo {
  readonly name: string
  readonly type: string
  readonly default: bigint
  readonly description?: string
  /** How people spell it: ipv4, mac, port or hex; a number if left out. */
  readonly display?: string
}

/** What a module was not made for (compile.ts, ways) is absent, as what the program cannot do is. */
export interface Artifact extends KernelArtifact {
  readonly wasm: Uint8Array
}

/** All but the module, for which the kernel has no use. */
export interface KernelArtifact {
  readonly name: string
  readonly file: string
  readonly objects: readonly StateObject[]
  readonly rules: readonly RulesDecl[]
  readonly stateLayout: StateLayout
  readonly rulesLayout: RulesLayout
  readonly settings: readonly SettingInfo[]
  readonly counters: readonly { readonly name: string; readonly description?: string }[]
  /** Items and frames of the history; absent if the program cannot be replicated. */
  readonly item?: FrameLayout
  /** It can recover lost frames. */
  readonly recovery?: boolean
  /** The same of hybrid over a transport that loses frames; with `recovery` and `hybrid`. */
  readonly dealt?: FrameLayout
  /** Its heavy keys can be replicated and the others sharded. */
  readonly hybrid?: boolean
  /** Its state can change hands in the stream of packets (in-band.ts); with `hybrid`. */
  readonly handover?: boolean
  /** What advancing by an item costs, as a share of what processing its packet costs; with `hybrid`. */
  readonly replay?: number
  /** The forms in which workers may share one state, the least first; and why not less than the first will do. */
  readonly sharing: {
    readonly forms: readonly SharingForm[]
    readonly reason?: string
    /** Width of the number that packets add to under atomics. */
    readonly bits?: number
  }
  /** The fields to shard by; absent if the program cannot be sharded. */
  readonly steering?: SteeringFields
  /** How keys are made, so that an entry's bucket is known; with `steering`. */
  readonly shardKeys?: readonly ShardKeys[]
}
