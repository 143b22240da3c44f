// Loss recovery of replicated workers in the kernel, as user space sees it: what it did, and the end of a stream.
//
// The work is done by the workers' programs (backend/ebpf/recovering.ts, follow.ts). Promises: every number that a
// worker found missing is recovered, lost everywhere, pending, or unrecoverable at a worker that gave up. Read
// docs/recovery.md and replicated.ts first.

import { framesMap } from '../../backend/ebpf/frame.js'
import type { FrameCounter } from '../../backend/ebpf/frame.js'
import { columnAt, logStride, logsMap, recoveryMap } from '../../backend/ebpf/logs.js'
import type { Logs, RecoveryColumn } from '../../backend/ebpf/logs.js'
import { entry, entryBytes, entryKind, log } from '../../backend/wasm/log.js'
import { mapMemory } from '../../sys/map-memory.js'
import type { BpfProgram } from '../../sys/program.js'
import { testRun } from '../../sys/test-run.js'
import { historyEtherType, outerBytes, writeHistory } from '../../wire/history.js'
import type { HistoryFormat } from '../../wire/history.js'
import type { RecoveryReport } from '../recovery.js'
import { frameFigures } from './frames.js'
import type { LoadedProgram } from './load.js'

/** What loss recovery did, over all workers; frames that were lost on the way nobody here has seen. */
export interface KernelRecovery extends Omit<RecoveryReport, 'lost'> {
  /** Of the missing, those that are still looked for. 0 once a stream is finished (`finishRecovery`). */
  readonly pending: number
}

/** A worker's own figures. */
export interface WorkerRecovery {
  /** The last number that its state has seen, and the last one in its log. */
  readonly last: bigint
  readonly logged: bigint
  readonly stopped: boolean
  readonly detected: number
  readonly recovered: number
  readonly lostEverywhere: number
  readonly drops: RecoveryReport['drops']
}

const key = new Uint8Array(new ArrayBuffer(4))

/** What a worker that was loaded with recovery says. */
export function workerRecovery(worker: Pick<LoadedProgram, 'maps'>): WorkerRecovery {
  const map = worker.maps.get(recoveryMap)
  if (!map) throw new RangeError('these workers were loaded without recovery')
  return recoveryOf(map.lookup(key)!, frameFigures(worker))
}

/** The same from the bytes of its own map, and what it counted of its frames. */
export function recoveryOf(own: Uint8Array, frames: ReadonlyMap<FrameCounter, bigint>): WorkerRecovery {
  const view = new DataView(own.buffer, own.byteOffset, own.length)
  const wide = (name: RecoveryColumn): bigint => view.getBigUint64(columnAt(name), true)
  return {
    last: wide('last'),
    logged: wide('logged'),
    stopped: wide('stopped') === 1n,
    detected: Number(wide('detected')),
    recovered: Number(wide('recovered')),
    lostEverywhere: Number(wide('everywhere')),
    drops: {
      recovering: Number(frames.get('recovering')),
      unrecoverable: Number(wide('unrecoverable')),
      late: Number(frames.get('stale')),
    },
  }
}

/** Adds up what workers say. */
export const recoveryFigures = (workers: readonly Pick<LoadedProgram, 'maps'>[]): KernelRecovery =>
  addedRecovery(workers.map(workerRecovery))

export function addedRecovery(each: readonly WorkerRecovery[]): KernelRecovery {
  const sum = (of: (w: WorkerRecovery) => number): number => each.reduce((n, w) => n + of(w), 0)
  const open = (stopped: boolean): number =>
    sum(w => (w.stopped === stopped ? w.detected - w.recovered - w.lostEverywhere : 0))
  return {
    detected: sum(w => w.detected),
    recovered: sum(w => w.recovered),
    lostEverywhere: sum(w => w.lostEverywhere),
    unrecoverable: open(true),
    pending: open(false),
    drops: {
      recovering: sum(w => w.drops.recovering),
      unrecoverable: sum(w => w.drops.unrecoverable),
      late: sum(w => w.drops.late),
    },
    stopped: each.flatMap(({ stopped, last }, worker) => (stopped ? [{ worker, last }] : [])),
  }
}

