// The XDP program that sends: it fills each live frame with the next packet when its time has come, and redirects it to
// a device.
//
// It waits inside the kernel, at the first packet of a burst, by looking at the clock again and again; `may_goto` (Linux
// 6.9) bounds that loop. What is due later than `longestSpin`, what comes after the last packet, and on older kernels
// every frame that comes too early, is dropped instead: user space sleeps, or asks again. State is memory that user space
// shares. Packets of one length up to a cache line stand side by side in one map value and are copied by plain stores;
// others have a map entry each and are copied by a helper. Packets with times of their own, as captures have them, are
// waited for one by one.

import {
  alu64,
  call,
  exit,
  fp,
  jeq,
  jge,
  jgt,
  jle,
  jlt,
  ja,
  jne,
  label,
  mayGoto,
  ldMap,
  ldMapValue,
  ldx,
  mov64,
  stx,
} from '../backend/ebpf/asm.js'
import { r0, r1, r2, r3, r4, r6, r7, r8, r9 } from '../backend/ebpf/asm.js'
import type { Code } from '../backend/ebpf/asm.js'
import { encode, link } from '../backend/ebpf/encode.js'
import { hasFeature } from '../sys/features.js'
import { createMap, mapFlags } from '../sys/map.js'
import type { BpfMap } from '../sys/map.js'
import { loadProgram } from '../sys/program.js'
import type { BpfProgram } from '../sys/program.js'

/** Byte offsets of the state: u64 each. */
export const state = {
  /** Packets sent so far, and how many may be sent in all. */
  sent: 0,
  limit: 8,
  /** When the next packet may leave: CLOCK_MONOTONIC in ns; and the ns between two looks at the clock. */
  due: 16,
  interval: 24,
  /** Packets between two looks at the clock, less one; one less than a power of two. */
  burstMask: 32,
  /** The packet that comes next, from 0. */
  next: 40,
  /** How late a packet left at worst, in ns. */
  latest: 48,
  /** With times of their own: `due` is when the first packet is, and this is added when the packets begin again. */
  span: 56,
} as const
export const stateBytes = 64

/** The longest time that the program waits for a packet's, in ns. */
export const longestSpin = 2_000_000

/** The longest packet: a page of 4096 bytes less headroom and the kernel's own data. */
export const longestPacket = 3408
/** Bytes of a slot for a short packet: 1024 of them fit the second-level cache. */
export const slotBytes = 64
/** A longer packet in its map: u32 length, 4 bytes of nothing, u64 time in ns from the first packet, then the bytes. */
const packetHeader = 16
const packetTime = 8

const DROP = 1

/** The loaded program with its maps. */
export interface LiveProgram {
  readonly program: BpfProgram
  readonly state: BpfMap
  readonly devices: BpfMap
  close(): void
}

/** Packets that fit slots: of one length, a slot at most. */
function fitSlots(packets: readonly Uint8Array[]): boolean {
  const [{ length }] = packets
  return length <= slotBytes && packets.every(packet => packet.length === length)
}

/**
 * Loads the program for these packets, of which the longest gives the length of the frames. `times` are when each shall
 * leave, in ns from the first packet and never less than the one before; without them the state's interval counts.
 */
export function loadLiveProgram(packets: readonly Uint8Array[], times?: Float64Array): LiveProgram {
  const frame = packets.reduce((most, { length }) => Math.max(most, length), 0)
  const slots = times === undefined && fitSlots(packets)
  const stateMap = createMap({
    type: 'array',
    name: 'live_state',
    keySize: 4,
    valueSize: stateBytes,
    maxEntries: 1,
    flags: mapFlags.MMAPABLE,
  })
  const packetMap = createMap({
    type: 'array',
    name: 'live_packets',
    keySize: 4,
    valueSize: slots ? slotBytes * packets.length : packetHeader + frame,
    maxEntries: slots ? 1 : packets.length,
  })
  const devices = createMap({ type: 'devmap', name: 'live_device', keySize: 4, valueSize: 4, maxEntries: 1 })
  try {
    if (slots) packetMap.update(u32(0), side(packets))
    else packets.forEach((bytes, k) => packetMap.update(u32(k), entry(bytes, times?.[k] ?? 0, frame)))
    const fds = { state: stateMap.fd, packets: packetMap.fd, devices: devices.fd }
    const count = packets.length
    const spin = hasFeature('mayGoto')
    const body = times
      ? timed(frame, count, spin)
      : [...pace(spin), ...(slots ? fromSlot(frame, count) : fromEntry(frame, count))]
    const instructions = link(encode(code(body)), new Map(Object.entries(fds)))
    const program = loadProgram({ type: 'xdp', name: 'hairpin_live', instructions, licence: 'Apache-2.0' })
    return {
      program,
      state: stateMap,
      devices,
      close: () => [program, devices, stateMap].forEach(object => object.close()),
    }
  } catch (error) {
    devices.close()
    stateMap.close()
    throw error
  } finally {
    // The program holds it now.
    packetMap.close()
  }
}

/** A packet's entry in its map. */
function entry(bytes: Uint8Array, time: number, frame: number): Uint8Array {
  const found = new Uint8Array(packetHeader + frame)
  const view = new DataView(found.buffer)
  view.setUint32(0, bytes.length, true)
  view.setBigUint64(packetTime, BigInt(Math.round(time)), true)
  found.set(bytes, packetHeader)
  return found
}

/** Packets side by side, each in its slot. */
function side(packets: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(slotBytes * packets.length)
  packets.forEach((packet, k) => bytes.set(packet, slotBytes * k))
  return bytes
}

const u32 = (n: number): Uint8Array => new Uint8Array(new Uint32Array([n]).buffer)

