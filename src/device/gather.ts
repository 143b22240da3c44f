// The gather loops: compiled WebAssembly that goes through the descriptors of a slab and copies the packets with the
// wanted verdicts, as capture records, into an output buffer. writer.ts empties that buffer into a file.
// Hot path: no allocation, no calls, one return per batch or full buffer. Read slab.ts first.

import {
  block,
  br,
  i32,
  i64,
  if_,
  label,
  local,
  loop,
  memory as bulk,
  select,
  type Code,
  type Local,
} from '../backend/wasm/asm.js'
import { encode } from '../backend/wasm/encode.js'
import { Module, type Func } from '../backend/wasm/module.js'
import { ethernetHeaderBytes } from './linktype.js'
import { pcapRecordBytes } from './pcap.js'
import { descriptor, descriptorBytes, linkFlags } from './slab.js'
import { blockType } from './walk.js'

/** Byte offsets in the control block of a gather loop; little-endian. */
export const gatherControl = {
  /** u32: address of the next descriptor; after a stop, of the packet that was not written. */
  cursor: 0,
  /** u32: address after the last descriptor. */
  end: 4,
  /** u32: address of the next absolute time, or 0 to use start plus timestamp. */
  times: 8,
  /** u32: address of the next output byte. */
  out: 12,
  /** u32: address after the output buffer. */
  outEnd: 16,
  /** u32: bit v is set when verdict v is taken. */
  verdicts: 20,
  /** u32: the one redirect device that is taken, or `anyDevice`. */
  redirect: 24,
  /** u32: pcap: link type of the file. */
  link: 28,
  /** i64: absolute time of timestamp 0, ns. */
  start: 32,
  /** u32: pcap: ns in a unit of the file, 1 or 1000. */
  unit: 40,
  /** u32: packets written. */
  taken: 44,
  /** pcapng: which interface a (device, link type) is; entries of `slotBytes`, direct-mapped by device. */
  slots: 64,
} as const

/** An entry of the interface slots: u32 device, u32 link type, u32 interface number, u32 1 when in use. */
export const slotBytes = 16
export const slotCount = 1024

/** Bytes of the control block. */
export const gatherControlBytes = gatherControl.slots + slotCount * slotBytes

/** `redirect` when all devices are taken. */
export const anyDevice = 0xffff_ffff

/** Why a gather loop stopped. */
export const gatherStop = {
  /** No descriptor is left. */
  done: 0,
  /** The next record does not fit the output buffer. */
  room: 1,
  /** The packet at the cursor needs the writer: another link type, or an interface without a slot. */
  interface: 2,
} as const

/** Bytes around a packet in an enhanced packet block, without padding. */
const blockOverhead = 32

/** The gather loops of a memory; each answers a `gatherStop`. */
export interface Gather {
  pcap(control: number): number
  pcapng(control: number): number
}

const modules: (WebAssembly.Module | undefined)[] = []

/** The gather loops of a memory. Compiling takes about a millisecond, once per thread. */
export function compiledGather(memory: WebAssembly.Memory): Gather {
  const shared = memory.buffer instanceof SharedArrayBuffer
  const module = (modules[shared ? 1 : 0] ??= new WebAssembly.Module(encode(gatherModule(shared))))
  const { exports } = new WebAssembly.Instance(module, { env: { memory } })
  return {
    pcap: exports['pcap'] as (at: number) => number,
    pcapng: exports['pcapng'] as (at: number) => number,
  }
}

function gatherModule(shared: boolean): Module {
  const module = new Module('gather')
  module.importMemory('env', 'memory', shared ? { initial: 1, maximum: 65_536, shared } : { initial: 1 })
  module.export('pcap', gatherFunction(module, 'pcap'))
  module.export('pcapng', gatherFunction(module, 'pcapng'))
  return module
}

