// Steering as a compiled function: from a packet to the worker its shard belongs to.
//
// Does what a NIC with receive-side scaling does: picks the hash input by what the packet is, hashes it with Toeplitz
// tables, and looks the worker up in an indirection table. The parser is a NIC's, not a program's: up to two VLAN
// tags, IPv4 or IPv6 without extension headers; ports only where they stand right behind the address header. Later
// fragments hash on addresses only, having no ports; anything that is not IP goes to worker 0.

import { FunctionBuilder } from '../ir/builder.js'
import type { Func, Instr } from '../ir/types.js'
import { longestInput, standardKey, symmetricKey, toeplitzTables } from './toeplitz.js'

/** The header fields a NIC can hash. */
export interface SteeringFields {
  readonly source: boolean
  readonly destination: boolean
  readonly sourcePort: boolean
  readonly destinationPort: boolean
  /** Both directions of a connection must meet: use the symmetric key. */
  readonly symmetric: boolean
}

/** Entries of the indirection table; a power of two, as in most NICs. */
export const indirectionEntries = 128
const tableBytes = longestInput * 256 * 4
/** Bytes of the steering block: the Toeplitz tables, then the indirection table of u32. */
export const steeringBytes = tableBytes + 4 * indirectionEntries
/** Name under which the steering block is known to the backend. */
export const steeringObject = 'steering'

/** The steering block for n workers: entry i of the indirection table names worker i mod n. */
export function steeringBlock(fields: SteeringFields, workers: number): Uint8Array {
  const words = new Uint32Array(steeringBytes / 4)
  words.set(toeplitzTables(fields.symmetric ? symmetricKey : standardKey))
  for (let i = 0; i < indirectionEntries; i++) words[tableBytes / 4 + i] = i % workers
  return new Uint8Array(words.buffer)
}

const etherTypes = { vlan: 0x8100, serviceVlan: 0x88a8, ipv4: 0x0800, ipv6: 0x86dd }
const protocolsWithPorts = [6, 17, 132]

/** The function `steer`: the worker's number, i32. */
export function steeringFunction(fields: SteeringFields): Func {
  const b = new FunctionBuilder('steer', [], 'i32')
  const mem = b.emit('packet', [], {}, 'mem')
  const i32 = (n: number): Instr => b.const('i32', n)
  const add = (x: Instr, y: number): Instr => b.emit('add', [x, i32(y)])
  const eq = (x: Instr, y: number): Instr => b.emit('eq', [x, i32(y)], {}, 'i1')
  const or = (list: Instr[]): Instr => list.reduce((x, y) => b.emit('or', [x, y]))
  const load = (at: Instr, offset: number, width: 1 | 2): Instr => {
    const raw = b.emit('load', [mem, at], { width, offset, checked: true }, 'i32')
    return width === 2 ? b.emit('bswap16', [raw]) : raw
  }
  const hash = b.variable('i32')
  const position = { at: 0 }
  b.write(hash, i32(0))
  /** Mixes `count` bytes of the packet into the hash, if the field is chosen. */
  const mix = (chosen: boolean, at: Instr, offset: number, count: number): void => {
    if (!chosen) return
    for (let k = 0; k < count; k++) {
      const byte = b.emit('shl', [load(at, offset + k, 1), i32(2)])
      const entry = { object: steeringObject, width: 4, offset: position.at++ * 1024 }
      b.write(hash, b.emit('xor', [b.read(hash), b.emit('state.load', [byte], entry, 'i32')]))
    }
  }
  const when = (cond: Instr, then: () => void): void => {
    const [yes, after] = [b.block(), b.block()]
    b.branch(cond, yes, after)
    b.seal(yes)
    b.at(yes)
    then()
    b.jump(after)
    b.seal(after)
    b.at(after)
  }
  const ports = (at: Instr, offset: number, protocol: Instr, first: Instr): void => {
    if (!fields.sourcePort && !fields.destinationPort) return
    const has = b.emit('and', [or(protocolsWithPorts.map(p => eq(protocol, p))), first])
    const here = position.at
    when(has, () => {
      mix(fields.sourcePort, at, offset, 2)
      mix(fields.destinationPort, at, offset + 2, 2)
    })
    position.at = here
  }

  const base = b.variable('i32')
  const type = b.variable('i32')
  b.write(base, i32(14))
  b.write(type, load(i32(0), 12, 2))
  for (let tag = 0; tag < 2; tag++)
    when(or([eq(b.read(type), etherTypes.vlan), eq(b.read(type), etherTypes.serviceVlan)]), () => {
      b.write(type, load(b.read(base), 2, 2))
      b.write(base, add(b.read(base), 4))
    })
  when(eq(b.read(type), etherTypes.ipv4), () => {
    const at = b.read(base)
    position.at = 0
    mix(fields.source, at, 12, 4)
    mix(fields.destination, at, 16, 4)
    const words = b.emit('and', [load(at, 0, 1), i32(15)])
    const fragment = b.emit('and', [load(at, 6, 2), i32(0x1fff)])
    const transport = b.emit('add', [at, b.emit('shl', [words, i32(2)])])
    ports(transport, 0, load(at, 9, 1), eq(fragment, 0))
  })
  when(eq(b.read(type), etherTypes.ipv6), () => {
    const at = b.read(base)
    position.at = 0
    mix(fields.source, at, 8, 16)
    mix(fields.destination, at, 24, 16)
    ports(at, 40, load(at, 6, 1), b.const('i1', 1))
  })
  const index = b.emit('shl', [b.emit('and', [b.read(hash), i32(indirectionEntries - 1)]), i32(2)])
  b.return([b.emit('state.load', [index], { object: steeringObject, width: 4, offset: tableBytes }, 'i32')])
  return b.finish()
}
