// Which version of the packet a load really depends on: stores that cannot touch its bytes are passed over, also where
// paths meet. Addresses are compared as base + offset with equal bases, and otherwise by their ranges.

import type { Instr } from '../ir/types.js'
import type { Ranges } from './ranges.js'

/** Bytes of the packet: `width` of them at base + offset; no base means 0. */
export interface Access {
  readonly base: Instr | undefined
  readonly offset: bigint
  readonly width: bigint
}

/** The bytes that a load or store touches. Its address is operand 1, as in the op table. */
export function accessOf(i: Instr): Access {
  const [, address] = i.args
  const offset = BigInt(i.attrs.offset as number)
  const width = BigInt(i.attrs.width as number)
  if (address.op === 'const') return { base: undefined, offset: offset + BigInt(address.attrs.value), width }
  return { base: address, offset, width }
}

export const sameBytes = (a: Access, b: Access): boolean =>
  a.base === b.base && a.offset === b.offset && a.width === b.width

function apart(a: Access, b: Access, ranges: () => Ranges): boolean {
  if (a.base === b.base) return a.offset + a.width <= b.offset || b.offset + b.width <= a.offset
  const lowest = (x: Access): bigint => (x.base ? ranges().of(x.base).lo : 0n) + x.offset
  const end = (x: Access): bigint => (x.base ? ranges().of(x.base).hi : 0n) + x.offset + x.width
  return end(a) <= lowest(b) || end(b) <= lowest(a)
}

/** The oldest version in which these bytes are what they are in `version`. */
export function settledVersion(version: Instr, access: Access, ranges: () => Ranges): Instr {
  return settle(version, access, ranges, new Set())
}

function settle(version: Instr, access: Access, ranges: () => Ranges, open: Set<Instr>): Instr {
  let v = version
  while (v.op === 'store' && apart(accessOf(v), access, ranges)) v = v.args[0]
  if (v.op !== 'phi' || open.has(v)) return v
  open.add(v)
  const from = new Set(v.args.map(a => settle(a, access, ranges, open)).filter(a => !open.has(a)))
  open.delete(v)
  return from.size === 1 ? [...from][0] : v
}