function gatherFunction(module: Module, format: 'pcap' | 'pcapng'): Func {
  const function_ = module.func(format, { at: 'i32' }, ['i32'])
  const { at } = function_.params
  const declare = (name: string, type: 'i32' | 'i64' = 'i32') => function_.local(name, type)
  const [cursor, end, times, out, outEnd] = ['cursor', 'end', 'times', 'out', 'outEnd'].map(name =>
    declare(name),
  )
  const [verdicts, redirect, taken, reason] = ['verdicts', 'redirect', 'taken', 'reason'].map(name =>
    declare(name),
  )
  const [verdict, link, header, body, from, original] = [
    'verdict',
    'link',
    'header',
    'body',
    'from',
    'original',
  ].map(name => declare(name))
  const time = declare('time', 'i64')
  const exit = label('exit')
  const next = label('next')
  const skip = label('skip')
  const kept: readonly (readonly [Local, number])[] = [
    [cursor, gatherControl.cursor],
    [end, gatherControl.end],
    [times, gatherControl.times],
    [out, gatherControl.out],
    [outEnd, gatherControl.outEnd],
    [verdicts, gatherControl.verdicts],
    [redirect, gatherControl.redirect],
    [taken, gatherControl.taken],
  ]
  const field = (offset: number): Code => [local.get(cursor), i32.load(offset)]
  const stopWith = (value: number): Code => [i32.const(value), local.set(reason), br(exit)]
  const packet = { link, header, body, from, original, time, out, at }

  const unselected: Code = [
    [i32.const(1), local.get(verdict), i32.const(31), i32.and, i32.shl, local.get(verdicts), i32.and],
    i32.eqz,
    [local.get(verdict), i32.const(0xe0), i32.and, i32.or],
    if_([br(skip)]),
    [local.get(redirect), i32.const(anyDevice), i32.ne],
    [local.get(redirect), local.get(verdict), i32.const(8), i32.shr_u, i32.ne, i32.and],
    if_([br(skip)]),
  ]
  /** header: bytes kept before the packet; from, body: what follows the synthetic header, if there is one. */
  const shape: Code = [
    [field(descriptor.link), local.tee(link), i32.const(linkFlags.headerMask), i32.and, local.set(header)],
    [field(descriptor.address), local.set(from)],
    [field(descriptor.length), local.set(body)],
    [field(descriptor.original), local.set(original)],
    [local.get(link), i32.const(linkFlags.synthetic), i32.and],
    if_(
      [
        [local.get(from), i32.const(ethernetHeaderBytes), i32.add, local.set(from)],
        [local.get(body), i32.const(ethernetHeaderBytes), i32.sub, i32.const(0)],
        [local.get(body), i32.const(ethernetHeaderBytes), i32.ge_u, select, local.set(body)],
        [local.get(original), i32.const(ethernetHeaderBytes), i32.sub, local.get(header), i32.add],
        local.set(original),
        [local.get(link), i32.const(linkFlags.typeShift), i32.shr_u, local.set(link)],
      ],
      [
        [i32.const(0), local.set(header)],
        [i32.const(1), local.set(link)],
      ],
    ),
  ]
  const absoluteTime: Code = [
    local.get(times),
    if_(
      'i64',
      [local.get(times), i64.load()],
      [
        [local.get(cursor), i64.load(descriptor.timestamp), local.get(at), i64.load(gatherControl.start)],
        i64.add,
      ],
    ),
    local.set(time),
  ]
  const overhead = format === 'pcap' ? pcapRecordBytes : blockOverhead + 3
  const fits: Code = [
    [local.get(outEnd), local.get(out), i32.sub],
    [local.get(header), local.get(body), i32.add, i32.const(overhead), i32.add, i32.lt_u],
    if_(stopWith(gatherStop.room)),
  ]
  const record =
    format === 'pcap' ? pcapRecord(packet) : packetBlock(packet, field(descriptor.device), declare)
  const ready =
    format === 'pcap'
      ? [local.get(at), i32.load(gatherControl.link), local.get(link), i32.ne]
      : noSlot(packet, field(descriptor.device))
  return function_.emit(
    kept.map(([to, offset]) => [local.get(at), i32.load(offset), local.set(to)]),
    block(exit, [
      loop(next, [
        [local.get(cursor), local.get(end), i32.eq, if_(stopWith(gatherStop.done))],
        block(skip, [
          [field(descriptor.verdict), local.set(verdict)],
          unselected,
          shape,
          fits,
          [ready, if_(stopWith(gatherStop.interface))],
          absoluteTime,
          record,
          [local.get(taken), i32.const(1), i32.add, local.set(taken)],
        ]),
        [local.get(cursor), i32.const(descriptorBytes), i32.add, local.set(cursor)],
        [local.get(times), if_([local.get(times), i32.const(8), i32.add, local.set(times)])],
        br(next),
      ]),
    ]),
    kept.map(([to, offset]) => [local.get(at), local.get(to), i32.store(offset)]),
    local.get(reason),
  )
}

