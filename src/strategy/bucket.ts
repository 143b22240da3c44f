// The hash that steers an entry's packets, read back from its key.
//
// Sharding is sound because the fields that steer a packet can be read back from every key it looks up
// (analysis/sharding.ts). Here that is done: from the leaves of a key to the bytes that the steering would hash.
// Where a key may have been made in several ways, any that fits gives the same hash; the analysis has made sure.

import type { Alternative, KeyLeaf, ShardField } from '../analysis/sharding-key.js'
import type { SteeringFields } from './steering.js'
import { standardKey, symmetricKey, toeplitz } from './toeplitz.js'

/** The keys of an object that is spread by buckets, as plain data. */
export interface ShardKeys {
  readonly object: string
  readonly alternatives: readonly Pick<Alternative, 'leaves' | 'portless'>[]
}

const order: readonly ShardField[] = ['source', 'destination', 'sourcePort', 'destinationPort']
const bytesOf: Readonly<Record<string, number>> = { ipv4: 4, 'ipv6 high': 8, 'ipv6 low': 8, port: 2 }

/** The hash of a key's packets, given its leaves as they stand in the table; undefined if no way of making it fits. */
export function hashOf(
  keys: ShardKeys,
  leaves: readonly bigint[],
  fields: SteeringFields,
): number | undefined {
  for (const { leaves: made, portless } of keys.alternatives) {
    if (!made.every((leaf, k) => leaf.kind !== 'constant' || leaf.value === leaves[k])) continue
    const input = inputOf(made, leaves, fields, portless)
    if (!input) continue
    const key = fields.symmetric ? symmetricKey : standardKey
    return toeplitz(key, Uint8Array.from(input))
  }
  return undefined
}

/** A byte of the hash's input: which leaf it is in, what to undo to the leaf, in order, and its place in the result. */
export interface InputByte {
  readonly leaf: number
  readonly done: readonly (readonly ['swap' | 'xor' | 'add' | 'sub', amount: bigint])[]
  readonly byte: number
}

/**
 * The bytes that steering hashes, for code that does what hashOf does; a byte that is always 0 is undefined. Undefined if a
 * field is not in a key that is made this way.
 */
export function keyInput(
  made: readonly KeyLeaf[],
  fields: SteeringFields,
  portless: boolean,
): (InputByte | undefined)[] | undefined {
  const input: (InputByte | undefined)[] = []
  for (const field of order) {
    if (!fields[field]) continue
    const parts = new Map<string, InputByte[]>()
    made.forEach((leaf, k) => {
      if (leaf.kind !== 'field' || leaf.field !== field || parts.has(leaf.part)) return
      const done = undoing(leaf.done)
      parts.set(
        leaf.part,
        Array.from({ length: bytesOf[leaf.part] }, (_, byte) => ({ leaf: k, done, byte })),
      )
    })
    const [high, low] = [parts.get('ipv6 high'), parts.get('ipv6 low')]
    const bytes = high && low ? [...high, ...low] : (parts.get('ipv4') ?? parts.get('port'))
    if (bytes) input.push(...bytes)
    else if (field.endsWith('Port') && (portless || hasZero(made))) input.push(undefined, undefined)
    else return undefined
  }
  return input
}

/** What undoes the steps that were done to a load. */
function undoing(done: string): InputByte['done'] {
  return (done === '' ? [] : done.split(',')).flatMap((step): InputByte['done'] => {
    const [name, amount] = step.split(' ')
    if (name.startsWith('bswap')) return [['swap', BigInt(Number(name.slice(5)) / 8)]]
    if (name === 'xor') return [['xor', BigInt.asUintN(64, BigInt(amount))]]
    if (name === 'add') return [['sub', BigInt.asUintN(64, BigInt(amount))]]
    if (name === 'sub') return [['add', BigInt.asUintN(64, BigInt(amount))]]
    return []
  })
}

/** The bytes that steering hashes; undefined if a field is not in the key as it was made this way. */
function inputOf(
  made: readonly KeyLeaf[],
  leaves: readonly bigint[],
  fields: SteeringFields,
  portless: boolean,
): number[] | undefined {
  const input: number[] = []
  for (const field of order) {
    if (!fields[field]) continue
    const bytes = fieldBytes(made, leaves, field)
    if (bytes) input.push(...bytes)
    else if (field.endsWith('Port')) {
      // No ports are hashed as zeros, and zeros are what a key has in their place.
      if (portless || hasZero(made)) input.push(0, 0)
      else return undefined
    } else return undefined
  }
  return input
}

const hasZero = (made: readonly KeyLeaf[]): boolean =>
  made.some(leaf => leaf.kind === 'constant' && leaf.value === 0n)

/** A field's bytes in network order, put together from its parts. */
function fieldBytes(
  made: readonly KeyLeaf[],
  leaves: readonly bigint[],
  field: ShardField,
): number[] | undefined {
  const parts = new Map<string, number[]>()
  made.forEach((leaf, k) => {
    if (leaf.kind !== 'field' || leaf.field !== field || parts.has(leaf.part)) return
    parts.set(leaf.part, loadedBytes(leaves[k], leaf.done, bytesOf[leaf.part]))
  })
  const [high, low] = [parts.get('ipv6 high'), parts.get('ipv6 low')]
  if (high && low) return [...high, ...low]
  return parts.get('ipv4') ?? parts.get('port')
}

/** Undoes what was done to a load of `bytes` bytes (little-endian, as all loads of packet bytes) to make a leaf. */
function loadedBytes(leaf: bigint, done: string, bytes: number): number[] {
  let value = leaf
  for (const step of done === '' ? [] : done.split(',')) {
    const [name, amount] = step.split(' ')
    if (name.startsWith('bswap')) value = swap(value, Number(name.slice(5)) / 8)
    else if (name === 'xor') value ^= BigInt.asUintN(64, BigInt(amount))
    else if (name === 'add') value -= BigInt(amount)
    else if (name === 'sub') value += BigInt(amount)
  }
  return Array.from({ length: bytes }, (_, k) => Number((BigInt.asUintN(64, value) >> BigInt(8 * k)) & 0xffn))
}

/** The low `bytes` bytes in reverse order. */
function swap(value: bigint, bytes: number): bigint {
  let swapped = 0n
  for (let k = 0; k < bytes; k++)
    swapped = (swapped << 8n) | ((BigInt.asUintN(64, value) >> BigInt(8 * k)) & 0xffn)
  return swapped
}