/** A frame that brings nothing: a worker whose log ends at `logged` only goes on with what is parked. */
function reminder(
  { slots, itemBytes, ...has }: HistoryFormat,
  outer: boolean,
  logged: bigint,
): Uint8Array<ArrayBuffer> {
  const header = writeHistory(
    {
      sequence: Number(BigInt.asUintN(32, logged + 1n)),
      flush: true,
      ...(has.timestamp && { timestamp: 0n }),
      ...(has.device && { device: 0 }),
      ...(has.originalLength && { originalLength: 0 }),
      items: Array.from({ length: slots }, () => ({ effect: false, bytes: new Uint8Array(itemBytes) })),
    },
    itemBytes,
  )
  const before = outer ? outerBytes : 0
  const frame = new Uint8Array(new ArrayBuffer(Math.max(64, before + header.length)))
  if (outer) new DataView(frame.buffer).setUint16(12, historyEtherType)
  frame.set(header, before)
  return frame
}

/**
 * The end of a stream: every worker has had its last frame, and none runs any more. Has them go on, in turns, until
 * nothing is parked or nobody gets further. A worker that did not get the sequencer's flush, or knows of fewer packets than
 * another, misses the numbers up to that one's last. `programs` are the workers' as test runs can run them, which those
 * of a CPU map are not.
 */
export function finishRecovery(
  workers: readonly Pick<LoadedProgram, 'maps'>[],
  programs: readonly BpfProgram[],
  logs: Logs,
  format: HistoryFormat,
  outer: boolean,
): KernelRecovery {
  endLogs(workers, logs)
  for (let moved = true; moved;) {
    moved = false
    workers.forEach((worker, w) => {
      const before = workerRecovery(worker)
      if (before.stopped || before.last >= before.logged) return
      const counted = worker.maps.get(framesMap)!
      const frames = counted.lookup(key)!
      testRun(programs[w], { data: reminder(format, outer, before.logged) })
      // Nobody sent that frame.
      counted.update(key, frames)
      const after = workerRecovery(worker)
      if (after.last > before.last || after.stopped) moved = true
    })
  }
  return recoveryFigures(workers)
}

/** Whether a worker is behind its own log or another's: then `finishRecovery` has something to do. */
export function isParked(workers: readonly Pick<LoadedProgram, 'maps'>[]): boolean {
  const each = workers.map(workerRecovery)
  const end = lastLogged(each)
  return each.some(({ stopped, last }) => !stopped && last < end)
}

const lastLogged = (each: readonly WorkerRecovery[]): bigint =>
  each.reduce((last, { logged }) => (logged > last ? logged : last), 0n)

/** Has every log end at the same number: what a worker has not heard of is lost here, and so it looks in the others. */
function endLogs(workers: readonly Pick<LoadedProgram, 'maps'>[], logs: Logs): void {
  const each = workers.map(workerRecovery)
  const end = lastLogged(each)
  if (each.every(({ logged }) => logged === end)) return
  const { bytes, unmap } = mapMemory(workers[0].maps.get(logsMap)!)
  try {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    const entries = BigInt(logs.entries)
    each.forEach(({ logged, last, stopped, detected }, w) => {
      if (logged === end) return
      const own = w * logStride(logs)
      const first = end - entries > logged ? end - entries : logged
      for (let k = first + 1n; k <= end; k++) {
        const at = own + log.entries + Number(k % entries) * entryBytes(logs.itemBytes)
        view.setBigUint64(at + entry.tag, (k << 2n) | BigInt(entryKind.lost), true)
      }
      view.setBigUint64(own + log.progress, end, true)
      const map = workers[w].maps.get(recoveryMap)!
      const columns = map.lookup(key)!
      const word = new DataView(columns.buffer, columns.byteOffset, columns.length)
      word.setBigUint64(columnAt('logged'), end, true)
      word.setBigUint64(columnAt('detected'), BigInt(detected) + end - logged, true)
      // A log that has wrapped over what its worker has not seen yet.
      if (stopped || end - last > entries) word.setBigUint64(columnAt('stopped'), 1n, true)
      map.update(key, columns)
    })
  } finally {
    unmap()
  }
}
