// Addresses written as text: ipv4('10.0.0.1'), ipv6('2001:db8::1'), mac('02:00:00:00:00:01').

import { leavesOf } from '../../state/declaration.js'
import { scalars } from '../types.js'
import type { ScalarType } from '../types.js'
import type { Lowering } from './lowering.js'
import { constant, scalar } from './value.js'
import type { Value } from './value.js'

/** The constant that a text stands for, or a report. */
export function addressConstant(l: Lowering, type: ScalarType, text: string): Value {
  const bytes = bytesOf(type, text)
  if (!bytes) return l.report('addressText', { text, type: type.name })
  const number = (from: number, count: number): bigint =>
    bytes.slice(from, from + count).reduce((v, b) => (v << 8n) | BigInt(b), 0n)
  if (type === scalars.Ipv4Address) return constant('number', number(0, 4), type)
  if (type === scalars.MacAddress) return constant('bigint', number(0, 6), type)
  const leaves = leavesOf({ name: '', type: 'ipv6', bytes: 16 })
  return scalar(
    type,
    ...leaves.map((leaf, k) => l.builder.const(type.leaves[k], number(leaf.offset, leaf.width))),
  )
}

function bytesOf(type: ScalarType, text: string): number[] | undefined {
  if (type === scalars.Ipv4Address) return ipv4Bytes(text)
  if (type === scalars.MacAddress) {
    const parts = text.split(/[:-]/)
    return parts.length === 6 && parts.every(p => /^[0-9a-f]{2}$/i.test(p))
      ? parts.map(p => parseInt(p, 16))
      : undefined
  }
  return type === scalars.Ipv6Address ? ipv6Bytes(text) : undefined
}

function ipv4Bytes(text: string): number[] | undefined {
  const parts = text.split('.')
  if (parts.length !== 4 || !parts.every(p => /^(0|[1-9]\d{0,2})$/.test(p) && Number(p) < 256))
    return undefined
  return parts.map(Number)
}

/** The bytes of groups between colons; none of an empty text. */
function groups(half: string): number[] | undefined {
  if (half === '') return []
  const bytes: number[] = []
  const parts = half.split(':')
  for (const [k, part] of parts.entries()) {
    if (k === parts.length - 1 && part.includes('.')) {
      const tail = ipv4Bytes(part)
      if (!tail) return undefined
      bytes.push(...tail)
    } else if (/^[0-9a-f]{1,4}$/i.test(part)) {
      const value = parseInt(part, 16)
      bytes.push(value >> 8, value & 255)
    } else return undefined
  }
  return bytes
}

/** RFC 4291 section 2.2, an embedded IPv4 address included. */
function ipv6Bytes(text: string): number[] | undefined {
  const halves = text.split('::')
  if (halves.length > 2) return undefined
  const [front, back] = [groups(halves[0]), halves.length === 2 ? groups(halves[1]) : []]
  if (!front || !back) return undefined
  const missing = 16 - front.length - back.length
  if (halves.length === 1 ? missing !== 0 : missing < 2) return undefined
  return [...front, ...Array.from({ length: missing }, () => 0), ...back]
}
