/** Frames that a worker in the kernel must not believe: they are dropped, counted by reason, and leave no trace. */

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { FrameCounter } from '../../src/backend/ebpf/frame.js'
import { mapNames, runtime } from '../../src/backend/ebpf/target.js'
import { openCapture } from '../../src/device/capture.js'
import { frameFigures, loadReplicated } from '../../src/engine/kernel/replicated.js'
import type { ReplicatedProgram } from '../../src/engine/kernel/replicated.js'
import { loadPackets } from '../../src/engine/packets.js'
import { Serial } from '../../src/engine/serial.js'
import { root } from '../../tools/sources.js'
import { bundledProgram } from '../programs.js'
import { withoutPrograms } from './machine.js'
import { assertState, runFrame, stateOf } from './replicas.js'
import { Sequencer } from './sequencer.js'

const skip = withoutPrograms
const seed = 1n
const workers = 3
const settings = new Map<string, bigint>()
const program = bundledProgram('token-bucket')
const { stateLayout, rulesLayout } = program.artifact
const packets = loadPackets((memory, workspace) =>
  openCapture(join(root, 'programs/demo/knocking.pcap'), { memory, workspace }),
)
const drop = 1
const key = new Uint8Array(new ArrayBuffer(4))
const outer = 14

let replicas: ReplicatedProgram | undefined
after(() => replicas?.close())

/** Fresh workers after some packets, with the next frame of worker 0, which is not handed over. */
function prepared() {
  replicas?.close()
  replicas = loadReplicated(program, { workers, seed, settings, outer: true })
  const { format } = replicas
  const sequencer = new Sequencer(program, { format, outer: true, settings, seed })
  const serial = new Serial(program.program, { stateLayout, rulesLayout, settings, seed })
  const packet = (k: number) => ({ ...packets.packet(k), sequence: BigInt(k + 1) })
  for (let k = 0; k < 30; k++) {
    const frame = sequencer.frame(packet(k))
    serial.process(packet(k))
    runFrame(replicas.workers[k % workers], frame)
  }
  const [worker] = replicas.workers
  return { worker, sequencer, serial, packet, format, next: sequencer.frame(packet(30)) }
}

const figuresOf = (worker: Parameters<typeof frameFigures>[0]): Record<string, number> =>
  Object.fromEntries(
    [...frameFigures(worker)].filter(([, n]) => n > 0n).map(([name, n]) => [name, Number(n)]),
  )

/** The frame is dropped for this reason, and what is right comes through afterwards. */
function refused(reason: FrameCounter, change: (frame: Uint8Array) => Uint8Array): void {
  const { worker, next, serial, packet } = prepared()
  const before = stateOf(worker, stateLayout)
  const wrong = change(next.slice())
  assert.equal(runFrame(worker, wrong).verdict, drop)
  assert.deepEqual(figuresOf(worker), { [reason]: 1 })
  assert.deepEqual(stateOf(worker, stateLayout), before, 'the state changed')
  const verdict = serial.process(packet(30))
  assert.equal(runFrame(worker, next).verdict, verdict)
  assertState(stateOf(worker, stateLayout), serial.memory, stateLayout, 'after the right frame')
}

const changed =
  (at: number, value: number) =>
  (frame: Uint8Array): Uint8Array => {
    frame[outer + at] = value
    return frame
  }

test('a frame that ends within its header, or less than an Ethernet header behind it', { skip }, () => {
  const { format } = prepared()
  const header = outer + 7 + 1 + 6 + format.slots * format.itemBytes
  for (const length of [14, 15, 20, header - 1, header, header + 13])
    refused('short', frame => frame.slice(0, length))
})

test('a frame of another protocol', { skip }, () => {
  refused('etherType', frame => {
    frame[12] = 8
    return frame
  })
})

test('another version, other properties, another number of slots', { skip }, () => {
  refused('version', changed(4, 0x21))
  refused('version', changed(4, 0x01))
  refused('shape', changed(4, 0x10))
  refused('shape', changed(4, 0x13))
  refused('shape', changed(5, 1))
  refused('shape', changed(5, 3))
  refused('shape', changed(5, 255))
})

