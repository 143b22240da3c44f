// The XDP program that sends: it fills each live frame with the next packet when its time has come, and redirects it to
// a device; before that time, and after the last packet, frames are dropped.
//
// Dropping is what it waits by: a frame that came too early costs about as long as a look at the clock, the kernel can
// interrupt between batches, and no loop has to be proved. State is memory that user space shares.

import type { Instruction } from '../sys/instruction.js'
import {
  call,
  exit,
  instructionBytes,
  loadMap,
  loadMapValue,
  move,
  moveImmediate,
} from '../sys/instruction.js'
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

const helpers = { lookup: 1, clock: 5, redirectMap: 51, adjustTail: 65, storeBytes: 189 } as const
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
    const instructions = link(code({ state: stateMap.fd, packets: packetMap.fd, devices: devices.fd, frame }))
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

/** An instruction, a label, or a jump to one. */
type Item = Instruction | string | { readonly jump: Instruction; readonly to: string }

function code(fd: { state: number; packets: number; devices: number; frame: number }): Item[] {
  const load64 = (dst: number, src: number, offset: number): Instruction => [0x79, dst, src, offset, 0]
  const store64 = (dst: number, offset: number, src: number): Instruction => [0x7b, dst, src, offset, 0]
  const jump = (opcode: number, dst: number, src: number, immediate: number, to: string): Item => ({
    jump: [opcode, dst, src, 0, immediate],
    to,
  })
  const [context, states, sent, packet] = [6, 7, 8, 9]
  return [
    move(context, 1),
    ...loadMapValue(states, fd.state),
    load64(sent, states, state.sent),
    load64(1, states, state.limit),
    jump(0x3d, sent, 1, 0, 'drop'), // if sent >= limit

    // At the first packet of a burst: is it time?
    load64(1, states, state.burstMask),
    [0x5f, 1, sent, 0, 0], // &=
    jump(0x55, 1, 0, 0, 'send'), // if != 0
    call(helpers.clock),
    load64(1, states, state.due),
    jump(0xad, 0, 1, 0, 'drop'), // if now < due
    [0x1f, 0, 1, 0, 0], // now -= due: lateness
    load64(2, states, state.latest),
    jump(0xbd, 0, 2, 0, 'in time'), // if lateness <= latest
    store64(states, state.latest, 0),
    'in time',
    load64(2, states, state.interval),
    [0x0f, 1, 2, 0, 0], // due += interval
    store64(states, state.due, 1),

    'send',
    move(1, sent),
    load64(2, states, state.packets),
    [0x9f, 1, 2, 0, 0], // %=
    [0x63, 10, 1, -4, 0], // *(u32 *)(fp - 4) = index
    ...loadMap(1, fd.packets),
    move(2, 10),
    [0x07, 2, 0, 0, -4],
    call(helpers.lookup),
    jump(0x15, 0, 0, 0, 'drop'), // if no such packet
    move(packet, 0),

    // Shorten the frame to the packet's length.
    [0x61, 2, packet, 0, 0],
    [0x17, 2, 0, 0, fd.frame], // -= frame
    jump(0x15, 2, 0, 0, 'fits'),
    move(1, context),
    call(helpers.adjustTail),
    jump(0x55, 0, 0, 0, 'drop'),
    'fits',
    move(1, context),
    moveImmediate(2, 0),
    move(3, packet),
    [0x07, 3, 0, 0, packetHeader],
    [0x61, 4, packet, 0, 0],
    jump(0x15, 4, 0, 0, 'drop'), // lengths that cannot be, for the verifier
    jump(0x25, 4, 0, fd.frame, 'drop'),
    call(helpers.storeBytes),
    jump(0x55, 0, 0, 0, 'drop'),

    [0x07, sent, 0, 0, 1],
    store64(states, state.sent, sent),
    ...loadMap(1, fd.devices),
    moveImmediate(2, 0),
    moveImmediate(3, DROP),
    call(helpers.redirectMap),
    exit,

    'drop',
    moveImmediate(0, DROP),
    exit,
  ]
}

function link(items: readonly Item[]): Uint8Array {
  const places = new Map<string, number>()
  let at = 0
  for (const item of items)
    if (typeof item === 'string') places.set(item, at)
    else at++
  const program: Instruction[] = []
  for (const item of items)
    if (typeof item === 'string') continue
    else if ('to' in item) {
      const [opcode, dst, src, , immediate] = item.jump
      program.push([opcode, dst, src, places.get(item.to)! - program.length - 1, immediate])
    } else program.push(item)
  return instructionBytes(program)
}
