// BTF bytes taken apart: what btf.ts writes, and what clang and the kernel write of the same kinds.
//
// The other half of btf.ts: tests hold the two together, and judge by it what is loaded and what objects contain.
// Promises: reads untrusted bytes and never throws; whatever does not fit, or is of a kind we do not write, is an
// error with its place.

import { btfEncodings, btfHeaderBytes, btfKinds, btfMagic } from './btf.js'
import type { TypeId } from './btf.js'

export interface BtfMember {
  readonly name: string
  readonly type: TypeId
  /** Bytes from the start. */
  readonly offset: number
}

/** A type; its number is its index in the list, and index 0 is void. */
export type BtfType =
  | { readonly kind: 'void' }
  | { readonly kind: 'int'; readonly name: string; readonly size: number; readonly encoding: Encoding }
  | { readonly kind: 'pointer'; readonly type: TypeId }
  | { readonly kind: 'array'; readonly type: TypeId; readonly index: TypeId; readonly length: number }
  | {
      readonly kind: 'struct'
      readonly name: string
      readonly size: number
      readonly members: readonly BtfMember[]
    }
  | { readonly kind: 'forward'; readonly name: string }
  | { readonly kind: 'typedef'; readonly name: string; readonly type: TypeId }
  | { readonly kind: 'function'; readonly name: string; readonly type: TypeId; readonly linkage: number }
  | {
      readonly kind: 'prototype'
      readonly type: TypeId
      readonly params: readonly Omit<BtfMember, 'offset'>[]
    }
  | { readonly kind: 'variable'; readonly name: string; readonly type: TypeId; readonly linkage: number }
  | {
      readonly kind: 'section'
      readonly name: string
      readonly size: number
      readonly variables: readonly {
        readonly variable: TypeId
        readonly offset: number
        readonly size: number
      }[]
    }

type Encoding = keyof typeof btfEncodings

export interface BtfContents {
  readonly types: readonly BtfType[]
  /** The string at an offset of the string section; empty if there is none. */
  readonly string: (offset: number) => string
}

export type BtfResult =
  { readonly ok: true; readonly btf: BtfContents } | { readonly ok: false; readonly error: string }

/** Reads a whole object. */
export function readBtf(bytes: Uint8Array): BtfResult {
  if (bytes.length < btfHeaderBytes) return fail(`${bytes.length} bytes are no BTF header`)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  if (view.getUint16(0, true) !== btfMagic || view.getUint8(2) !== 1)
    return fail('this is not BTF of version 1, little-endian')
  const [header, typesAt, typesLength, stringsAt, stringsLength] = [4, 8, 12, 16, 20].map(at =>
    view.getUint32(at, true),
  )
  if (header + typesAt + typesLength > bytes.length || header + stringsAt + stringsLength > bytes.length)
    return fail('a section ends beyond the bytes')
  const strings = bytes.subarray(header + stringsAt, header + stringsAt + stringsLength)
  const string = (offset: number): string => {
    const end = strings.indexOf(0, offset)
    return end < 0 ? '' : new TextDecoder().decode(strings.subarray(offset, end))
  }
  const types: BtfType[] = [{ kind: 'void' }]
  const end = header + typesAt + typesLength
  for (let at = header + typesAt; at < end;) {
    const read = readType(view, at, end, string)
    if (typeof read === 'string') return fail(`type ${types.length} at byte ${at}: ${read}`)
    types.push(read.type)
    at = read.end
  }
  return { ok: true, btf: { types, string } }
}

const fail = (error: string): BtfResult => ({ ok: false, error })

/** One type, or what is wrong with it. */
function readType(
  view: DataView,
  at: number,
  end: number,
  string: (offset: number) => string,
): { readonly type: BtfType; readonly end: number } | string {
  if (at + 12 > end) return 'its head is cut off'
  const info = view.getUint32(at + 4, true)
  const [number, length] = [(info >>> 24) & 31, info & 0xffff]
  const kind = (Object.keys(btfKinds) as (keyof typeof btfKinds)[]).find(k => btfKinds[k] === number)
  if (kind === undefined) return `kind ${number} is none that we write`
  if (info >>> 31 !== 0 && kind !== 'forward') return 'its members are bit fields'
  const size = at + 12 + tailBytes[kind](length)
  if (size > end) return 'its end is cut off'
  const word = (k: number): number => view.getUint32(at + 12 + 4 * k, true)
  const name = string(view.getUint32(at, true))
  const second = view.getUint32(at + 8, true)
  const items = Array.from({ length }, (_, k) => k)
  const types: Readonly<Record<typeof kind, () => BtfType>> = {
    int: () => ({ kind: 'int', name, size: second, encoding: encodingOf(word(0)) }),
    pointer: () => ({ kind: 'pointer', type: second }),
    array: () => ({ kind: 'array', type: word(0), index: word(1), length: word(2) }),
    struct: () => ({
      kind: 'struct',
      name,
      size: second,
      members: items.map(k => ({
        name: string(word(3 * k)),
        type: word(3 * k + 1),
        offset: word(3 * k + 2) / 8,
      })),
    }),
    forward: () => ({ kind: 'forward', name }),
    typedef: () => ({ kind: 'typedef', name, type: second }),
    function: () => ({ kind: 'function', name, type: second, linkage: length }),
    prototype: () => ({
      kind: 'prototype',
      type: second,
      params: items.map(k => ({ name: string(word(2 * k)), type: word(2 * k + 1) })),
    }),
    variable: () => ({ kind: 'variable', name, type: second, linkage: word(0) }),
    section: () => ({
      kind: 'section',
      name,
      size: second,
      variables: items.map(k => ({
        variable: word(3 * k),
        offset: word(3 * k + 1),
        size: word(3 * k + 2),
      })),
    }),
  }
  return { type: types[kind](), end: size }
}

/** Bytes behind the three words that every type has, by its count of members. */
const tailBytes: Readonly<Record<keyof typeof btfKinds, (length: number) => number>> = {
  int: () => 4,
  pointer: () => 0,
  array: () => 12,
  struct: n => 12 * n,
  forward: () => 0,
  typedef: () => 0,
  function: () => 0,
  prototype: n => 8 * n,
  variable: () => 4,
  section: n => 12 * n,
}

const encodingOf = (word: number): Encoding =>
  (Object.keys(btfEncodings) as Encoding[]).find(e => btfEncodings[e] === ((word >>> 24) & 15)) ?? 'unsigned'

/** Bytes of a value of that type; 0 for what has none. Types that contain themselves count as 0. */
export function sizeOfType(types: readonly BtfType[], id: TypeId, depth = 0): number {
  const type = types[id]
  if (type === undefined || depth > 32) return 0
  switch (type.kind) {
    case 'int':
    case 'struct':
    case 'section':
      return type.size
    case 'pointer':
      return 8
    case 'array':
      return type.length * sizeOfType(types, type.type, depth + 1)
    case 'typedef':
    case 'variable':
      return sizeOfType(types, type.type, depth + 1)
    default:
      return 0
  }
}
