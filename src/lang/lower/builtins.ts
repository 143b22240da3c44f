// Calls of what programs import: conversions, redirect, random, durations, and declarations of state.
//
// A declaration is legal only as the initialiser of a module constant, which names it; declare.ts reads its options.

import type { Ts } from '../typescript.js'
import { bytesType, scalars } from '../types.js'
import type { ScalarType } from '../types.js'
import { addressConstant } from './addresses.js'
import { convert, toType } from './convert.js'
import { declare, declarations } from './declare.js'
import { expression } from './expressions.js'
import type { Lowering } from './lowering.js'
import { random } from './random.js'
import { constant, errorValue, scalar } from './value.js'
import type { Value } from './value.js'

/** Nanoseconds in one unit of the duration functions. */
const durations: Readonly<Record<string, bigint>> = {
  microseconds: 1000n,
  milliseconds: 1_000_000n,
  seconds: 1_000_000_000n,
  minutes: 60_000_000_000n,
}

/** Types under the name of their conversion function or namespace. */
export const typeNames: Readonly<Record<string, ScalarType>> = {
  u8: scalars.u8,
  u16: scalars.u16,
  u32: scalars.u32,
  i32: scalars.i32,
  u64: scalars.u64,
  i64: scalars.i64,
  bool: scalars.bool,
  ipv4: scalars.Ipv4Address,
  ipv6: scalars.Ipv6Address,
  mac: scalars.MacAddress,
  port: scalars.Port,
  EtherType: scalars.EtherType,
  IpProtocol: scalars.IpProtocol,
}

/** Calls an imported function or converts to an imported type. */
export function callBuiltin(
  l: Lowering,
  node: Ts.CallExpression,
  callee: Extract<Value, { kind: 'builtin' | 'type' }>,
): Value {
  if (callee.kind === 'type') return conversion(l, node, callee.type)
  const { name } = callee
  if (Object.hasOwn(typeNames, name)) return conversion(l, node, typeNames[name])
  if (declarations.has(name)) return declare(l, node, name)
  const args = node.arguments.map(a => expression(l, a))
  if (Object.hasOwn(durations, name)) {
    const [count] = args
    if (count?.kind !== 'constant') return l.report('constantExpected', { what: `the argument of ${name}()` })
    return { kind: 'duration', nanoseconds: count.value * durations[name] }
  }
  if (name === 'bytes') {
    const [count] = args
    if (count?.kind !== 'constant') return l.report('constantExpected', { what: 'the argument of bytes()' })
    if (count.value < 1n || count.value > 64n) return l.report('byteCount', { found: count.value })
    return { kind: 'type', type: bytesType(Number(count.value)) }
  }
  if (name === 'redirect') return redirect(l, args[0])
  if (name === 'random') {
    if (!l.inFunction) return l.report('outsideFunction', { what: 'random()' })
    return random(l, args[0])
  }
  return errorValue
}

function conversion(l: Lowering, node: Ts.CallExpression, type: ScalarType): Value {
  const [argument] = node.arguments
  const value = argument ? expression(l, argument) : errorValue
  if (value.kind === 'error') return value
  if (value.kind === 'text') return addressConstant(l, type, value.text)
  return convert(l, value, type) ?? errorValue
}

/** Verdict 4 with the device in bits 8 and up. */
function redirect(l: Lowering, device: Value | undefined): Value {
  if (!device || device.kind === 'error') return errorValue
  if (device.kind === 'constant' && device.value >= 0n && device.value < 1n << 24n)
    return constant('number', 4n | (device.value << 8n), scalars.Verdict)
  const number = toType(l, device, scalars.u32)
  if (!number) return errorValue
  const shifted = l.builder.emit('shl', [number.leaves[0], l.builder.const('i32', 8)])
  return scalar(scalars.Verdict, l.builder.emit('or', [shifted, l.builder.const('i32', 4)]))
}
