// random(): a keyed function of (seed, sequence number, draw site, iteration), so that every replica that sees the
// packet draws the same number and none has to remember anything.
//
//   x = seed + (sequence + 1) * G      x = x ^ mix(site)      for each open loop: x = (x + counter + 1) * G
//   mix(x)                             draw = hi32(x)         random(n) = hi32(draw * n)
//
// mix is the finaliser of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014). Sites count the calls in the order in which
// they are inlined.

import type { Instr } from '../../ir/types.js'
import { scalars } from '../types.js'
import { toType } from './convert.js'
import type { Lowering } from './lowering.js'
import { errorValue, scalar } from './value.js'
import type { Value } from './value.js'

const golden = 0x9e3779b97f4a7c15n
const steps = [
  [30n, 0xbf58476d1ce4e5b9n],
  [27n, 0x94d049bb133111ebn],
] as const

/** mix on a bigint: what the emitted code computes, for the site constant and for tests. */
export function mix(value: bigint): bigint {
  let x = BigInt.asUintN(64, value)
  for (const [shift, factor] of steps) x = BigInt.asUintN(64, (x ^ (x >> shift)) * factor)
  return x ^ (x >> 31n)
}

/** The draw as plain arithmetic: the specification that tests compare with. */
export function draw(seed: bigint, sequence: bigint, site: number, counters: readonly bigint[]): bigint {
  let x = BigInt.asUintN(64, seed + (sequence + 1n) * golden) ^ mix(BigInt(site))
  for (const c of counters) x = BigInt.asUintN(64, (x + c + 1n) * golden)
  return mix(x) >> 32n
}

/** Emits random() or random(below). */
export function random(l: Lowering, below: Value | undefined): Value {
  const { builder } = l
  const k = (v: bigint): Instr => builder.const('i64', v)
  const seed = builder.emit('input', [], { name: 'seed' }, 'i64')
  const sequence = l.named(builder.emit('input', [], { name: 'sequence' }, 'i64'), 'packet.sequence')
  const step = builder.emit('mul', [builder.emit('add', [sequence, k(1n)]), k(golden)])
  let x = builder.emit('xor', [builder.emit('add', [seed, step]), k(mix(BigInt(l.draws++)))])
  for (const counter of l.iterations) {
    const wide = builder.emit('zext', [builder.read(counter)], {}, 'i64')
    x = builder.emit('mul', [builder.emit('add', [builder.emit('add', [x, wide]), k(1n)]), k(golden)])
  }
  for (const [shift, factor] of steps)
    x = builder.emit('mul', [builder.emit('xor', [x, builder.emit('shru', [x, k(shift)])]), k(factor)])
  x = builder.emit('xor', [x, builder.emit('shru', [x, k(31n)])])
  x = builder.emit('shru', [x, k(32n)])
  if (!below || below.kind === 'undefined') return scalar(scalars.u32, builder.emit('trunc', [x]))
  const n = toType(l, below, scalars.u32)
  if (!n) return errorValue
  const scaled = builder.emit('mul', [x, builder.emit('zext', [n.leaves[0]], {}, 'i64')])
  return scalar(scalars.u32, builder.emit('trunc', [builder.emit('shru', [scaled, k(32n)])]))
}
