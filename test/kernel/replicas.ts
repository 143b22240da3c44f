// Workers of the replicated strategy in the kernel against the interpreter: frames of a sequencer go to them in turns,
// and verdicts, packets, counters and the state of every replica are the serial run's.

import assert from 'node:assert/strict'
import { counterStride, mapNames } from '../../src/backend/ebpf/target.js'
import { frameFigures, loadReplicated } from '../../src/engine/kernel/replicated.js'
import type { ReplicatedOptions } from '../../src/engine/kernel/replicated.js'
import type { LoadedProgram } from '../../src/engine/kernel/load.js'
import type { PacketStore } from '../../src/engine/packets.js'
import { Serial } from '../../src/engine/serial.js'
import { describeDifference, diffStates } from '../../src/state/diff.js'
import type { StateLayout } from '../../src/state/layout.js'
import { stateMemory } from '../../src/state/memory.js'
import type { StateMemory } from '../../src/state/memory.js'
import { programInfo } from '../../src/sys/info.js'
import { testRun } from '../../src/sys/test-run.js'
import type { Sizes, Subject } from './agree.js'
import { Sequencer } from './sequencer.js'

/** A test run gives a frame one page, less what the kernel needs. */
const longestFrame = 3400
const redirected = 4

/** Verdict, packet and counts of one frame, by test run. */
export function runFrame(worker: LoadedProgram, frame: Uint8Array): { verdict: number; bytes: Uint8Array } {
  const { verdict, data } = testRun(worker.program, { data: Uint8Array.from(frame) })
  return { verdict, bytes: data }
}

/** Sizes are those of one worker. */
export interface Agreement extends Sizes {
  /** Packets that went through. */
  readonly packets: number
}

/** Runs the packets through interpreter and workers side by side. */
export function replicasAgree(
  subject: Subject,
  store: PacketStore,
  options: Omit<ReplicatedOptions, 'settings'>,
): Agreement {
  const { stateLayout, rulesLayout, counters } = subject.artifact
  const settings = subject.settings ?? new Map<string, bigint>()
  const { rules } = subject
  const { seed, workers: count, outer = false } = options
  const common = { seed, settings, ...(rules && { rules }) }
  const serial = new Serial(subject.program, { stateLayout, rulesLayout, ...common })
  const { workers, format, close } = loadReplicated(subject, { ...options, ...common })
  try {
    const sequencer = new Sequencer(subject, { format, outer, ...common })
    let packets = 0
    for (let k = 0; k < store.count; k++) {
      const packet = { ...store.packet(k), sequence: BigInt(packets + 1) }
      if (packet.bytes.length < 14 || packet.bytes.length > longestFrame - 14 - 63 * format.itemBytes)
        continue
      packets++
      const frame = sequencer.frame(packet)
      const verdict = serial.process(packet)
      const found = runFrame(workers[(packets - 1) % count], frame)
      assert.equal(found.verdict, verdict & 0xff, `verdict of packet ${packets}`)
      assert.deepEqual(Buffer.from(found.bytes), Buffer.from(packet.bytes), `bytes of packet ${packets}`)
      assert.ok(found.verdict <= redirected)
    }
    for (const worker of workers) runFrame(worker, sequencer.flush())
    workers.forEach((worker, w) => {
      const figures = frameFigures(worker)
      assert.deepEqual(
        [...figures].filter(([name, n]) => n !== 0n && name !== 'flushes'),
        [],
        `worker ${w}`,
      )
      assertState(stateOf(worker, stateLayout), serial.memory, stateLayout, `worker ${w} of ${count}`)
    })
    const summed = new Map(
      counters.map(({ name }, k) => [
        name,
        workers.reduce((n, w) => n + counterOf(w, k, counters.length), 0n),
      ]),
    )
    const nonZero = (m: ReadonlyMap<string, bigint>): unknown => new Map([...m].filter(([, n]) => n !== 0n))
    assert.deepEqual(nonZero(summed), nonZero(serial.counters))
    const { verifiedInstructions: verified, jitedBytes: jited } = programInfo(workers[0].program)
    return { verified, jited, packets }
  } finally {
    close()
  }
}

const key = new Uint8Array(new ArrayBuffer(4))

function counterOf({ maps }: LoadedProgram, k: number, counters: number): bigint {
  const value = maps.get(mapNames.counters)!.lookup(key)!
  assert.equal(value.length, counterStride(counters))
  return new DataView(value.buffer, value.byteOffset).getBigUint64(8 * k, true)
}

/** A copy of a worker's state block. */
export function stateOf({ maps }: LoadedProgram, { objects, size }: StateLayout): Uint8Array {
  const block = new Uint8Array(size)
  for (const o of objects) block.set(maps.get(o.name)!.lookup(key)!.subarray(0, o.size), o.offset)
  return block
}

export function assertState(
  state: Uint8Array,
  expected: StateMemory,
  layout: StateLayout,
  message: string,
): void {
  if (Buffer.compare(state, expected.bytes) === 0) return
  const copy = stateMemory(new ArrayBuffer(state.length))
  copy.bytes.set(state)
  const { differences } = diffStates({ memory: expected, base: 0 }, { memory: copy, base: 0 }, layout)
  assert.fail(
    `${message}: ${differences.map(d => describeDifference(d)).join('\n') || 'bytes of the state differ'}`,
  )
}
