/**
 * Instructions of bytecode that a packet, or an item of its history, takes on the usual way: one flow, whose entry is
 * there. Counted by executing the code (interpreter.ts): the same on every machine, under any load. Figures are in
 * docs/decisions/0278.
 */

import { ringEntriesFor } from '../../src/backend/ebpf/ring.js'
import { sequencerMap } from '../../src/backend/ebpf/sequencer-map.js'
import { mapNames, runtime, runtimeBytes } from '../../src/backend/ebpf/target.js'
import type { Compiled } from '../../src/compile.js'
import { firstContents } from '../../src/engine/kernel/contents.js'
import { bytecodeOf } from '../../src/engine/kernel/load.js'
import { frameFormat, replicaCode } from '../../src/engine/kernel/replicated.js'
import { creditOf, firstKept, sequencerCode } from '../../src/engine/kernel/sequencer.js'
import type { LiveHistory } from '../../src/engine/live/plan.js'
import { clearBlock } from '../../src/state/block.js'
import { stateMemory } from '../../src/state/memory.js'
import { framesOf, itemsOf } from './frames.js'
import { Interpreter } from './interpreter.js'
import type { Reference } from './interpreter.js'
import { compileObject } from './native.js'
import { nativeFrames } from './native-worker.js'
import type { BuildKind } from './native.js'
import { readObject } from './object.js'
import type { PacketSet } from './packets.js'

const seed = 1n

/** Where executed instructions stand. */
export interface Executed {
  readonly bytes: Uint8Array
  readonly references: readonly Reference[]
  readonly trace: readonly number[]
}

/** The packets that make the state of the flow that is measured first. */
function ofOneFlow({ before, measured }: PacketSet): { before: Uint8Array[]; packet: Uint8Array } {
  const client = (b: Uint8Array): number[] => {
    const view = new DataView(b.buffer, b.byteOffset)
    return [view.getUint32(26), view.getUint32(30)].toSorted((x, y) => x - y)
  }
  const [packet] = measured
  const key = client(packet).join()
  return { before: before.filter(b => client(b).join() === key), packet }
}

/** What `attach` would load, on one packet. */
export function executedByOurs(compiled: Compiled, packets: PacketSet): Executed {
  const { artifact } = compiled
  const { encoded, maps } = bytecodeOf(compiled, 0, { cpus: 1, form: { cpu: 'v3', loops: 'may_goto' } })
  const values = new Map(maps.map(m => [m.name, new Uint8Array(m.valueSize)]))
  for (const [name, contents] of firstContents(artifact, { settings: packets.settings, seed }, 0n))
    values.get(name)?.set(contents)
  const references = encoded.maps
  const machine = new Interpreter(encoded.bytes, references, values)
  return { bytes: encoded.bytes, references, trace: last(machine, packets) }
}

/** What clang makes of the C over the same table, on the same packet. */
export function executedByNative(name: string, compiled: Compiled, packets: PacketSet): Executed {
  const native = nativeOf(name, 'plain', compiled, packets)
  return { ...native, trace: last(native.machine, packets) }
}

/** What clang makes of C that follows so many items of a history, of the same flow, with no frame around them. */
export function executedByNativeItems(
  name: string,
  compiled: Compiled,
  packets: PacketSet,
  slots: number,
): Executed {
  const before = nativeOf(name, 'plain', compiled, packets)
  last(before.machine, packets)
  const native = nativeOf(name, 'history', compiled, packets)
  native.variable('table').set(before.variable('table'))
  const { packet } = ofOneFlow(packets)
  const [{ bytes }] = itemsOf(compiled, { ...packets, measured: [packet] })
  // Right behind the packets that made the state: nothing has timed out.
  new DataView(bytes.buffer).setUint32(0, Number(before.machine.time / 1_000_000n), true)
  // The compiler loads no number that is not aligned in one step: items of C are padded.
  const stride = 4 * Math.ceil(bytes.length / 4)
  const many = new Uint8Array(slots * stride)
  for (let k = 0; k < slots; k++) many.set(bytes, k * stride)
  const words = native.variable('slots')
  new DataView(words.buffer, words.byteOffset).setBigUint64(0, BigInt(slots), true)
  return { ...native, trace: native.machine.run(many).trace }
}

/** What clang makes of a worker in C, on a frame whose packet and so many items are of one flow. */
export function executedByNativeWorker(
  name: string,
  compiled: Compiled,
  packets: PacketSet,
  slots: number,
): Executed {
  const native = nativeOf(name, 'history', compiled, packets)
  const { before, packet } = ofOneFlow(packets)
  const run = (measured: readonly Uint8Array[], items: number): readonly number[] => {
    const { frames } = nativeFrames({ ...packets, measured }, items, items > 0)
    return frames.map(f => native.machine.run(f).trace)[frames.length - 1]
  }
  run(before, 0)
  const words = native.variable('slots')
  new DataView(words.buffer, words.byteOffset).setBigUint64(0, BigInt(slots), true)
  return { ...native, trace: run([packet], slots) }
}

