/** Random packets for a random program: few flows, so that keys meet, with damaged and cut ones among them. */

import { PacketStore } from '../../src/engine/packets.js'
import { leavesOf } from '../../src/state/declaration.js'
import type { FieldDecl, RulesDecl } from '../../src/state/declaration.js'
import type { FieldValue } from '../../src/state/field.js'
import type { RuleRow, RuleRows } from '../../src/state/rules.js'
import { dissect } from '../../src/wire/frame.js'
import { randomPacket, withChecksums } from '../views/packets.js'
import type { Draw } from './draw.js'

export interface RandomPacket {
  readonly bytes: Uint8Array
  readonly originalLength: number
  /** Nanoseconds; never less than the one before. */
  readonly timestamp: bigint
  readonly device: number
}

/** `count` packets of a few templates, in the order of their timestamps. */
export function randomTraffic(draw: Draw, count: number): RandomPacket[] {
  const templates = Array.from({ length: 2 + draw.below(8) }, () =>
    randomPacket(draw.below(2 ** 32), draw.chance(3, 4)),
  )
  let timestamp = 0n
  return Array.from({ length: count }, () => {
    const bytes = varied(draw, draw.pick(templates))
    const packet = {
      bytes,
      originalLength: bytes.length + (draw.chance(1, 8) ? draw.below(1500) : 0),
      timestamp,
      device: draw.below(3),
    }
    // Mostly less than what random tables call expired; at times a pause in which everything does.
    timestamp += draw.pick([0n, 1n, 999n, 1_000_000n, 1_700_000n, 20_000_000n]) * BigInt(draw.below(3))
    // All pauses together stay below the 71 minutes after which a clock in microseconds wraps: behind that, an entry
    // that nothing has swept reads as fresh, and what has been swept depends on how many packets a worker sees.
    if (draw.chance(1, 60)) timestamp += 300_000_000_000n
    return packet
  })
}

/** The template itself, or a copy with a few bytes changed, or its end cut off. */
function varied(draw: Draw, template: Uint8Array): Uint8Array {
  if (draw.chance(1, 2)) return template
  const bytes = template.slice()
  if (bytes.length && draw.chance(3, 4)) {
    const { ipv4, ipv6, transport } = dissect(bytes)
    const addresses = ipv4 ? ipv4.base + 12 : ipv6 ? ipv6.base + 8 : 0
    const ports = transport ? transport.packet.start : 0
    const places = [addresses + 3, addresses + 7, ports + 1, ports + 3, draw.below(bytes.length)]
    for (let n = draw.below(3); n >= 0; n--) bytes[draw.pick(places) % bytes.length] = draw.below(4)
    return withChecksums(bytes)
  }
  return bytes.slice(0, draw.below(bytes.length + 1))
}

export function storeOf(packets: readonly RandomPacket[]): PacketStore {
  const store = new PacketStore('random packets')
  for (const { bytes, originalLength, timestamp, device } of packets)
    store.add(bytes, originalLength, timestamp, device)
  return store
}

/** Rules for a program's rule tables, some of which match the packets. */
export function randomRules(
  draw: Draw,
  tables: readonly RulesDecl[],
  packets: readonly RandomPacket[],
): RuleRows {
  return Object.fromEntries(tables.map(table => [table.name, rowsOf(draw, table, packets)]))
}

function rowsOf(draw: Draw, table: RulesDecl, packets: readonly RandomPacket[]): RuleRow[] {
  const rows = new Map<string, RuleRow>()
  for (let n = draw.below(Math.min(8, table.capacity)); n > 0; n--) {
    const device = table.rules === 'devices'
    const key = table.key.map(field =>
      device ? draw.below(table.capacity) : fieldValue(draw, field, packets),
    )
    const value = table.value.map(field => fieldValue(draw, field, packets))
    const [{ bytes }] = table.key.slice(-1)
    const prefix = table.rules === 'lpm' ? draw.below(8 * bytes + 1) : undefined
    // The same rule twice is an error of its file; one key of each prefix length is sure to be none.
    rows.set(`${prefix ?? key.map(String).join()}`, { key, value, ...(prefix !== undefined && { prefix }) })
  }
  return [...rows.values()]
}

function fieldValue(draw: Draw, field: FieldDecl, packets: readonly RandomPacket[]): FieldValue {
  if (field.type === 'bool') return draw.chance(1, 2)
  const bits = 8 * field.bytes
  if (!['u8', 'u16', 'u32', 'u64'].includes(field.type)) return fromPacket(draw, field.bytes, packets)
  if (draw.chance(1, 2) && leavesOf(field).length === 1) {
    const value = fromPacket(draw, field.bytes, packets).reduce((sum, byte) => sum * 256n + BigInt(byte), 0n)
    return bits > 32 ? value : Number(value)
  }
  return bits > 32 ? draw.number(bits) : Number(draw.number(bits))
}

/** Bytes of a packet where its addresses are, or what stands there. */
function fromPacket(draw: Draw, count: number, packets: readonly RandomPacket[]): Uint8Array {
  const bytes = new Uint8Array(count)
  if (packets.length === 0) return bytes
  const packet = draw.pick(packets).bytes
  const { ipv4, ipv6 } = dissect(packet)
  const at = ipv4 ? ipv4.base + 12 : ipv6 ? ipv6.base + 8 : draw.below(40)
  bytes.set(packet.subarray(at, at + count))
  return bytes
}
