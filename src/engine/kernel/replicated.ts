// Strategy `replicated` in the kernel: one program for each worker, whose packets carry the history it missed.
//
// Workers are alike, and each has maps of its own, so that state is reached without a helper and nothing is shared but
// what only user space writes: rules and settings. Frames come from a sequencer (docs/history-format.md); which worker
// a frame goes to is the sequencer's affair. A worker is run by one CPU at a time: attach it to a device with one
// receive queue, or make it the entry of a CPU map. Nothing is attached here. Read load.ts first.

import { maxSlots } from '../../backend/ebpf/frame.js'
import { logStride, logsMap, recoveryContents, recoveryMap } from '../../backend/ebpf/logs.js'
import type { Logs } from '../../backend/ebpf/logs.js'
import { environment } from '../../backend/ebpf/maps.js'
import { isRefusal } from '../../backend/ebpf/program.js'
import { compileReplica } from '../../backend/ebpf/replica.js'
import { ringMap } from '../../backend/ebpf/ring.js'
import { mapNames } from '../../backend/ebpf/target.js'
import type { BatchSource } from '../../backend/wasm/batch.js'
import { leastEntries } from '../../backend/wasm/log.js'
import { flag } from '../../backend/wasm/loops/value.js'
import { tableHeader } from '../../state/format.js'
import { Unsupported } from '../../sys/failure.js'
import type { BpfMap } from '../../sys/map.js'
import type { LineEntry } from '../../sys/verifier-log.js'
import type { HistoryFormat } from '../../wire/history.js'
import type { KernelArtifact } from '../artifact.js'
import { inFormThatFits, kernelForm } from './form.js'
import { finishRecovery, isParked, recoveryFigures } from './recovery.js'
import type { KernelRecovery } from './recovery.js'
import { install, linesOf, mostBytes, requireReach, rulesBytesOf, stackExceeded } from './load.js'
import type { LoadOptions, Loadable, LoadedProgram } from './load.js'
import { refuseMapped } from './mapped.js'

const defaultLogEntries = 8192

/**
 * Entries of logs that no worker falls out of because queues are full, a power of two. A worker that waits for one
 * whose queue is full is a queue behind, and may then be left behind by another.
 */
export const logEntriesFor = (workers: number, queueSize: number): number =>
  Math.max(defaultLogEntries, 2 ** Math.ceil(Math.log2(2 * workers * queueSize + leastEntries)))

export interface ReplicatedOptions extends Omit<LoadOptions, 'inputs'> {
  /** Workers that take turns. */
  readonly workers: number
  /** Where a worker runs: attached to a device, or as an entry of a CPU map, which transmits by redirecting. */
  readonly attachType?: 'xdp' | 'xdp_cpumap'
  /** Items in each frame: one less than there are workers, unless more shall help against loss; at most 63. */
  readonly slots?: number
  /**
   * History by reference: entries of a ring in memory that workers and sequencer have, a power of two (ringEntriesFor).
   * Frames then carry no items, and a lost one takes no history with it, so that there is nothing to recover.
   */
  readonly ring?: number
  /** Whether an outer Ethernet header stands before the history's: where a NIC is between sequencer and workers. */
  readonly outer?: boolean
  /**
   * Recovery from lost frames (docs/recovery.md): a worker that misses packets reads them in the others' logs. Without it,
   * which is right where nothing is lost on the way, there is no log and no such code, and a gap stops the worker.
   */
  readonly recovery?: boolean
  /** Entries of each worker's log, a power of two from 1,024 on; 8,192 if left out. */
  readonly logEntries?: number
  /** Number of the last packet before the first; 0 if left out. */
  readonly last?: bigint
  /** Rules and settings of workers that are there already, which these have too. */
  readonly shares?: ReadonlyMap<string, BpfMap>
}

/** A program that can be replicated. */
export interface Replicable extends Loadable {
  readonly batch: Pick<BatchSource, 'slice'>
}

export interface ReplicatedProgram {
  /** In the order of their turns: worker w takes the packets whose number is congruent to w modulo their count. */
  readonly workers: readonly LoadedProgram[]
  /** What frames must be like. */
  readonly format: HistoryFormat
  readonly outer: boolean
  /** Of history by reference: entries of the ring. */
  readonly ring?: number
  /**
   * With recovery, at the end of a stream: has workers go on with what is parked (recovery.ts, finishRecovery). No worker
   * may be running.
   */
  finish(): KernelRecovery
  close(): void
}

/** What a program's frames must be like; undefined if it cannot be replicated. */
export function frameFormat({ item }: KernelArtifact, slots: number): HistoryFormat | undefined {
  if (!item) return undefined
  const has = (bit: number): boolean => (item.versionAndFlags & bit) !== 0
  return {
    slots,
    itemBytes: item.itemBytes,
    timestamp: has(flag.timestamp),
    device: has(flag.device),
    originalLength: has(flag.originalLength),
  }
}

/** Whether programs reach all of such logs. */
export const logsFit = (logs: Logs): boolean => logs.workers * logStride(logs) < mostBytes

