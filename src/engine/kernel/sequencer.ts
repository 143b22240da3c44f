// The sequencer of a replicated program in the kernel: its bytecode, its maps, and the maps that it sprays through.
//
// It stands before workers that are loaded already, shares their rules and settings, and reads what each of them has
// handled. Two programs share its maps: the one packets go through, and the one that makes frames without a packet,
// which bring workers up to date when packets have ended. Nothing is attached here. Read replicated.ts first.

import { environment, present } from '../../backend/ebpf/maps.js'
import { frameShape } from '../../backend/ebpf/frame.js'
import { isRefusal } from '../../backend/ebpf/program.js'
import { recordDeclaration } from '../../backend/ebpf/recording.js'
import { ringBytes, ringMap } from '../../backend/ebpf/ring.js'
import { compileSequencer } from '../../backend/ebpf/sequencer.js'
import {
  kept,
  mostSequenced,
  progressMap,
  sequencerCounters,
  sequencerDeclaration,
  sequencerMap,
  sprayMap,
  workerEntry,
} from '../../backend/ebpf/sequencer-map.js'
import type { SequencerCounter, SequencerOptions } from '../../backend/ebpf/sequencer-map.js'
import { mapNames } from '../../backend/ebpf/target.js'
import { readsInput } from '../../ir/inputs.js'
import type { BpfMap } from '../../sys/map.js'
import type { LineEntry } from '../../sys/verifier-log.js'
import type { HistoryFormat } from '../../wire/history.js'
import { idsOf } from './description.js'
import { kernelForm } from './form.js'
import { install, linesOf, rulesBytesOf, stackExceeded } from './load.js'
import type { LoadedProgram } from './load.js'
import type { Replicable, ReplicatedOptions } from './replicated.js'

export interface SequencerPlan extends Omit<ReplicatedOptions, 'workers' | 'slots' | 'outer'> {
  /** Where workers run: CPU and map of each, in the order of their turns. */
  readonly spray: readonly { readonly cpu: number; readonly layer: number }[]
  /** The maps to spray through, by layer. */
  readonly maps: readonly BpfMap[]
  /** Frames that a worker's queue takes. */
  readonly queueSize: number
  readonly stamps?: SequencerOptions['clock']
  /** The run has begun: its time is in the runtime's map, and not that of the first packet. */
  readonly hasBegun?: boolean
  /** The receive queue it serves; any if left out. */
  readonly queue?: number
  /** Bytes of the ring that packets are recorded in (backend/ebpf/recording.ts), a power of two; none if left out. */
  readonly record?: number
  /** Hardware addresses of the outer Ethernet header: destination, source; 12 bytes. */
  readonly addresses?: Uint8Array
}

/** What a sequencer has to know of its workers. */
export interface Sequenced {
  readonly workers: readonly Pick<LoadedProgram, 'maps'>[]
  readonly format: HistoryFormat
  readonly outer: boolean
  /** Of history by reference: entries of the ring, which is among the workers' maps. */
  readonly ring?: number
}

export interface LoadedSequencer {
  /** What packets go through. */
  readonly packets: LoadedProgram
  /** Makes frames without a packet out of any frame, and sprays them. */
  readonly flush: LoadedProgram
  close(): void
}

/** Frames that may be under way to a worker besides those in its queue: the kernel enqueues by eights. */
const underWay = 16

/** How far behind the newest packet a worker may be: its queue's room in turns. */
export const creditOf = (workers: number, queueSize: number): number => workers * (queueSize - underWay)