test('an oldest slot that is not there', { skip }, () => {
  refused('index', changed(6, 2))
  refused('index', changed(6, 255))
})

test('a frame twice, or one from long ago', { skip }, () => {
  const { worker, next, serial, packet } = prepared()
  const verdict = serial.process(packet(30))
  assert.equal(runFrame(worker, next).verdict, verdict)
  assert.equal(runFrame(worker, next).verdict, drop)
  const old = next.slice()
  new DataView(old.buffer).setUint32(outer, 5)
  assert.equal(runFrame(worker, old).verdict, drop)
  assert.deepEqual(figuresOf(worker), { stale: 2 })
  assertState(stateOf(worker, stateLayout), serial.memory, stateLayout, 'after frames that are stale')
})

test('any bytes for a header: nothing but what a sequencer wrote gets a verdict', { skip }, () => {
  const { worker, next } = prepared()
  const before = stateOf(worker, stateLayout)
  let random = 1
  for (let k = 0; k < 2000; k++) {
    const frame = next.slice()
    for (let at = 12; at < outer + 7; at++) {
      random = (Math.imul(random, 1_664_525) + 1_013_904_223) >>> 0
      frame[at] = random >>> 24
    }
    assert.equal(runFrame(worker, frame).verdict, drop)
  }
  assert.deepEqual(stateOf(worker, stateLayout), before)
})

test(
  'after a gap there are no more verdicts, and the state stays that of the last packet before',
  { skip },
  () => {
    const { worker, sequencer, packet } = prepared()
    assertState(stateOf(worker, stateLayout), serialUpTo(28), stateLayout, 'before')
    // Frame 31 is lost; worker 0 has handled packet 28, and the items of frame 34 begin with packet 32.
    for (const k of [31, 32]) sequencer.frame(packet(k))
    const late = sequencer.frame(packet(33))
    assert.equal(runFrame(worker, late).verdict, drop)
    assert.deepEqual(figuresOf(worker), { gaps: 1, recovering: 1 })
    for (const k of [34, 35]) sequencer.frame(packet(k))
    assert.equal(runFrame(worker, sequencer.frame(packet(36))).verdict, drop)
    assert.equal(runFrame(worker, sequencer.flush()).verdict, drop)
    assert.deepEqual(figuresOf(worker), { gaps: 1, recovering: 3 })
    assertState(stateOf(worker, stateLayout), serialUpTo(28), stateLayout, 'after the gap')
  },
)

function serialUpTo(count: number) {
  const serial = new Serial(program.program, { stateLayout, rulesLayout, settings, seed })
  for (let k = 0; k < count; k++) serial.process({ ...packets.packet(k), sequence: BigInt(k + 1) })
  return serial.memory
}

test('numbers and times go on when their bits in the frame are used up', { skip }, () => {
  replicas?.close()
  replicas = loadReplicated(program, { workers, seed, settings })
  const [last, time] = [2n ** 32n - 20n, 2n ** 48n - 1_000_000n]
  const serial = new Serial(program.program, { stateLayout, rulesLayout, settings, seed })
  const sequencer = new Sequencer(program, { format: replicas.format, outer: false, settings, seed, last })
  for (const { maps } of replicas.workers) {
    const words = maps.get(mapNames.runtime)!.lookup(key)!
    const view = new DataView(words.buffer, words.byteOffset)
    view.setBigUint64(runtime.sequence, last, true)
    view.setBigUint64(runtime.timestamp, time, true)
    maps.get(mapNames.runtime)!.update(key, words)
  }
  for (let k = 0; k < 60; k++) {
    const before = packets.packet(k)
    const packet = { ...before, sequence: last + BigInt(k + 1), timestamp: time + BigInt(k) * 50_000n }
    const frame = sequencer.frame(packet)
    assert.equal(runFrame(replicas.workers[k % workers], frame).verdict, serial.process(packet))
  }
  for (const worker of replicas.workers) {
    runFrame(worker, sequencer.flush())
    assert.deepEqual(figuresOf(worker), { flushes: 1 })
    assertState(stateOf(worker, stateLayout), serial.memory, stateLayout, 'after the wrap')
  }
})
