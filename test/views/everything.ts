// Reads everything a packet offers, twice: through IR that src/lang/views.ts emits and the interpreter runs, and
// through the plain views of src/wire/. Both give the same map from path to value, or views.ts is wrong.
//
// Through IR, one function stores each value into its own place of the history item; a path whose view is absent
// leaves its place alone. Paths read as programs spell them: `packet.ipv4.tcp.sourcePort`.

import { FunctionBuilder } from '../../src/ir/builder.js'
import { prepare } from '../../src/ir/interpret.js'
import { ModelState } from '../../src/ir/model.js'
import type { Func, Instr, Program } from '../../src/ir/types.js'
import { viewTypes } from '../../src/lang/members.js'
import type { ViewName } from '../../src/lang/members.js'
import { callMethod, readMember, rootView } from '../../src/lang/views.js'
import type { Member, PacketContext, ViewValue } from '../../src/lang/views.js'
import { dissect } from '../../src/wire/frame.js'
import type { Extent, Frame, Transport } from '../../src/wire/frame.js'
import { readBits } from '../../src/wire/view.js'
import type { View } from '../../src/wire/view.js'

export type Readings = Map<string, bigint>

/** Places of raw reads that are tried on every view: constant, and one given at run time (the device number). */
const constantOffsets = [0, 7, 60, 65_536, 0xffff_ffff]
const rawBytes = { u8: 1, u16: 2, u32: 4, u64: 8 } as const
/** Sizes of `bytes` that are tried. */
const strings = [3, 15, 16]

interface Slot {
  readonly path: string
  readonly at: number
  readonly width: 1 | 2 | 4 | 8
}

/** A function that reads everything, and where it puts it. */
export interface Reader {
  readonly func: Func
  readonly slots: readonly Slot[]
  readonly itemBytes: number
}

/** A context for a new function that works on the packet from its first byte. */
export function contextOf(builder: FunctionBuilder): PacketContext {
  return { builder, memory: builder.variable('mem', 'packet'), frame: builder.const('i32', 0) }
}

/** Emits the reader. */
export function emitReader(): Reader {
  const builder = new FunctionBuilder('main', [], 'void')
  const ctx = contextOf(builder)
  const slots: Slot[] = []
  let itemBytes = 0
  const put = (path: string, value: Instr): void => {
    const wide = value.type === 'i1' ? builder.emit('zext', [value], {}, 'i32') : value
    const width = wide.type === 'i64' ? 8 : 4
    slots.push({ path, at: itemBytes, width })
    builder.emit('item.store', [wide], { width, offset: itemBytes }, 'void')
    itemBytes += width
  }
  const within = (present: Instr, then: () => void): void => {
    const body = builder.block()
    const after = builder.block()
    builder.branch(present, body, after)
    builder.seal(body)
    builder.at(body)
    then()
    builder.jump(after)
    builder.seal(after)
    builder.at(after)
  }
  const scalar = (path: string, member: Member): void => {
    if (member.kind !== 'scalar') throw new Error(`${path} is a view`)
    const leaves = (): void => member.value.forEach((leaf, k) => put(k === 0 ? path : `${path}#${k}`, leaf))
    if (member.present) within(member.present, leaves)
    else leaves()
  }
  const raw = (view: ViewValue, path: string): void => {
    for (const offset of [...constantOffsets, undefined]) {
      const at =
        offset === undefined
          ? builder.emit('input', [], { name: 'device' }, 'i32')
          : builder.const('i32', offset)
      for (const name of Object.keys(rawBytes))
        scalar(`${path}.${name}(${offset ?? 'o'})`, callMethod(ctx, view, name, [at], [offset]))
      for (const count of strings)
        scalar(
          `${path}.bytes(${offset ?? 'o'}, ${count})`,
          callMethod(ctx, view, 'bytes', [at], [offset, count]),
        )
    }
  }
  const all = (view: ViewValue, path: string, tags = 0): void => {
    const { protocol, members } = viewTypes[view.protocol]
    raw(view, path)
    for (const name of Object.keys(protocol?.fields ?? {}))
      scalar(`${path}.${name}`, readMember(ctx, view, name))
    for (const [name, info] of Object.entries(members)) {
      const member = readMember(ctx, view, name)
      if (info.kind === 'value') scalar(`${path}.${name}`, member)
      if (member.kind !== 'view') continue
      const child = `${path}.${name}`
      put(`${child}?`, member.view.present)
      const deep = info.kind === 'view' && !(info.view === 'vxlan' && path.includes('inner')) && tags < 2
      if (deep)
        within(member.view.present, () => all(member.view, child, info.view === 'vlan' ? tags + 1 : tags))
    }
  }
  all(rootView(ctx), 'packet')
  builder.return()
  return { func: builder.finish(), slots, itemBytes }
}

export const programOf = (func: Func): Program => ({
  name: 'test',
  file: 'test.ts',
  source: '',
  objects: [],
  settings: [],
  counters: [],
  functions: [func],
})

/** Runs a function on a packet; the packet's bytes may change. */
export function interpreterOf(func: Func): (bytes: Uint8Array, device: number, item?: Uint8Array) => void {
  const run = prepare(programOf(func), func.name, { state: new ModelState(), stepLimit: 10_000_000 })
  return (bytes, device, item) => {
    const packet = {
      bytes,
      originalLength: bytes.length + 4,
      timestamp: 123_456_789_012n,
      sequence: 7n,
      device,
    }
    run({ packet, ...(item && { item }) })
  }
}

/** What nothing writes over by chance: a slot that still has it was not written, or is told by its path's view. */
const untouched = 0xee