/** The C over the same table, ready to run. */
function nativeOf(name: string, build: BuildKind, compiled: Compiled, packets: PacketSet) {
  const { artifact } = compiled
  const object = readObject(compileObject(name, 'cuckoo', build))
  const values = new Map(object.sections.map(s => [s.name, Uint8Array.from(s.bytes)]))
  for (const m of object.maps) values.set(m.name, new Uint8Array(m.valueSize * m.maxEntries))
  const variable = (which: string): Uint8Array => {
    const { section, offset, size } = object.variables.get(which)!
    return values.get(section)!.subarray(offset, offset + size)
  }
  const settings = variable('settings')
  artifact.settings.forEach((s, k) => {
    const value = BigInt.asUintN(64, packets.settings.get(s.name) ?? s.default)
    new DataView(settings.buffer, settings.byteOffset).setBigUint64(8 * k, value, true)
  })
  const block = stateMemory(new ArrayBuffer(artifact.stateLayout.size))
  clearBlock(block, 0, artifact.stateLayout, seed)
  const [layout] = artifact.stateLayout.objects
  variable('table').set(block.bytes.subarray(layout.offset, layout.offset + layout.size))
  const machine = new Interpreter(object.instructions, object.references, values)
  return { bytes: object.instructions, references: object.references, machine, variable }
}

function last(machine: Interpreter, packets: PacketSet): readonly number[] {
  const { before, packet } = ofOneFlow(packets)
  for (const bytes of [...before, packet]) {
    machine.time += 1_000_000n
    machine.run(bytes)
  }
  return machine.run(packet).trace
}

/** One of n workers, on a frame whose packet and items are of one flow. */
export function executedByWorker(compiled: Compiled, packets: PacketSet, workers: number): Executed {
  const { artifact } = compiled
  const { settings } = packets
  const made = replicaCode(compiled, {
    workers: 1,
    slots: workers - 1,
    settings,
    seed,
    form: { cpu: 'v3', loops: 'may_goto' },
  })
  const values = new Map(made.maps.map(m => [m.name, new Uint8Array(m.valueSize)]))
  for (const [name, contents] of firstContents(artifact, { settings, seed }, 0n))
    values.get(name)?.set(contents)
  for (const [name, contents] of made.contents) values.get(name)!.set(contents)
  const { encoded, format } = made
  const machine = new Interpreter(encoded.bytes, encoded.maps, values)
  const { before, packet } = ofOneFlow(packets)
  const one: PacketSet = { settings, before, measured: [packet] }
  const nothing = before.map(() => ({ effect: false, bytes: new Uint8Array(format.itemBytes) }))
  const first = framesOf({ ...one, measured: before }, nothing, format, false, 1)
  before.forEach((_, k) => machine.run(numbered(first.frames[k % first.frames.length], k + 1)))
  const { frames } = framesOf(one, itemsOf(compiled, one), format, true)
  const words = values.get(mapNames.runtime)!
  const sequence = new DataView(words.buffer, words.byteOffset)
  let trace: readonly number[] = []
  for (let k = 0; k < 2; k++) {
    sequence.setBigUint64(runtime.sequence, 0n, true)
    trace = machine.run(numbered(frames[0], workers)).trace
  }
  return { bytes: encoded.bytes, references: encoded.maps, trace }
}

function numbered(frame: Uint8Array, sequence: number): Uint8Array {
  const copy = Uint8Array.from(frame)
  new DataView(copy.buffer).setUint32(0, sequence)
  return copy
}

/**
 * The sequencer of a live run before so many workers, the history in front of packets or in memory: instructions of a
 * round of turns in which one packet comes again and again, the most that one took. All workers keep up.
 */
export function executedBySequencer(
  compiled: Compiled,
  packet: Uint8Array,
  workers: number,
  history: LiveHistory,
): number {
  const { artifact, kernel } = compiled
  const format = frameFormat(artifact, history === 'value' ? workers - 1 : 0)
  if (!format || !kernel.slice) throw new Error(`${artifact.name} cannot be replicated`)
  const subject = { ...compiled, batch: { slice: kernel.slice } }
  const queueSize = 2048
  const credit = creditOf(workers, queueSize)
  const ring = history === 'value' ? {} : { ring: ringEntriesFor(workers, credit) }
  const plan = { form: { cpu: 'v3', loops: 'may_goto' }, queueSize, queue: 0, layers: 1 } as const
  const { encoded, maps, last } = sequencerCode(subject, { format, outer: false, workers, ...ring }, plan)
  // Those of workers are there already, and their declarations do not say how long they are.
  const values = new Map(maps.map(m => [m.name, new Uint8Array(Math.max(m.valueSize, runtimeBytes))]))
  for (const [name, contents] of firstContents(artifact, { settings: new Map(), seed }, 0n))
    values.get(name)?.set(contents)
  const words = values.get(mapNames.runtime)!
  new DataView(words.buffer).setBigUint64(runtime.sequence, last, true)
  const spray = Array.from({ length: workers }, (_, cpu) => ({ cpu, layer: 0 }))
  values.get(sequencerMap)!.set(firstKept({ spray }, credit))
  const machine = new Interpreter(encoded.bytes, encoded.maps, values)
  let most = 0
  for (let n = 1; n <= 3 * workers; n++) {
    machine.time += 1_000n
    const { result, trace } = machine.run(packet)
    if (result !== 4) throw new Error(`the sequencer of ${artifact.name} answers ${result}`)
    if (n > 2 * workers) most = Math.max(most, trace.length)
  }
  return most
}