/** Bytecode of a sequencer, and the maps it needs. */
export function sequencerCode(
  subject: Replicable,
  { format, outer, workers, ring: entries }: Omit<Sequenced, 'workers'> & { readonly workers: number },
  plan: Pick<
    SequencerPlan,
    'form' | 'rules' | 'queueSize' | 'stamps' | 'hasBegun' | 'queue' | 'attachType' | 'record'
  > & {
    readonly layers: number
    readonly flush?: boolean
  },
) {
  const { artifact, batch, kernel, program } = subject
  if (!batch.slice) throw new RangeError(`${artifact.name} cannot be replicated`)
  if (workers > mostSequenced) throw new RangeError(`a sequencer has ${mostSequenced} workers at most`)
  const form = plan.form ?? kernelForm()
  const { target, maps } = environment({
    objects: artifact.rulesLayout.objects,
    rulesBytes: rulesBytesOf(artifact, plan),
    settings: artifact.settings.map(s => s.name),
    counters: [],
    cpus: 1,
    inputs: 'frame',
    ...form,
  })
  const frame = frameShape(format, outer)
  const functions = [...kernel.callees, batch.slice.extract]
  const isWanted = (name: 'timestamp' | 'device' | 'originalLength'): boolean =>
    format[name] === true || plan.record !== undefined || functions.some(f => readsInput(f, name))
  const ring = entries === undefined ? undefined : { entries, itemBytes: format.itemBytes }
  const compiled = compileSequencer({ callees: kernel.callees, extract: batch.slice.extract }, target, {
    frame,
    workers,
    layers: plan.layers,
    credit: creditOf(workers, plan.queueSize),
    clock: plan.stamps ?? 'exact',
    ...(plan.hasBegun && { hasBegun: true }),
    timed: isWanted('timestamp'),
    placed: isWanted('device'),
    measured: isWanted('originalLength'),
    ...(plan.record !== undefined && { record: plan.record }),
    ...(plan.queue !== undefined && { queue: plan.queue }),
    ...(ring && { ring }),
    ...(plan.flush && { flush: true }),
  })
  if (isRefusal(compiled)) throw stackExceeded(artifact.name, compiled)
  const { encoded, code } = compiled
  return {
    functions: compiled.functions,
    encoded,
    lines: linesOf(code, program),
    maps: [
      ...maps,
      sequencerDeclaration(workers, frame),
      ...(plan.record === undefined || plan.flush ? [] : [recordDeclaration(plan.record)]),
      ...(ring ? [present(ringMap, ringBytes(ring))] : []),
      ...Array.from({ length: workers }, (_, w) => present(progressMap(w), 8)),
      ...Array.from({ length: plan.layers }, (_, layer) => present(sprayMap(layer), 8)),
    ],
    cpus: 0,
    last: 0n,
    ...(plan.attachType && { attachType: plan.attachType }),
    frame,
    form,
  }
}

/** Has the verifier look at both programs. Throws what loadProgram and createMap throw. */
export function loadSequencer(
  subject: Replicable,
  replicated: Sequenced,
  plan: SequencerPlan,
  onLines?: (lines: readonly LineEntry[]) => void,
): LoadedSequencer {
  const workers = replicated.workers.length
  const shape = { ...replicated, workers }
  const layers = plan.maps.length
  const known = new Map<string, BpfMap>()
  for (const name of [mapNames.rules, mapNames.settings, ringMap]) {
    const map = replicated.workers[0].maps.get(name)
    if (map) known.set(name, map)
  }
  replicated.workers.forEach((w, k) => known.set(progressMap(k), w.maps.get(mapNames.runtime)!))
  plan.maps.forEach((map, k) => known.set(sprayMap(k), map))
  const made = sequencerCode(subject, shape, { ...plan, layers })
  onLines?.(made.lines)
  const contents = new Map([[sequencerMap, firstKept(plan, creditOf(workers, plan.queueSize))]])
  const described = {
    headerBytes: made.frame.packet,
    workers: replicated.workers.map(w => idsOf(w.maps)),
  }
  const packets = install(
    subject,
    { ...plan, form: made.form },
    { ...made, contents, described, isPart: plan.attachType === 'xdp_cpumap' },
    known,
  )
  try {
    const flush = install(
      subject,
      { ...plan, form: made.form, inputs: 'memory' },
      { ...sequencerCode(subject, shape, { ...plan, layers, flush: true }), attachType: 'xdp' },
      packets.maps,
    )
    return {
      packets,
      flush,
      close() {
        flush.close()
        packets.close()
      },
    }
  } catch (error) {
    packets.close()
    throw error
  }
}

/** First contents of the sequencer's map: workers, and the room their queues have. */
export function firstKept(
  { spray, addresses }: Pick<SequencerPlan, 'spray' | 'addresses'>,
  credit: number,
): Uint8Array {
  const bytes = new Uint8Array(kept.workers + spray.length * workerEntry.stride)
  const view = new DataView(bytes.buffer)
  if (addresses) bytes.set(addresses, kept.outer)
  spray.forEach(({ cpu, layer }, w) => {
    const at = kept.workers + w * workerEntry.stride
    view.setBigUint64(at + workerEntry.limit, BigInt(credit), true)
    view.setUint32(at + workerEntry.cpu, cpu, true)
    view.setUint32(at + workerEntry.layer, layer, true)
  })
  return bytes
}

/** What a sequencer dropped, from the bytes of its map. */
export function sequencerDrops(bytes: Uint8Array): Map<SequencerCounter, bigint> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  return new Map(sequencerCounters.map((name, k) => [name, view.getBigUint64(kept.counters + 8 * k, true)]))
}
