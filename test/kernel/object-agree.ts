// A program from an object file beside the interpreter: same verdicts, bytes and state.

import assert from 'node:assert/strict'
import type { ElfObject } from '../../src/backend/ebpf/elf.js'
import { verdictNames, verdictStride } from '../../src/backend/ebpf/entry.js'
import { openCapture } from '../../src/device/capture.js'
import { objectCpus, objectOf, objectSeed } from '../../src/engine/kernel/object.js'
import { loadPackets } from '../../src/engine/packets.js'
import type { PacketStore } from '../../src/engine/packets.js'
import { Serial } from '../../src/engine/serial.js'
import type { ReceivedPacket } from '../../src/ir/access.js'
import { readsInput } from '../../src/ir/inputs.js'
import { tableHeader } from '../../src/state/format.js'
import { mapInfo, openMap, programInfo } from '../../src/sys/info.js'
import type { BpfProgram } from '../../src/sys/program.js'
import { testRun } from '../../src/sys/test-run.js'
import type { Subject } from './agree.js'

/** What a test run gives a program as the device. */
const testDevice = 1
/** The kernel runs programs on no shorter packet. */
const shortest = 14

export const packetsOf = (capture: string): PacketStore =>
  loadPackets((memory, workspace) => openCapture(capture, { memory, workspace }))

/** Whether verdicts or state depend on when packets come, which the interpreter cannot know of a kernel. */
export const usesClock = ({ program }: Subject): boolean =>
  program.functions.some(f => readsInput(f, 'timestamp')) ||
  program.objects.some(o => o.kind === 'table' && o.expire !== undefined)

/** The object file of a subject, with its settings and rules. */
export const fileOf = (subject: Subject): Uint8Array<ArrayBuffer> =>
  objectOf(subject, {
    settings: subject.settings ?? new Map(),
    ...(subject.rules && { rules: subject.rules }),
  })

/** Gives the bytes of the map that a loader made of a section. */
export type SectionValue = (section: string) => Uint8Array

/** The maps of a program that libbpf loaded from a file of that name, without its ending. */
export function sectionsOf(program: BpfProgram, file: string): SectionValue {
  const found = new Map<string, Uint8Array>()
  for (const id of programInfo(program).mapIds) {
    const map = openMap(id)!
    assert.notEqual(mapInfo(map).btfId, 0, `${map.name} has types`)
    // libbpf names maps after the file: `program.bss`; those with a name of their own keep it.
    const section = map.name.startsWith(`${file}.`) ? map.name.slice(file.length) : map.name
    found.set(section, map.lookup(new Uint8Array(4))!)
    map.close()
  }
  return section => {
    const value = found.get(section)
    assert.ok(value, `a map for ${section}`)
    return value
  }
}

/** The packets that a program can get, and the interpreter's verdicts on them; it changes their bytes. */
export function expectation(subject: Subject, store: PacketStore, device: number) {
  const { settings, rules } = subject
  const { stateLayout, rulesLayout } = subject.artifact
  const serial = new Serial(subject.program, {
    stateLayout,
    rulesLayout,
    seed: objectSeed,
    ...(settings && { settings }),
    ...(rules && { rules }),
  })
  const packets = Array.from({ length: store.count }, (_, k) => store.packet(k)).filter(
    p => p.bytes.length >= shortest,
  )
  const verdict = (packet: ReceivedPacket, sequence: number): number =>
    serial.process({
      ...packet,
      sequence: BigInt(sequence),
      originalLength: packet.bytes.length,
      device,
    }) & 0xff
  return { packets, verdict, state: () => serial.memory.bytes }
}

/** Runs the packets through program and interpreter; the number of packets. */
export function agreeOn(
  subject: Subject,
  store: PacketStore,
  program: BpfProgram,
  object: ElfObject,
  value: () => SectionValue,
): number {
  const { packets, verdict, state } = expectation(subject, store, testDevice)
  packets.forEach((packet, k) => {
    const found = testRun(program, { data: Uint8Array.from(packet.bytes) })
    assert.equal(found.verdict, verdict(packet, k), `verdict of packet ${k}`)
    assert.deepEqual(Buffer.from(found.data), Buffer.from(packet.bytes), `bytes of packet ${k}`)
  })
  sameState(subject, object, value(), state())
  return packets.length
}

/** Compares state byte for byte. */
export function sameState(
  subject: Subject,
  object: ElfObject,
  value: SectionValue,
  expected: Uint8Array,
): void {
  for (const layout of subject.artifact.stateLayout.objects) {
    const found = variable(object, value, layout.name)
    if (layout.kind === 'table') {
      // What is constant in a table's header stands in the code; the file has zeros.
      const view = new DataView(found.buffer, found.byteOffset)
      view.setUint32(tableHeader.bucketCount, layout.bucketCount, true)
      view.setUint32(tableHeader.capacity, layout.capacity, true)
    }
    const own = expected.subarray(layout.offset, layout.offset + layout.size)
    assert.equal(Buffer.compare(found, own), 0, `bytes of ${layout.name}`)
  }
}

function variable(object: ElfObject, value: SectionValue, name: string): Uint8Array {
  const symbol = object.symbols.find(s => s.kind === 'object' && s.name === name)
  assert.ok(symbol, name)
  return value(symbol.section).slice(symbol.value, symbol.value + symbol.size)
}

/** Packets by verdict, over all CPUs, without those that are 0. */
export function countedVerdicts(object: ElfObject, value: SectionValue): Record<string, number> {
  const bytes = variable(object, value, 'hairpin_verdicts')
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const sums = verdictNames.map((name, k) => {
    let sum = 0
    for (let cpu = 0; cpu < objectCpus; cpu++)
      sum += Number(view.getBigUint64(cpu * verdictStride + 8 * k, true))
    return [name, sum] as const
  })
  return Object.fromEntries(sums.filter(([, n]) => n > 0))
}
