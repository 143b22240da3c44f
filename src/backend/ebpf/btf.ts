// BTF, the kernel's type information, as bytes: types, functions and strings.
//
// A builder hands out type numbers, 1 and up; equal scalars and strings are written once. The bytes are those of
// linux/btf.h: a header, the types, the strings. Promises: deterministic; names are made acceptable to the kernel.
// btf-read.ts takes the bytes apart again; map-types.ts and debug.ts say what a program puts in.

export const btfMagic = 0xeb9f
export const btfHeaderBytes = 24

/** Kinds of types: bits 24 to 28 of a type's second word. */
export const btfKinds = {
  int: 1,
  pointer: 2,
  array: 3,
  struct: 4,
  forward: 7,
  typedef: 8,
  function: 12,
  prototype: 13,
  variable: 14,
  section: 15,
} as const
const kinds = btfKinds

/** What an integer is: bits 24 to 27 of its last word. */
export const btfEncodings = { unsigned: 0, signed: 1, boolean: 4 } as const

/** How a function or a variable is visible: functions that are global are verified once, by themselves. */
export const linkage = { local: 0, global: 1 } as const

/** Number of a type; 0 is void. */
export type TypeId = number

export interface Member {
  readonly name: string
  readonly type: TypeId
  /** Bytes from the start of the structure. */
  readonly offset: number
}

export interface SectionVariable {
  readonly variable: TypeId
  /** Bytes from the start of the section. */
  readonly offset: number
  readonly size: number
}

/** Anything but letters, digits and `_` becomes `_`: what every kernel that has BTF accepts as a name. */
export const typeName = (name: string): string =>
  name.replaceAll(/[^A-Za-z0-9_]/g, '_').replace(/^(?=[0-9])/, '_')

export class Btf {
  private readonly words: number[] = []
  private readonly strings = new Map<string, number>([['', 0]])
  private stringBytes = 1
  private readonly scalars = new Map<string, TypeId>()
  private count = 0

  /** Offset of a string in the string section. */
  string(text: string): number {
    const known = this.strings.get(text)
    if (known !== undefined) return known
    const at = this.stringBytes
    this.strings.set(text, at)
    this.stringBytes += new TextEncoder().encode(text).length + 1
    return at
  }

  /** An unsigned integer of 1, 2, 4 or 8 bytes: u8, u16, u32 or u64; or any other name. */
  unsigned(bytes: number, name = `u${8 * bytes}`): TypeId {
    return this.integer(name, bytes, btfEncodings.unsigned)
  }

  /** Two's complement of 4 or 8 bytes: i32 or i64; or any other name. */
  signed(bytes: number, name = `i${8 * bytes}`): TypeId {
    return this.integer(name, bytes, btfEncodings.signed)
  }

  /** A byte that is 0 or 1. */
  boolean(): TypeId {
    return this.integer('bool', 1, btfEncodings.boolean)
  }

  /** C's int. */
  int(): TypeId {
    return this.signed(4, 'int')
  }

  /** An unsigned integer in the network's byte order: be16, be32 or be64, other names for u16, u32 and u64. */
  bigEndian(bytes: number): TypeId {
    const name = `be${8 * bytes}`
    return this.once(name, () => this.type(kinds.typedef, name, 0, this.unsigned(bytes), []))
  }

  /** The kernel's lock of 4 bytes; a map's value may hold one, at a multiple of 4. */
  spinLock(): TypeId {
    const member = (): Member => ({ name: 'val', type: this.unsigned(4), offset: 0 })
    return this.once('struct bpf_spin_lock', () => this.struct('bpf_spin_lock', 4, [member()]))
  }

  pointer(to: TypeId): TypeId {
    return this.once(`*${to}`, () => this.type(kinds.pointer, '', 0, to, []))
  }

  array(element: TypeId, length: number): TypeId {
    const index = this.unsigned(4)
    return this.type(kinds.array, '', 0, 0, [element, index, length])
  }

  struct(name: string, size: number, members: readonly Member[]): TypeId {
    const rest = members.flatMap(m => [this.string(typeName(m.name)), m.type, 8 * m.offset])
    return this.type(kinds.struct, typeName(name), members.length, size, rest)
  }

  /** A structure that is only known by name. */
  forward(name: string): TypeId {
    return this.once(`struct ${name}`, () => this.type(kinds.forward, name, 0, 0, []))
  }

  /** A function with its prototype. */
  function(name: string, visible: number, result: TypeId, params: readonly Omit<Member, 'offset'>[]): TypeId {
    const rest = params.flatMap(p => [this.string(typeName(p.name)), p.type])
    const prototype = this.type(kinds.prototype, '', params.length, result, rest)
    return this.type(kinds.function, typeName(name), visible, prototype, [])
  }

  /** A variable that other files may see; it stands in a section. */
  variable(name: string, type: TypeId): TypeId {
    return this.type(kinds.variable, typeName(name), 0, type, [linkage.global])
  }

  /** A section of an object file with its variables, by rising offset. */
  section(name: string, size: number, variables: readonly SectionVariable[]): TypeId {
    const rest = variables.flatMap(v => [v.variable, v.offset, v.size])
    return this.type(kinds.section, name, variables.length, size, rest)
  }

  /** The whole object. */
  bytes(): Uint8Array<ArrayBuffer> {
    const typeBytes = 4 * this.words.length
    const bytes = new Uint8Array(new ArrayBuffer(btfHeaderBytes + typeBytes + this.stringBytes))
    const view = new DataView(bytes.buffer)
    view.setUint16(0, btfMagic, true)
    view.setUint8(2, 1)
    for (const [k, word] of [btfHeaderBytes, 0, typeBytes, typeBytes, this.stringBytes].entries())
      view.setUint32(4 + 4 * k, word, true)
    this.words.forEach((w, k) => view.setUint32(btfHeaderBytes + 4 * k, w, true))
    for (const [text, at] of this.strings)
      bytes.set(new TextEncoder().encode(text), btfHeaderBytes + typeBytes + at)
    return bytes
  }

  private integer(name: string, bytes: number, encoding: number): TypeId {
    return this.once(name, () => this.type(kinds.int, name, 0, bytes, [(encoding << 24) | (8 * bytes)]))
  }

  private once(key: string, make: () => TypeId): TypeId {
    let id = this.scalars.get(key)
    if (id === undefined) this.scalars.set(key, (id = make()))
    return id
  }

  private type(
    kind: number,
    name: string,
    length: number,
    sizeOrType: number,
    rest: readonly number[],
  ): TypeId {
    this.words.push(this.string(name), (kind << 24) | length, sizeOrType >>> 0, ...rest)
    return ++this.count
  }
}