const [context, states, sent, packet] = [r6, r7, r8, r9]
const [again, inTime, send, fits, wrap, out] = ['again', 'in time', 'send', 'fits', 'wrap', 'drop'].map(label)

/** Sends one packet, if there is one left; `body` waits for its time and fills the frame. */
function code(body: Code): Code {
  return [
    mov64.reg(context, r1),
    ldMapValue(states, 'state'),
    ldx.dw(sent, states, state.sent),
    ldx.dw(r1, states, state.limit),
    jge.reg(sent, r1, out),

    ...body,
    alu64.add.imm(sent, 1),
    stx.dw(states, state.sent, sent),
    ldMap(r1, 'devices'),
    mov64.imm(r2, 0),
    mov64.imm(r3, DROP),
    call('redirect_map'),
    exit(),

    out,
    mov64.imm(r0, DROP),
    exit(),
  ]
}

/** At the first packet of a burst: is it time? */
const pace = (spin: boolean): Code => [
  ldx.dw(r1, states, state.burstMask),
  alu64.and.reg(r1, sent),
  jne.imm(r1, 0, send),
  again,
  call('ktime_get_ns'),
  ldx.dw(r1, states, state.due),
  ...(spin ? wait : [jlt.reg(r0, r1, out)]),
  ...noteLateness,
  ldx.dw(r2, states, state.interval),
  alu64.add.reg(r1, r2),
  stx.dw(states, state.due, r1),
  send,
]

/** r0 is the time, r1 when it is due: goes on in time, and gives up where that is too far away. */
const onTime = label('on time')
const wait: Code = [
  jge.reg(r0, r1, onTime),
  mov64.reg(r2, r1),
  alu64.sub.reg(r2, r0),
  jgt.imm(r2, longestSpin, out),
  mayGoto(out),
  ja(again),
  onTime,
]

/** The same r0 and r1, in time. */
const noteLateness: Code = [
  alu64.sub.reg(r0, r1),
  ldx.dw(r2, states, state.latest),
  jle.reg(r0, r2, inTime),
  stx.dw(states, state.latest, r0),
  inTime,
]

/** r1 is the number of the next packet, below `count`, and the one after it is noted. */
const takeNext = (count: number): Code => [
  ldx.dw(r1, states, state.next),
  // No number is, but the verifier cannot know.
  jge.imm(r1, count, out),
  mov64.reg(r2, r1),
  alu64.add.imm(r2, 1),
  jlt.imm(r2, count, wrap),
  mov64.imm(r2, 0),
  wrap,
  stx.dw(states, state.next, r2),
]

/** Copies a short packet out of its slot. */
function fromSlot(length: number, count: number): Code {
  const [data, end] = [r3, r4]
  const whole = Math.floor(length / 8)
  return [
    ldx.w(data, context, 0),
    ldx.w(end, context, 4),
    mov64.reg(r2, data),
    alu64.add.imm(r2, length),
    jgt.reg(r2, end, out),
    ...takeNext(count),
    ldMapValue(packet, 'packets'),
    alu64.mul.imm(r1, slotBytes),
    alu64.add.reg(packet, r1),
    ...Array.from({ length: whole }, (_, k) => [ldx.dw(r2, packet, 8 * k), stx.dw(data, 8 * k, r2)]).flat(),
    ...Array.from({ length: length - 8 * whole }, (_, k) => [
      ldx.b(r2, packet, 8 * whole + k),
      stx.b(data, 8 * whole + k, r2),
    ]).flat(),
  ]
}

/** Copies a packet of any length out of its entry. */
const fromEntry = (frame: number, count: number): Code => [
  ...takeNext(count),
  ...findEntry,
  ...copyEntry(frame),
]

/** Waits for the next packet's own time, then copies it. */
const timed = (frame: number, count: number, spin: boolean): Code => [
  ldx.dw(r1, states, state.next),
  // No number is, but the verifier cannot know.
  jge.imm(r1, count, out),
  ...findEntry,
  again,
  call('ktime_get_ns'),
  ldx.dw(r1, states, state.due),
  ldx.dw(r2, packet, packetTime),
  alu64.add.reg(r1, r2),
  ...(spin ? wait : [jlt.reg(r0, r1, out)]),
  ...noteLateness,
  ldx.dw(r1, states, state.next),
  alu64.add.imm(r1, 1),
  jlt.imm(r1, count, wrap),
  mov64.imm(r1, 0),
  ldx.dw(r2, states, state.due),
  ldx.dw(r3, states, state.span),
  alu64.add.reg(r2, r3),
  stx.dw(states, state.due, r2),
  wrap,
  stx.dw(states, state.next, r1),
  ...copyEntry(frame),
]

/** r1 is a packet's number; `packet` is its entry then. */
const findEntry: Code = [
  stx.w(fp, -4, r1),
  ldMap(r1, 'packets'),
  mov64.reg(r2, fp),
  alu64.add.imm(r2, -4),
  call('map_lookup_elem'),
  jeq.imm(r0, 0, out),
  mov64.reg(packet, r0),
]

/** Shortens the frame to the packet's length and copies it. */
const copyEntry = (frame: number): Code => [
  ldx.w(r2, packet, 0),
  alu64.sub.imm(r2, frame),
  jeq.imm(r2, 0, fits),
  mov64.reg(r1, context),
  call('xdp_adjust_tail'),
  jne.imm(r0, 0, out),
  fits,
  mov64.reg(r1, context),
  mov64.imm(r2, 0),
  mov64.reg(r3, packet),
  alu64.add.imm(r3, packetHeader),
  ldx.w(r4, packet, 0),
  // No packet has such a length, but the verifier cannot know.
  jeq.imm(r4, 0, out),
  jgt.imm(r4, frame, out),
  call('xdp_store_bytes'),
  jne.imm(r0, 0, out),
]
