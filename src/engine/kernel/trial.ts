// A program in the kernel that is on no device: it runs on packets that are given to it (BPF_PROG_TEST_RUN), with their
// own times, and its state is there to be compared.
//
// The kernel takes a packet from 14 bytes to what is left of a page, because that is where it puts it; `runnable` says
// which. Read load.ts first.

import { counterStride, mapNames, runtime } from '../../backend/ebpf/target.js'
import type { ReceivedPacket } from '../../ir/access.js'
import { exit, instructionBytes, moveImmediate } from '../../sys/instruction.js'
import { mapFlags } from '../../sys/map.js'
import { mapMemory } from '../../sys/map-memory.js'
import type { MapMemory } from '../../sys/map-memory.js'
import { loadProgram } from '../../sys/program.js'
import { testRun } from '../../sys/test-run.js'
import { load } from './load.js'
import type { Loadable, LoadedProgram, LoadOptions } from './load.js'
import { plainVerdict } from './tables.js'

/** Shortest and longest packet of a test run: an Ethernet header; a page less headroom and the kernel's own data. */
export const runnable = { least: 14, most: 4096 - 256 - 320 } as const

export class Trial {
  readonly #loaded: LoadedProgram
  readonly #subject: Loadable
  readonly #memory = new Map<string, MapMemory>()

  /** Throws what `load` throws. */
  constructor(subject: Loadable, options: Omit<LoadOptions, 'inputs'>) {
    this.#subject = subject
    this.#loaded = load(subject, { ...options, inputs: 'memory' })
    for (const [name, map] of this.#loaded.maps)
      if (map.flags & mapFlags.MMAPABLE) this.#memory.set(name, mapMemory(map))
  }

  /** Runs it on a packet: the verdict, with the device of a redirect above its lowest byte, and the bytes afterwards. */
  process(packet: ReceivedPacket): { readonly verdict: number; readonly bytes: Uint8Array } {
    const view = this.#view(mapNames.runtime)
    view.setBigUint64(runtime.timestamp, packet.timestamp, true)
    view.setBigUint64(runtime.sequence, packet.sequence - 1n, true)
    view.setUint32(runtime.originalLength, packet.originalLength, true)
    view.setUint32(runtime.device, packet.device, true)
    const { verdict, data } = testRun(this.#loaded.program, { data: Uint8Array.from(packet.bytes) })
    return { verdict: plainVerdict(verdict, this.#subject.artifact.rules, this.#loaded.maps), bytes: data }
  }

  /** A copy of the state block. */
  state(): Uint8Array {
    const { objects, size } = this.#subject.artifact.stateLayout
    const block = new Uint8Array(size)
    for (const o of objects) block.set(this.#memory.get(o.name)!.bytes.subarray(0, o.size), o.offset)
    return block
  }

  /** The program's counters, over all CPUs. */
  counters(): Map<string, bigint> {
    const names = this.#subject.artifact.counters.map(c => c.name)
    if (names.length === 0) return new Map()
    const view = this.#view(mapNames.counters)
    const stride = counterStride(names.length)
    const cpus = Math.floor(view.byteLength / stride)
    const sum = (k: number): bigint =>
      Array.from({ length: cpus }, (_, cpu) => view.getBigUint64(cpu * stride + 8 * k, true)).reduce(
        (a, b) => a + b,
        0n,
      )
    return new Map(names.map((name, k) => [name, sum(k)]))
  }

  close(): void {
    for (const memory of this.#memory.values()) memory.unmap()
    this.#loaded.close()
  }

  #view(map: string): DataView {
    const { bytes } = this.#memory.get(map)!
    return new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  }
}

/** Runs of one packet in a row, which the kernel times together. */
const runsEach = 1000

/**
 * Nanoseconds of a run, one figure for each round: the mean over these packets, each run 1,000 times in a row, less that
 * of an empty program. The program is as it would be attached, and its state is hot.
 */
export function timeRuns(
  subject: Loadable,
  options: Omit<LoadOptions, 'inputs'>,
  packets: readonly Uint8Array[],
  rounds: number,
): number[] {
  const loaded = load(subject, options)
  const empty = loadProgram({
    type: 'xdp',
    name: 'empty',
    instructions: instructionBytes([moveImmediate(0, 1), exit]),
    licence: 'GPL',
  })
  const mean = (program: typeof empty): number =>
    packets.reduce((sum, bytes) => {
      const data = Uint8Array.from(bytes)
      return sum + testRun(program, { data, repeat: runsEach }).duration
    }, 0) / packets.length
  try {
    return Array.from({ length: rounds }, () => mean(loaded.program) - mean(empty))
  } finally {
    empty.close()
    loaded.close()
  }
}
