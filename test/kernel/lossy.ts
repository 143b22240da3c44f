// Replicated workers in the kernel over a transport that loses frames, against the interpreter: every worker's state
// is the serial run's over the packets that survived, and verdicts are that run's or withheld.
//
// Frames of one worker come in order; which worker is next is drawn. Workers are loaded once and used for many cases.

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { openCapture } from '../../src/device/capture.js'
import { framesMap } from '../../src/backend/ebpf/frame.js'
import { logsMap, recoveryContents, recoveryMap } from '../../src/backend/ebpf/logs.js'
import { mapNames, runtime } from '../../src/backend/ebpf/target.js'
import { firstContents } from '../../src/engine/kernel/contents.js'
import { recoveryFigures, workerRecovery } from '../../src/engine/kernel/recovery.js'
import type { KernelRecovery } from '../../src/engine/kernel/recovery.js'
import { loadReplicated } from '../../src/engine/kernel/replicated.js'
import type { ReplicatedOptions, ReplicatedProgram } from '../../src/engine/kernel/replicated.js'
import type { LoadedProgram } from '../../src/engine/kernel/load.js'
import { loadPackets } from '../../src/engine/packets.js'
import { Serial } from '../../src/engine/serial.js'
import type { Loss } from '../../src/engine/transport.js'
import type { ReceivedPacket } from '../../src/ir/access.js'
import { mapMemory } from '../../src/sys/map-memory.js'
import type { MapMemory } from '../../src/sys/map-memory.js'
import type { Draw } from '../property/draw.js'
import type { Subject } from './agree.js'
import { assertState, runFrame, stateOf } from './replicas.js'
import { Sequencer } from './sequencer.js'
import { root } from '../../tools/sources.js'

export const entries = 1024

const store = loadPackets((memory, workspace) =>
  openCapture(join(root, 'programs/demo/knocking.pcap'), { memory, workspace }),
)
const captured = Array.from({ length: store.count }, (_, k) => store.packet(k)).filter(
  p => p.bytes.length >= 14 && p.bytes.length < 2500,
)

/** So many packets, the bundled capture again and again, with times that go on. */
export function packetsOf(count: number): LossyCase['packets'] {
  const long = captured[captured.length - 1].timestamp + 1_000_000n
  return Array.from({ length: count }, (_, k) => {
    const p = captured[k % captured.length]
    return { ...p, timestamp: p.timestamp + BigInt(Math.floor(k / captured.length)) * long }
  })
}

/** Says which of `count` queues, some of them empty, is served next. */
export type Turn = (waiting: readonly number[]) => number

export interface LossyCase {
  readonly packets: readonly Omit<ReceivedPacket, 'sequence'>[]
  readonly loss: Loss
  /** Number before the first packet's. */
  readonly last: bigint
  /** In which order workers get their frames: the queue that is served next, by how many frames each has left. */
  readonly turn: Turn
}

/** Any queue that is not empty. */
export const anyTurn =
  (draw: Draw): Turn =>
  waiting =>
    draw.pick(waiting.flatMap((n, w) => (n > 0 ? [w] : [])))

export interface Outcome extends KernelRecovery {
  readonly verdicts: number
}

type Options = Omit<ReplicatedOptions, 'settings' | 'recovery' | 'last'>

export class LossyWorkers {
  readonly #subject: Subject
  readonly #options: Options
  readonly #common
  readonly #replicas: ReplicatedProgram
  readonly #memory: ReadonlyMap<string, MapMemory>[]