/** What the reader saw; absent paths are left out. */
export function readingsOf(
  { slots, itemBytes }: Reader,
  run: (bytes: Uint8Array, device: number, item?: Uint8Array) => void,
  bytes: Uint8Array,
  device: number,
): Readings {
  // Run on two backgrounds: a slot that shows both was not written.
  const items = [untouched, 0x11].map(fill => {
    const item = new Uint8Array(itemBytes).fill(fill)
    run(bytes, device, item)
    return Buffer.from(item.buffer)
  })
  const readings: Readings = new Map()
  for (const { path, at, width } of slots) {
    const [a, b] = items.map(item => (width === 8 ? item.readBigUInt64LE(at) : BigInt(item.readUInt32LE(at))))
    if (a === b) readings.set(path, a)
  }
  return readings
}

/** The same from the plain views. */
export function expectedReadings(bytes: Uint8Array, device: number): Readings {
  const readings: Readings = new Map()
  const put = (path: string, value: bigint | number | boolean): void => void readings.set(path, BigInt(value))
  const rawReads = (path: string, base: number, end: number): void => {
    for (const offset of [...constantOffsets, undefined]) {
      const at = offset ?? device
      const inside = (count: number): boolean => at + count <= end - base
      const bigEndian = (from: number, count: number): bigint =>
        readBits(bytes, base + at + from, { bit: 0, bits: 8 * count })
      for (const [name, count] of Object.entries(rawBytes))
        if (inside(count)) put(`${path}.${name}(${offset ?? 'o'})`, bigEndian(0, count))
      for (const count of strings) {
        if (!inside(count)) continue
        let from = 0
        let part = 0
        for (const piece of [8, 8, 4, 2, 1]) {
          if (count - from < piece) continue
          put(`${path}.bytes(${offset ?? 'o'}, ${count})${part ? `#${part}` : ''}`, bigEndian(from, piece))
          from += piece
          part++
        }
      }
    }
  }
  const header = (path: string, view: View): void => {
    put(`${path}?`, true)
    rawReads(path, view.base, bytes.length)
    for (const [name, value] of Object.entries(view.fields)) {
      if (view.protocol.fields[name].type === 'Ipv6Address') {
        put(`${path}.${name}`, BigInt(value) >> 64n)
        put(`${path}.${name}#1`, BigInt.asUintN(64, BigInt(value)))
      } else put(`${path}.${name}`, value)
    }
  }
  const absent = (path: string): void => put(`${path}?`, false)
  const payload = (path: string, { start, end }: Extent): void => {
    put(`${path}.payload?`, true)
    put(`${path}.payload.length`, end - start)
    rawReads(`${path}.payload`, start, end)
  }
  const transport = (
    path: string,
    names: readonly (keyof Transport & ViewName)[],
    t: Transport,
    inner: boolean,
  ): void => {
    payload(path, t.packet)
    for (const name of names) {
      const view = t[name] as View | undefined
      if (!view) {
        absent(`${path}.${name}`)
        continue
      }
      header(`${path}.${name}`, view)
      payload(`${path}.${name}`, t.payload!)
      if (name === 'gre' && t.gre) {
        if (t.gre.key !== undefined) put(`${path}.gre.key`, t.gre.key)
        if (t.gre.sequenceNumber !== undefined) put(`${path}.gre.sequenceNumber`, t.gre.sequenceNumber)
      }
      if (name !== 'udp') continue
      const vxlan = `${path}.udp.vxlan`
      if (!t.vxlan || inner) {
        absent(vxlan)
        continue
      }
      header(vxlan, t.vxlan)
      put(`${vxlan}.inner?`, true)
      frame(`${vxlan}.inner`, t.inner!, t.vxlan.next, Math.max(t.payload!.end, t.vxlan.next), true)
    }
  }
  const frame = (path: string, f: Frame, base: number, end: number, inner: boolean): void => {
    put(`${path}.length`, end - base)
    rawReads(path, base, end)
    if (f.ethernet) header(`${path}.ethernet`, f.ethernet)
    else absent(`${path}.ethernet`)
    let tagPath = `${path}.vlan`
    for (const tag of f.tags) {
      header(tagPath, tag)
      tagPath += '.inner'
    }
    absent(tagPath)
    if (f.arp) header(`${path}.arp`, f.arp)
    else absent(`${path}.arp`)
    if (f.ipv4) {
      header(`${path}.ipv4`, f.ipv4)
      transport(`${path}.ipv4`, ['tcp', 'udp', 'sctp', 'gre', 'icmp'], f.transport!, inner)
    } else absent(`${path}.ipv4`)
    if (f.ipv6) {
      header(`${path}.ipv6`, f.ipv6)
      put(`${path}.ipv6.protocol`, f.protocol!)
      transport(`${path}.ipv6`, ['tcp', 'udp', 'sctp', 'gre', 'icmpv6'], f.transport!, inner)
    } else absent(`${path}.ipv6`)
  }
  put('packet.originalLength', bytes.length + 4)
  put('packet.timestamp', 123_456_789_012n)
  put('packet.sequence', 7)
  put('packet.device', device)
  frame('packet', dissect(bytes), 0, bytes.length, false)
  return readings
}

/** The paths on which two readings differ, for messages. */
export function differences(actual: Readings, expected: Readings): string[] {
  const paths = new Set([...actual.keys(), ...expected.keys()])
  return [...paths]
    .filter(path => actual.get(path) !== expected.get(path))
    .map(path => `${path}: compiled ${actual.get(path)}, plain ${expected.get(path)}`)
}
