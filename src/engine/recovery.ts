// Loss recovery as the engine sees it: what it needs before a run, and what it has to say afterwards.
//
// The work is done by a compiled loop (backend/wasm/loops/recovery.ts). Promises: every number that a worker found
// missing is recovered, lost everywhere, or pending at a worker that gave up. Read docs/recovery.md first.

import { context } from '../backend/wasm/memory.js'
import type { Plan } from './plan.js'

/** What loss recovery did, over all workers. */
export interface RecoveryReport {
  /** Frames that the transport lost. */
  readonly lost: number
  /** Sequence numbers that workers found missing: each counts once for every worker that misses it. */
  readonly detected: number
  /** Of these, read in another worker's log; found to have reached nobody; and still open where a worker gave up. */
  readonly recovered: number
  readonly lostEverywhere: number
  readonly unrecoverable: number
  /** Packets that arrived and were dropped: their worker was behind, had given up, or had seen their number before. */
  readonly drops: { readonly recovering: number; readonly unrecoverable: number; readonly late: number }
  /** Workers that gave up, and the last sequence number that the state of each has seen. */
  readonly stopped: readonly { readonly worker: number; readonly last: bigint }[]
}

/** Writes what loss recovery reads into a worker's context at `at`. */
export function prepareRecovery(view: DataView, at: number, { map, recovery, firstSequence }: Plan): void {
  view.setUint32(at + context.logs, map.logs, true)
  view.setUint32(at + context.logMask, recovery!.entries - 1, true)
  view.setUint32(at + context.patience, recovery!.patience, true)
  view.setBigUint64(at + context.logged, firstSequence - 1n, true)
}

/** Adds up what the workers' contexts say; `lost` is what the transport says. */
export function recoveryReport(view: DataView, contexts: readonly number[], lost: number): RecoveryReport {
  const sum = (offset: number): number =>
    contexts.reduce((total, at) => total + Number(view.getBigUint64(at + offset, true)), 0)
  const [detected, recovered, lostEverywhere] = [context.missed, context.recovered, context.everywhere].map(
    sum,
  )
  return {
    lost,
    detected,
    recovered,
    lostEverywhere,
    unrecoverable: detected - recovered - lostEverywhere,
    drops: {
      recovering: sum(context.recovering),
      unrecoverable: sum(context.unrecoverable),
      late: sum(context.late),
    },
    stopped: contexts.flatMap((at, worker) =>
      view.getUint32(at + context.stopped, true) === 1
        ? [{ worker, last: view.getBigUint64(at + context.last, true) }]
        : [],
    ),
  }
}
