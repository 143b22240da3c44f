// Steering as a compiled function: from a packet to the worker its shard belongs to.
//
// Does what a NIC with receive-side scaling does: picks the hash input by what the packet is, hashes it with Toeplitz
// tables, and leaves the rest to the loop that calls it. It reads packets through the views that programs use, so
// that it sees ports exactly where a program does: later fragments hash on addresses only, having no ports; what is
// neither IPv4 nor IPv6 goes to worker 0. A NIC that parses less is what `--fields source,destination` shows.

import { FunctionBuilder } from '../ir/builder.js'
import type { Func, Instr } from '../ir/types.js'
import { memberInfo } from '../lang/members.js'
import { loadRaw } from '../lang/views-value.js'
import { readMember, rootView } from '../lang/views.js'
import type { PacketContext, ViewValue } from '../lang/views.js'
import { indirectionEntries, standardKey, steeringLayout, symmetricKey, toeplitzTables } from './toeplitz.js'

/** The header fields a NIC can hash. */
export interface SteeringFields {
  readonly source: boolean
  readonly destination: boolean
  readonly sourcePort: boolean
  readonly destinationPort: boolean
  /** Both directions of a connection must meet: use the symmetric key. */
  readonly symmetric: boolean
}

/** Name under which the steering block is known to the backend. */
export const steeringObject = 'steering'

/** The steering block for n workers: entry i of the indirection table names worker i mod n. */
export function steeringBlock(fields: SteeringFields, workers: number): Uint8Array {
  const words = new Uint32Array(steeringLayout.size / 4)
  words.set(toeplitzTables(fields.symmetric ? symmetricKey : standardKey))
  for (let i = 0; i < indirectionEntries; i++) words[steeringLayout.indirection / 4 + i] = i % workers
  return new Uint8Array(words.buffer)
}

/** The function `steer`: the packet's hash, i32. Its low bits are the bucket, whose worker the indirection table has. */
export function steeringFunction(fields: SteeringFields): Func {
  const builder = new FunctionBuilder('steer', [], 'i32')
  const memory = builder.variable('mem')
  builder.write(memory, builder.emit('packet', []))
  const context: PacketContext = { builder, memory, frame: builder.const('i32', 0) }
  const hash = builder.variable('i32')
  builder.write(hash, builder.const('i32', 0))
  const emit = (op: string, a: Instr, b: number): Instr => builder.emit(op, [a, builder.const(a.type, b)])

  /** Mixes `bytes` bytes of the packet into the hash, as they stand there; `at` is their place in the hash input. */
  const mix = (base: Instr, offset: number, bytes: number, at: number): void => {
    for (let k = 0; k < bytes; k++) {
      const index = emit('shl', loadRaw(context, base, offset + k, 1), 2)
      const entry = { object: steeringObject, width: 4, offset: 1024 * (at + k) }
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
  /** Mixes the fields of a view that are chosen; answers the place behind them. */
  const mixFields = (
    view: ViewValue,
    fields: readonly [name: string, chosen: boolean][],
    at: number,
  ): number => {
    let position = at
    for (const [name, chosen] of fields) {
      if (!chosen) continue
      const info = memberInfo(view.protocol, name)
      if (info?.kind !== 'field') throw new Error(`${name} is no field`)
      mix(view.base, info.field.bit / 8, info.field.bits / 8, position)
      position += info.field.bits / 8
    }
    return position
  }
  const viewIn = (view: ViewValue, name: string): ViewValue => {
    const child = readMember(context, view, name)
    if (child.kind !== 'view') throw new Error(`${name} is no view`)
    return child.view
  }

  const root = rootView(context)
  for (const protocol of ['ipv4', 'ipv6']) {
    const ip = viewIn(root, protocol)
    when(ip.present, () => {
      const addresses: [string, boolean][] = [
        ['source', fields.source],
        ['destination', fields.destination],
      ]
      const at = mixFields(ip, addresses, 0)
      if (!fields.sourcePort && !fields.destinationPort) return
      // All three begin with the ports, so one look at the bytes does for whichever it is.
      const [tcp, ...others] = ['tcp', 'udp', 'sctp'].map(name => viewIn(ip, name))
      const present = others.reduce((sum, view) => builder.emit('or', [sum, view.present]), tcp.present)
      const ports: [string, boolean][] = [
        ['sourcePort', fields.sourcePort],
        ['destinationPort', fields.destinationPort],
      ]
      when(present, () => mixFields(tcp, ports, at))
    })
  }
  builder.return([builder.read(hash)])
  return builder.finish()
}