/** Bytecode of a worker, and the maps it needs. */
export function replicaCode(subject: Replicable, options: ReplicatedOptions) {
  const { artifact, batch, kernel, program } = subject
  const { workers, ring: entries, outer = false, attachType = 'xdp' } = options
  const slots = entries === undefined ? (options.slots ?? workers - 1) : 0
  const { recovery = false, logEntries = defaultLogEntries, last = 0n } = options
  const format = frameFormat(artifact, slots)
  if (!format || !batch.slice) throw new RangeError(`${artifact.name} cannot be replicated`)
  const ring = entries === undefined ? undefined : { entries, itemBytes: format.itemBytes }
  const least = ring ? 0 : workers - 1
  if (!Number.isInteger(workers) || workers < 1 || slots < least || slots > maxSlots)
    throw new RangeError(`${slots} slots for ${workers} workers: there must be ${least} to ${maxSlots}`)
  if (!Number.isInteger(Math.log2(logEntries)) || logEntries < leastEntries)
    throw new RangeError(
      `${logEntries} entries of a log: there must be ${leastEntries} or more, a power of two`,
    )
  const logs = recovery && !ring ? { workers, entries: logEntries, itemBytes: format.itemBytes } : undefined
  if (logs && !logsFit(logs))
    throw new RangeError(
      `${workers} logs of ${logEntries} entries are more than the kernel's verifier follows`,
    )
  requireReach(artifact)
  refuseMapped(artifact, 'strategy replicated, whose sequencer looks rules up')
  const form = options.form ?? kernelForm()
  if (form.loops === 'bounded' && recovery)
    throw new Unsupported(
      'recovering from lost frames',
      'Linux 6.9 (may_goto)',
      'an older kernel',
      'replicate without recovery, or in user space',
    )
  if (form.loops === 'bounded' && ring)
    throw new Unsupported(
      'reading a history in memory',
      'Linux 6.9 (may_goto)',
      'an older kernel',
      'fewer workers, whose history fits in front of packets',
    )
  const { target, maps } = environment({
    objects: [...artifact.stateLayout.objects, ...artifact.rulesLayout.objects],
    rulesBytes: rulesBytesOf(artifact, options),
    settings: artifact.settings.map(s => s.name),
    counters: artifact.counters.map(c => c.name),
    cpus: 1,
    inputs: 'frame',
    ...form,
  })
  const tables = new Set(artifact.stateLayout.objects.flatMap(o => (o.kind === 'table' ? [o.name] : [])))
  const constants: readonly number[] = [tableHeader.bucketCount, tableHeader.seed, tableHeader.capacity]
  const compiled = compileReplica(
    {
      callees: kernel.callees,
      main: kernel.main,
      advance: batch.slice.advance,
      extract: batch.slice.extract,
      isConstant: (object, offset) => tables.has(object) && constants.includes(offset),
    },
    target,
    { format, outer, transmits: attachType === 'xdp', ...(logs && { logs }), ...(ring && { ring }) },
  )
  if (isRefusal(compiled)) throw stackExceeded(artifact.name, compiled)
  return {
    functions: compiled.functions,
    encoded: compiled.encoded,
    lines: linesOf(compiled.code, program),
    maps: [...maps, ...compiled.maps],
    contents: compiled.contents,
    cpus: 1,
    last,
    ...(logs && { logs }),
    attachType,
    // An entry of a CPU map is one of several, which their sequencer describes.
    ...((attachType === 'xdp_cpumap' || options.isPart === true) && { isPart: true }),
    format,
    outer,
    form,
  }
}

/** Maps that only user space writes, the logs, and the history in memory: one for all workers. */
const shared: readonly string[] = [mapNames.rules, mapNames.settings, logsMap, ringMap]

/** Has the verifier look at every worker, with maps ready for frames. Throws what loadProgram and createMap throw. */
export const loadReplicated = (
  subject: Replicable,
  options: ReplicatedOptions,
  onLines?: (lines: readonly LineEntry[]) => void,
): ReplicatedProgram =>
  inFormThatFits(options.form ?? kernelForm(), (form, briefly) =>
    loadWorkers(subject, { ...options, form }, briefly, onLines),
  )

function loadWorkers(
  subject: Replicable,
  options: ReplicatedOptions,
  briefly: boolean,
  onLines?: (lines: readonly LineEntry[]) => void,
): ReplicatedProgram {
  const made = { ...replicaCode(subject, options), briefly }
  onLines?.(made.lines)
  const workers: LoadedProgram[] = []
  const close = (): void => {
    for (const worker of workers) worker.close()
  }
  try {
    while (workers.length < options.workers) {
      const known = [...(workers.at(0)?.maps ?? options.shares ?? [])].filter(([name]) =>
        shared.includes(name),
      )
      const own =
        made.logs && ([recoveryMap, recoveryContents(made.logs, workers.length, made.last)] as const)
      const contents = new Map([...made.contents, ...(own ? [own] : [])])
      workers.push(install(subject, { ...options, form: made.form }, { ...made, contents }, new Map(known)))
    }
  } catch (error) {
    close()
    throw error
  }
  const { format, outer } = made
  const finish = (): KernelRecovery => {
    const { logs } = made
    if (!logs || !isParked(workers)) return recoveryFigures(workers)
    const go = (programs: readonly LoadedProgram[]): KernelRecovery =>
      finishRecovery(
        workers,
        programs.map(p => p.program),
        logs,
        format,
        outer,
      )
    if (made.attachType === 'xdp') return go(workers)
    // The kernel does not test-run entries of a CPU map: the same code as a program for devices, on the same maps.
    const plain = replicaCode(subject, { ...options, attachType: 'xdp' })
    const twins: LoadedProgram[] = []
    try {
      for (const { maps } of workers)
        twins.push(install(subject, { ...options, form: made.form }, plain, maps))
      return go(twins)
    } finally {
      for (const twin of twins) twin.close()
    }
  }
  const { ring } = options
  return { workers, format, outer, ...(ring !== undefined && { ring }), finish, close }
}

export { frameFigures } from './frames.js'