interface PacketLocals {
  readonly link: Local
  readonly header: Local
  readonly body: Local
  readonly from: Local
  readonly original: Local
  readonly time: Local
  readonly out: Local
  readonly at: Local
}

/** u32 seconds, u32 fraction, u32 captured, u32 original, bytes. */
function pcapRecord(packet: PacketLocals): Code {
  const { out, time, header, body, original, at } = packet
  const second = i64.const(1_000_000_000)
  return [
    [local.get(out), local.get(time), second, i64.div_u, i64.store32(0, 1)],
    [local.get(out), local.get(time), second, i64.rem_u],
    [local.get(at), i64.load32_u(gatherControl.unit), i64.div_u, i64.store32(4, 1)],
    [local.get(out), local.get(header), local.get(body), i32.add, i32.store(8, 1)],
    [local.get(out), local.get(original), i32.store(12, 1)],
    copyBytes(packet, pcapRecordBytes),
    [local.get(out), i32.const(pcapRecordBytes), i32.add],
    [local.get(header), i32.add, local.get(body), i32.add, local.set(out)],
  ]
}

/** Enhanced packet block, ticks in ns. */
function packetBlock(packet: PacketLocals, device: Code, declare: (name: string) => Local): Code {
  const { out, time, header, body, original, at } = packet
  const total = declare('total')
  const length: Code = [local.get(header), local.get(body), i32.add]
  return [
    [length, i32.const(blockOverhead + 3), i32.add, i32.const(-4), i32.and, local.set(total)],
    // The word before the trailer holds the padding; fields and bytes overwrite the rest of it.
    [local.get(out), local.get(total), i32.add, i32.const(8), i32.sub, i32.const(0), i32.store(0, 1)],
    [local.get(out), i32.const(blockType.enhancedPacket), i32.store(0, 1)],
    [local.get(out), local.get(total), i32.store(4, 1)],
    [local.get(out), slotOf(at, device), i32.load(gatherControl.slots + 8), i32.store(8, 1)],
    [local.get(out), local.get(time), i64.const(32), i64.shr_u, i64.store32(12, 1)],
    [local.get(out), local.get(time), i64.store32(16, 1)],
    [local.get(out), length, i32.store(20, 1)],
    [local.get(out), local.get(original), i32.store(24, 1)],
    copyBytes(packet, 28),
    [local.get(out), local.get(total), i32.add, local.tee(out)],
    [i32.const(4), i32.sub, local.get(total), i32.store(0, 1)],
  ]
}

/** Is there no slot for the packet's device and link type? */
function noSlot({ at, link }: PacketLocals, device: Code): Code {
  const slot = (offset: number): Code => [slotOf(at, device), i32.load(gatherControl.slots + offset)]
  return [
    [slot(0), device, i32.ne],
    [slot(4), local.get(link), i32.ne, i32.or],
    [slot(12), i32.eqz, i32.or],
  ]
}

/** The slot of a device, as an address below `gatherControl.slots`. */
function slotOf(at: Local, device: Code): Code {
  return [
    [device, i32.const(slotCount - 1), i32.and, i32.const(slotBytes), i32.mul],
    [local.get(at), i32.add],
  ]
}

/** The kept link header, which ends where the descriptor's packet begins, then the bytes. */
function copyBytes({ out, from, header, body }: PacketLocals, offset: number): Code {
  return [
    local.get(header),
    if_([
      [local.get(out), i32.const(offset), i32.add],
      [local.get(from), i32.const(ethernetHeaderBytes), i32.sub, local.get(header), i32.sub],
      [local.get(header), bulk.copy],
    ]),
    [local.get(out), i32.const(offset), i32.add, local.get(header), i32.add],
    [local.get(from), local.get(body), bulk.copy],
  ]
}
