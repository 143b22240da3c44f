// A run of the eBPF program for a test, by the kernel's test-run; and its comparison with the WebAssembly program.

import type { Compiled } from '../../compile.js'
import { PacketStore } from '../../engine/packets.js'
import { Trial, runnable, timeRuns } from '../../engine/kernel/trial.js'
import type { LoadOptions } from '../../engine/kernel/load.js'
import { dissect, printFrame } from '../../wire/frame.js'
import { describeDifference, diffStates } from '../../state/diff.js'
import type { StateMemory } from '../../state/memory.js'
import { stateMemory } from '../../state/memory.js'
import { Failure } from '../command.js'
import { exit } from '../exit.js'
import type { OnPacket } from './wasm.js'

/** The packets of a capture that the kernel takes in a test run, and how many it does not. */
export interface Runnable {
  readonly packets: PacketStore
  /** Numbers of the packets in the capture. */
  readonly numbers: readonly number[]
  readonly skipped: { readonly short: number; readonly long: number }
}

export function runnableOf(store: PacketStore): Runnable {
  const packets = new PacketStore(store.name)
  const numbers: number[] = []
  const skipped = { short: 0, long: 0 }
  for (let k = 0; k < store.count; k++) {
    const { bytes, originalLength, timestamp, device } = store.packet(k)
    if (bytes.length < runnable.least) skipped.short++
    else if (bytes.length > runnable.most) skipped.long++
    else {
      packets.add(bytes, originalLength, timestamp, device)
      numbers.push(k)
    }
  }
  return { packets, numbers, skipped }
}

/** What a run in the kernel leaves behind. */
export interface KernelEnd {
  readonly state: Uint8Array
  readonly counters: ReadonlyMap<string, bigint>
}

/** Runs every packet; `onPacket` is told its number among these packets. */
export function runKernel(
  compiled: Compiled,
  options: LoadOptions,
  { packets }: Runnable,
  onPacket: OnPacket,
): KernelEnd {
  const trial = new Trial(compiled, options)
  try {
    for (let k = 0; k < packets.count; k++) {
      const { verdict, bytes } = trial.process(packets.packet(k))
      onPacket(k, verdict, bytes)
    }
    return { state: trial.state(), counters: trial.counters() }
  } finally {
    trial.close()
  }
}

/** Packets that are timed: so many, spread evenly over the capture. */
const timedPackets = 64

/** Nanoseconds of a run, for each round; see timeRuns. */
export function kernelTimes(
  compiled: Compiled,
  options: LoadOptions,
  { packets }: Runnable,
  rounds: number,
): number[] {
  if (packets.count === 0)
    throw new Failure('there is no packet that the kernel takes in a test run', exit.no)
  const step = Math.max(1, Math.floor(packets.count / timedPackets))
  const chosen: Uint8Array[] = []
  for (let k = 0; k < packets.count && chosen.length < timedPackets; k += step)
    chosen.push(packets.packet(k).bytes)
  return timeRuns(compiled, options, chosen, rounds)
}

/** Where the two programs part: the first packet, and what differs in state and counters. */
export interface Disagreement {
  /** Number in the input; null if only state or counters differ. */
  readonly packet: number | null
  readonly what: readonly string[]
}

/** Compares outcomes packet by packet: `remember` those of the one, then `compare` the other's. */
export class Agreement {
  readonly #verdicts: number[] = []
  readonly #bytes: Uint8Array[] = []
  readonly #numbers: readonly number[]
  first: Disagreement | undefined

  constructor(numbers: readonly number[]) {
    this.#numbers = numbers
  }

  remember(verdict: number, bytes: Uint8Array): void {
    this.#verdicts.push(verdict)
    this.#bytes.push(bytes.slice())
  }

  compare(index: number, verdict: number, bytes: Uint8Array): void {
    if (this.first) return
    const what: string[] = []
    if (verdict !== this.#verdicts[index])
      what.push(`verdict: WebAssembly ${verdictText(this.#verdicts[index])}, kernel ${verdictText(verdict)}`)
    const before = this.#bytes[index]
    if (Buffer.compare(before, bytes) !== 0)
      what.push(
        ...['WebAssembly', 'kernel'].flatMap((who, k) =>
          printFrame(dissect(k === 0 ? before : bytes)).map(line => `${who}: ${line}`),
        ),
      )
    if (what.length > 0) this.first = { packet: this.#numbers[index], what }
  }

  /** State and counters at the end; a packet that differs explains them, and comes first. */
  finish(
    { artifact }: Compiled,
    wasm: {
      readonly memory: StateMemory
      readonly base: number
      readonly counters: Readonly<Record<string, bigint>>
    },
    kernel: KernelEnd,
  ): Disagreement | undefined {
    if (this.first) return this.first
    const block = stateMemory(new ArrayBuffer(kernel.state.length))
    block.bytes.set(kernel.state)
    const { differences } = diffStates(wasm, { memory: block, base: 0 }, artifact.stateLayout)
    const counters = [...kernel.counters].filter(([name, n]) => wasm.counters[name] !== n)
    const what = [
      ...differences.map(d => describeDifference(d, 'WebAssembly', 'kernel')),
      ...counters.map(([name, n]) => `counter ${name}: WebAssembly ${wasm.counters[name]}, kernel ${n}`),
    ]
    return (this.first = what.length > 0 ? { packet: null, what } : undefined)
  }
}

const names = ['aborted', 'drop', 'pass', 'transmit', 'redirect']

const verdictText = (verdict: number): string => {
  const name = names[verdict & 0xff] ?? `number ${verdict & 0xff}`
  return name === 'redirect' ? `redirect to device ${verdict >>> 8}` : name
}