  constructor(subject: Subject, options: Options) {
    const settings = subject.settings ?? new Map<string, bigint>()
    const { rules } = subject
    this.#subject = subject
    this.#options = options
    this.#common = { seed: options.seed, settings, ...(rules && { rules }) }
    this.#replicas = loadReplicated(subject, {
      logEntries: entries,
      ...options,
      ...this.#common,
      recovery: true,
    })
    this.#memory = this.#replicas.workers.map(
      ({ maps }) =>
        new Map(
          [...maps].flatMap(([name, map]) => (name === 'hairpin' ? [] : [[name, mapMemory(map)] as const])),
        ),
    )
  }

  get workers(): readonly LoadedProgram[] {
    return this.#replicas.workers
  }

  close(): void {
    for (const memory of this.#memory) for (const m of memory.values()) m.unmap()
    this.#replicas.close()
  }

  /** The end of a stream: nothing is parked afterwards, except where a worker gave up. */
  finish(): KernelRecovery {
    return this.#replicas.finish()
  }

  /** Everything as it was when it was loaded. */
  reset(last: bigint): void {
    const { artifact } = this.#subject
    const { workers, logEntries = entries } = this.#options
    const logs = { workers, entries: logEntries, itemBytes: this.#replicas.format.itemBytes }
    const first = firstContents(artifact, this.#common, 0n)
    this.#memory.forEach((memory, w) => {
      for (const [name, contents] of first) memory.get(name)?.bytes.set(contents)
      for (const name of [framesMap, mapNames.counters, logsMap]) memory.get(name)?.bytes.fill(0)
      memory.get(recoveryMap)!.bytes.set(recoveryContents(logs, w, last))
      const { bytes } = memory.get(mapNames.runtime)!
      new DataView(bytes.buffer, bytes.byteOffset).setBigUint64(runtime.sequence, last, true)
    })
  }

  /** Frames for all packets and the flush, and what the serial run over those that survive says. */
  prepare({ packets, loss, last }: Pick<LossyCase, 'packets' | 'loss' | 'last'>) {
    const { workers, outer = false } = this.#options
    const { format } = this.#replicas
    const sequencer = new Sequencer(this.#subject, { format, outer, ...this.#common, last })
    const frames = packets.map((p, k) => sequencer.frame({ ...p, sequence: last + BigInt(k) + 1n }))
    const flush = sequencer.flush()
    const delivered = packets.map((_, k) => !loss(last + BigInt(k) + 1n))
    const carried = (k: number): boolean =>
      k + format.slots >= packets.length || delivered.slice(k, k + format.slots + 1).includes(true)
    const survived = packets.map((_, k) => carried(k))
    const queues: number[][] = Array.from({ length: workers }, () => [])
    delivered.forEach((arrives, k) => arrives && queues[k % workers].push(k))
    for (const queue of queues) queue.push(packets.length)
    return { frames: [...frames, flush], survived, queues }
  }

  /** The serial run over what survived, up to a number; its verdicts. */
  serially({ packets, last }: LossyCase, survived: readonly boolean[], upTo: bigint) {
    const { stateLayout, rulesLayout } = this.#subject.artifact
    const serial = new Serial(this.#subject.program, { stateLayout, rulesLayout, ...this.#common })
    const verdicts = packets.map((p, k) => {
      const sequence = last + BigInt(k) + 1n
      if (!survived[k] || sequence > upTo) return undefined
      const packet = { ...p, bytes: p.bytes.slice(), sequence }
      return { verdict: serial.process(packet) & 0xff, bytes: packet.bytes }
    })
    return { verdicts, memory: serial.memory }
  }

  /** What workers have says about the serial run, with `where` in messages; fails if anything is wrong. */
  assertRight(which: LossyCase, survived: readonly boolean[], where: string): KernelRecovery {
    const { stateLayout } = this.#subject.artifact
    const end = which.last + BigInt(which.packets.length)
    const serial = this.serially(which, survived, end)
    this.workers.forEach((worker, w) => {
      const { last, logged, stopped, detected, recovered, lostEverywhere } = workerRecovery(worker)
      const message = `${where}: worker ${w}`
      assert.equal(logged, end, `${message}: its log`)
      if (stopped) {
        const behind = this.serially(which, survived, last)
        return assertState(stateOf(worker, stateLayout), behind.memory, stateLayout, message)
      }
      assert.equal(last, end, `${message}: the last number it has seen`)
      assert.equal(detected, recovered + lostEverywhere, `${message}: what it found missing`)
      assertState(stateOf(worker, stateLayout), serial.memory, stateLayout, message)
    })
    return recoveryFigures(this.workers)
  }

  /** One case from reset to the end; fails if anything is wrong. */
  run(which: LossyCase, where: string): Outcome {
    this.reset(which.last)
    const { frames, survived, queues } = this.prepare(which)
    const { verdicts } = this.serially(which, survived, which.last + BigInt(which.packets.length))
    const served = queues.map(() => 0)
    const waiting = (): number[] => queues.map((q, w) => q.length - served[w])
    let given = 0
    for (let left = waiting(); left.some(n => n > 0); left = waiting()) {
      const w = which.turn(left)
      const k = queues[w][served[w]++]
      const before = this.#withheld(w)
      const { verdict, bytes } = runFrame(this.workers[w], frames[k])
      if (k === which.packets.length || this.#withheld(w) > before) continue
      given++
      assert.equal(verdict, verdicts[k]!.verdict, `${where}: verdict of packet ${k}`)
      assert.deepEqual(Buffer.from(bytes), Buffer.from(verdicts[k]!.bytes), `${where}: bytes of packet ${k}`)
    }
    const { pending } = this.finish()
    assert.equal(pending, 0, where)
    const figures = this.assertRight(which, survived, where)
    const { recovering, unrecoverable, late } = figures.drops
    const arrived = queues.reduce((n, q) => n + q.length - 1, 0)
    assert.equal(given + recovering + unrecoverable + late, arrived, `${where}: packets`)
    return { ...figures, verdicts: given }
  }

  /** Packets that a worker has dropped because of what it does not know. */
  #withheld(w: number): number {
    const { recovering, unrecoverable, late } = workerRecovery(this.workers[w]).drops
    return recovering + unrecoverable + late
  }
}
