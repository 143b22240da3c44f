// A live run behind a sequencer that is somewhere else, in a switch, a NIC or another Linux box (wire-run.ts): frames with
// history come by the interface, sprayed over its receive queues, and each queue has a worker.
//
// A small program looks which queue a packet came by, and goes on in that queue's worker (a tail call). The kernel runs a
// queue on one CPU at a time, so a worker too. Queues without a worker are counted and their packets dropped.

import { setTimeout } from 'node:timers/promises'
import {
  alu64,
  call,
  exit,
  ldMap,
  ldMapValue,
  ldx,
  mov64,
  r0,
  r1,
  r2,
  r3,
  r6,
  stx,
} from '../../backend/ebpf/asm.js'
import { encode, link } from '../../backend/ebpf/encode.js'
import { mapNames, runtime } from '../../backend/ebpf/target.js'
import type { XdpMode } from '../../sys/link.js'
import { bindMap } from '../../sys/bind.js'
import { createMap, mapFlags } from '../../sys/map.js'
import { loadProgram } from '../../sys/program.js'
import type { BpfProgram } from '../../sys/program.js'
import type { Attachment } from '../../sys/xdp.js'
import { historyLayout, outerBytes } from '../../wire/history.js'
import type { Artifact } from '../artifact.js'
import { idsOf, writeDescription } from '../kernel/description.js'
import type { Description } from '../kernel/description.js'
import type { LoadOptions } from '../kernel/load.js'
import { loadReplicated, logEntriesFor } from '../kernel/replicated.js'
import type { Replicable, ReplicatedProgram } from '../kernel/replicated.js'
import type { LiveFigures, LiveRun } from './figures.js'
import { Clocks } from './clocks.js'
import { Held } from './held.js'
import { Places } from './places.js'
import { figuresOfWorkers, MappedMaps, stateOf } from './workers.js'

export interface QueueRunOptions extends Pick<LoadOptions, 'settings' | 'rules' | 'seed'> {
  readonly interfaces: readonly string[]
  /** Receive queues from 0 on, and workers of them. */
  readonly workers: number
  /** Items in each frame, which is the sequencer's affair; one less than workers if left out. */
  readonly slots?: number
  readonly mode: XdpMode
  /** Recovery from frames that are lost on the wire (docs/recovery.md). */
  readonly recovery?: boolean
}

const otherQueue = 'other'
/** Frames that a receive queue is taken to hold, so far workers may be apart. */
const queueSize = 1024

export class SequencedRun implements LiveRun {
  readonly #artifact: Artifact
  readonly #replicas: ReplicatedProgram
  readonly #recovers: boolean
  readonly #memory: readonly MappedMaps[]
  readonly #other: MappedMaps
  readonly #places: Places
  readonly #clocks: Clocks
  readonly #held = new Held()
  readonly #start = process.hrtime.bigint()

  /** Loads and attaches. Throws what loading and attaching throw. */
  constructor(subject: Replicable, options: QueueRunOptions) {
    const { keep } = this.#held
    this.#artifact = subject.artifact
    this.#recovers = options.recovery ?? false
    try {
      const logEntries = logEntriesFor(options.workers, queueSize)
      this.#replicas = keep(loadReplicated(subject, { ...options, logEntries, outer: true, isPart: true }))
      const { workers } = this.#replicas
      const { program, other } = loadDispatcher(
        workers.map(w => w.program),
        keep,
      )
      // It is what stands on the interfaces: it says what is behind it.
      const described = keep(writeDescription(descriptionOf(this.#replicas)))
      bindMap(program, described)
      this.#memory = workers.map(w => keep(new MappedMaps(w.maps)))
      this.#other = other
      const views = this.#memory.map(maps => maps.view(mapNames.runtime))
      this.#clocks = new Clocks(views, runtime.timestamp, process.hrtime.bigint())
      this.#places = keep(new Places(program, options.interfaces, options.mode))
    } catch (error) {
      this.close()
      throw error
    }
  }

  get attachments(): readonly Attachment[] {
    return this.#places.attachments
  }

  figures(): LiveFigures {
    const queues = [...this.#memory.keys()]
    const together = figuresOfWorkers(this.#memory, queues, this.#artifact)
    const other = this.#other.view(otherQueue).getBigUint64(0, true)
    return {
      ...together,
      sequenced: together.workers.reduce((last, w) => (w.last! > last ? w.last! : last), 0n),
      start: this.#start,
      drivers: this.#places.counted(),
      sequencerDrops: new Map([['otherQueue', other]]),
      sprayed: [],
      frames: true,
    }
  }

  tend(): void {
    this.#clocks.look(process.hrtime.bigint())
  }

  state(worker: number): Uint8Array {
    return stateOf(this.#memory[worker], this.#artifact)
  }

  detach(): void {
    this.#places.detach()
  }

  async settle(): Promise<boolean> {
    await setTimeout(5)
    if (this.#recovers) this.#replicas.finish()
    return true
  }

  close(): void {
    this.#held.close()
  }
}

/** Of all workers together, for whoever looks. */
function descriptionOf({ workers, format }: ReplicatedProgram): Description {
  const headerBytes = outerBytes + historyLayout(format).packet
  return { ...workers[0].description, workers: workers.map(w => idsOf(w.maps)), headerBytes }
}

/** Goes on in the program of the queue that a packet came by. */
function loadDispatcher(
  workers: readonly BpfProgram[],
  keep: <T extends { close(): void }>(object: T) => T,
): { program: BpfProgram; other: MappedMaps } {
  const programs = keep(
    createMap({ type: 'prog_array', name: 'queues', keySize: 4, valueSize: 4, maxEntries: workers.length }),
  )
  const other = keep(
    createMap({
      type: 'array',
      name: otherQueue,
      keySize: 4,
      valueSize: 8,
      maxEntries: 1,
      flags: mapFlags.MMAPABLE,
    }),
  )
  const code = [
    mov64.reg(r6, r1),
    ldMap(r2, 'queues'),
    ldx.w(r3, r6, 16),
    call('tail_call'),
    ldMapValue(r1, otherQueue),
    ldx.dw(r2, r1, 0),
    alu64.add.imm(r2, 1),
    stx.dw(r1, 0, r2),
    mov64.imm(r0, 1),
    exit(),
  ]
  const descriptors = new Map([
    ['queues', programs.fd],
    [otherQueue, other.fd],
  ])
  const instructions = link(encode(code), descriptors)
  const program = keep(
    loadProgram({
      type: 'xdp',
      name: 'hairpin_queues',
      instructions,
      licence: 'Apache-2.0',
      attachType: 'xdp',
    }),
  )
  const word = (n: number): Uint8Array<ArrayBuffer> => new Uint8Array(new Uint32Array([n]).buffer)
  workers.forEach((w, queue) => programs.update(word(queue), word(w.fd)))
  return { program, other: keep(new MappedMaps(new Map([[otherQueue, other]]))) }
}
