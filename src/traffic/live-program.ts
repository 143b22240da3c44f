// The XDP program that sends: it fills each live frame with the next packet when its time has come, and redirects it to
// a device; before that time, and after the last packet, frames are dropped.
//
// Dropping is what it waits by: a frame that came too early costs about as long as a look at the clock, the kernel can
// interrupt between batches, and no loop has to be proved. State is memory that user space shares.

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
  jne,
  label,
  ldMap,
  ldMapValue,
  ldx,
  mov64,
  stx,
} from '../backend/ebpf/asm.js'
import { r0, r1, r2, r3, r4, r6, r7, r8, r9 } from '../backend/ebpf/asm.js'
import type { Code } from '../backend/ebpf/asm.js'
import { encode, link } from '../backend/ebpf/encode.js'
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
  /** Number of different packets. */
  packets: 40,
  /** How late a packet left at worst, in ns. */
  latest: 48,
} as const
export const stateBytes = 56

/** The longest packet; what fits a page with headroom and the kernel's own data is a little more. */
export const longestPacket = 3072
/** A packet in its map: u32 length, then the bytes. */
const packetHeader = 4

const DROP = 1

/** The loaded program with its maps. */
export interface LiveProgram {
  readonly program: BpfProgram
  readonly state: BpfMap
  readonly devices: BpfMap
  close(): void
}

/** Loads the program for these packets, of which the longest gives the length of the frames. */
export function loadLiveProgram(packets: readonly Uint8Array[]): LiveProgram {
  const frame = Math.max(...packets.map(({ length }) => length))
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
    valueSize: packetHeader + frame,
    maxEntries: packets.length,
  })
  const devices = createMap({ type: 'devmap', name: 'live_device', keySize: 4, valueSize: 4, maxEntries: 1 })
  try {
    packets.forEach((bytes, k) =>
      packetMap.update(u32(k), Buffer.concat([u32(bytes.length), bytes, Buffer.alloc(frame - bytes.length)])),
    )
    const fds = { state: stateMap.fd, packets: packetMap.fd, devices: devices.fd }
    const instructions = link(encode(code(frame)), new Map(Object.entries(fds)))
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

const u32 = (n: number): Uint8Array => new Uint8Array(new Uint32Array([n]).buffer)

function code(frame: number): Code {
  const [context, states, sent, packet] = [r6, r7, r8, r9]
  const [inTime, send, fits, drop] = ['in time', 'send', 'fits', 'drop'].map(label)
  return [
    mov64.reg(context, r1),
    ldMapValue(states, 'state'),
    ldx.dw(sent, states, state.sent),
    ldx.dw(r1, states, state.limit),
    jge.reg(sent, r1, drop),

    // At the first packet of a burst: is it time?
    ldx.dw(r1, states, state.burstMask),
    alu64.and.reg(r1, sent),
    jne.imm(r1, 0, send),
    call('ktime_get_ns'),
    ldx.dw(r1, states, state.due),
    jlt.reg(r0, r1, drop),
    alu64.sub.reg(r0, r1),
    ldx.dw(r2, states, state.latest),
    jle.reg(r0, r2, inTime),
    stx.dw(states, state.latest, r0),
    inTime,
    ldx.dw(r2, states, state.interval),
    alu64.add.reg(r1, r2),
    stx.dw(states, state.due, r1),

    send,
    mov64.reg(r1, sent),
    ldx.dw(r2, states, state.packets),
    alu64.mod.reg(r1, r2),
    stx.w(fp, -4, r1),
    ldMap(r1, 'packets'),
    mov64.reg(r2, fp),
    alu64.add.imm(r2, -4),
    call('map_lookup_elem'),
    jeq.imm(r0, 0, drop),
    mov64.reg(packet, r0),

    // Shorten the frame to the packet's length.
    ldx.w(r2, packet, 0),
    alu64.sub.imm(r2, frame),
    jeq.imm(r2, 0, fits),
    mov64.reg(r1, context),
    call('xdp_adjust_tail'),
    jne.imm(r0, 0, drop),
    fits,
    mov64.reg(r1, context),
    mov64.imm(r2, 0),
    mov64.reg(r3, packet),
    alu64.add.imm(r3, packetHeader),
    ldx.w(r4, packet, 0),
    // No packet has such a length, but the verifier cannot know.
    jeq.imm(r4, 0, drop),
    jgt.imm(r4, frame, drop),
    call('xdp_store_bytes'),
    jne.imm(r0, 0, drop),

    alu64.add.imm(sent, 1),
    stx.dw(states, state.sent, sent),
    ldMap(r1, 'devices'),
    mov64.imm(r2, 0),
    mov64.imm(r3, DROP),
    call('redirect_map'),
    exit(),

    drop,
    mov64.imm(r0, DROP),
    exit(),
  ]
}
