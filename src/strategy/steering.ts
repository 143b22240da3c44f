// Steering as a compiled function: from a packet to the worker its shard belongs to.
//
// Does what a NIC with receive-side scaling does: picks the hash input by what the packet is, hashes it with Toeplitz
// tables, and looks the worker up in an indirection table. It reads packets through the views that programs use, so
// that it sees ports exactly where a program does: later fragments hash on addresses only, having no ports; what is
// neither IPv4 nor IPv6 goes to worker 0. A NIC that parses less is what `--fields source,destination` shows.

import { FunctionBuilder } from '../ir/builder.js'
import type { Func, Instr } from '../ir/types.js'
import { readMember, rootView } from '../lang/views.js'
import type { PacketContext, ViewValue } from '../lang/views.js'
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

/** The function `steer`: the worker's number, i32. */
export function steeringFunction(fields: SteeringFields): Func {
  const builder = new FunctionBuilder('steer', [], 'i32')
  const memory = builder.variable('mem')
  builder.write(memory, builder.emit('packet', []))
  const context: PacketContext = { builder, memory, frame: builder.const('i32', 0) }
  const hash = builder.variable('i32')
  builder.write(hash, builder.const('i32', 0))
  const emit = (op: string, a: Instr, b: number): Instr => builder.emit(op, [a, builder.const(a.type, b)])

  /** Mixes a value's leaves into the hash, most significant byte first; `at` is its place in the hash input. */
  const mix = (leaves: readonly Instr[], bytes: number, at: number): void => {
    let position = at
    for (const leaf of leaves)
      for (let shift = (8 * bytes) / leaves.length - 8; shift >= 0; shift -= 8) {
        const byte = emit('and', emit('shru', leaf, shift), 0xff)
        const index = emit('shl', byte.type === 'i64' ? builder.emit('trunc', [byte]) : byte, 2)
        const entry = { object: steeringObject, width: 4, offset: 1024 * position++ }
        const word = builder.emit('state.load', [index], entry, 'i32')
        builder.write(hash, builder.emit('xor', [builder.read(hash), word]))
      }
  }
  const when = (cond: Instr, then: () => void): void => {
    const [yes, after] = [builder.block(), builder.block()]
    builder.branch(cond, yes, after)
    builder.seal(yes)
    builder.at(yes)
    then()
    builder.jump(after)
    builder.seal(after)
    builder.at(after)
  }
  /** Mixes two neighbouring fields, as far as they are chosen; answers the place behind them. */
  const mixPair = (
    view: ViewValue,
    names: [string, string],
    chosen: [boolean, boolean],
    bytes: number,
    at: number,
  ) => {
    let position = at
    names.forEach((name, k) => {
      if (!chosen[k]) return
      const member = readMember(context, view, name)
      if (member.kind !== 'scalar') throw new Error(`${name} is no value`)
      mix(member.value, bytes, position)
      position += bytes
    })
    return position
  }
  const inView = (view: ViewValue, name: string, then: (child: ViewValue) => void): void => {
    const child = readMember(context, view, name)
    if (child.kind !== 'view') throw new Error(`${name} is no view`)
    when(child.view.present, () => then(child.view))
  }

  const root = rootView(context)
  for (const [protocol, bytes] of [
    ['ipv4', 4],
    ['ipv6', 16],
  ] as const)
    inView(root, protocol, ip => {
      const at = mixPair(ip, ['source', 'destination'], [fields.source, fields.destination], bytes, 0)
      const ports: [boolean, boolean] = [fields.sourcePort, fields.destinationPort]
      if (!ports[0] && !ports[1]) return
      for (const transport of ['tcp', 'udp', 'sctp'])
        inView(ip, transport, view => mixPair(view, ['sourcePort', 'destinationPort'], ports, 2, at))
    })
  const index = emit('shl', emit('and', builder.read(hash), indirectionEntries - 1), 2)
  const entry = { object: steeringObject, width: 4, offset: tableBytes }
  builder.return([builder.emit('state.load', [index], entry, 'i32')])
  return builder.finish()
}
