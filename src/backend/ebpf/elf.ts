// ELF64 relocatable objects for BPF, as bytes: header, sections, symbols, relocations.
//
// Knows the format and nothing of programs: object.ts says what is in an object, elf-read.ts takes the bytes apart. The
// structures are those of elf.h (System V ABI, generic part), little-endian; relocations have no addend of their own
// (SHT_REL), as libbpf expects. Promises: deterministic, every byte follows from the arguments.

export const elfHeaderBytes = 64
export const sectionHeaderBytes = 64
export const symbolBytes = 24
export const relocationBytes = 16

/** e_type and e_machine. */
export const relocatable = 1
export const machineBpf = 247

/** sh_type. */
export const sectionTypes = { bits: 1, symbols: 2, strings: 3, zeros: 8, relocations: 9 } as const
/** sh_flags. */
export const sectionFlags = { write: 1, allocate: 2, execute: 4, infoLink: 0x40 } as const
/** Low half of st_info. */
export const symbolKinds = { none: 0, object: 1, function: 2 } as const
/** High half of st_info. */
export const bindings = { local: 0, global: 1 } as const
/** Kinds of relocations: a 64-bit immediate, and the distance of a call. */
export const relocationKinds = { immediate64: 1, call32: 10 } as const

export interface ElfSymbol {
  readonly name: string
  readonly kind: keyof typeof symbolKinds
  readonly binding: keyof typeof bindings
  /** Name of the section it stands in. */
  readonly section: string
  /** Bytes from the start of the section. */
  readonly value: number
  readonly size: number
}

export interface ElfRelocation {
  /** Of the instruction, in bytes from the start of the section. */
  readonly offset: number
  readonly kind: keyof typeof relocationKinds
  /** Name of the symbol. */
  readonly symbol: string
}

export interface ElfSection {
  readonly name: string
  /** What it contains; a number is so many zeros, which take no bytes in the file. */
  readonly contents: Uint8Array | number
  /** Of `sectionFlags`. */
  readonly flags: number
  /** A power of two. */
  readonly alignment: number
  readonly relocations?: readonly ElfRelocation[]
}

export interface ElfObject {
  readonly sections: readonly ElfSection[]
  /** Local ones first. Names are unique. */
  readonly symbols: readonly ElfSymbol[]
}

/** Strings one after the other, each once; offset 0 is the empty one. */
class Strings {
  private readonly offsets = new Map<string, number>([['', 0]])
  private size = 1

  add(text: string): number {
    const known = this.offsets.get(text)
    if (known !== undefined) return known
    const at = this.size
    this.offsets.set(text, at)
    this.size += new TextEncoder().encode(text).length + 1
    return at
  }

  bytes(): Uint8Array {
    const bytes = new Uint8Array(this.size)
    for (const [text, at] of this.offsets) bytes.set(new TextEncoder().encode(text), at)
    return bytes
  }
}

/** A section as the file has it. */
interface Placed {
  readonly name: number
  readonly type: number
  readonly flags: number
  readonly link: number
  readonly info: number
  readonly alignment: number
  readonly entrySize: number
  /** Absent where the file has no bytes of it. */
  readonly bytes?: Uint8Array
  readonly size: number
}

/** The whole file: the given sections in order, their relocations, the symbols, the strings. */
export function writeElf({ sections, symbols }: ElfObject): Uint8Array<ArrayBuffer> {
  const strings = new Strings()
  const withRelocations = sections.filter(s => s.relocations?.length)
  const symbolsIndex = 1 + sections.length + withRelocations.length
  const sectionIndex = (name: string): number => {
    const k = sections.findIndex(s => s.name === name)
    if (k < 0) throw new Error(`a symbol is in section ${name}, which is not there`)
    return k + 1
  }
  const placed: Placed[] = [
    { name: 0, type: 0, flags: 0, link: 0, info: 0, alignment: 0, entrySize: 0, size: 0 },
    ...sections.map(({ name, contents, flags, alignment }) => ({
      name: strings.add(name),
      type: typeof contents === 'number' ? sectionTypes.zeros : sectionTypes.bits,
      flags,
      link: 0,
      info: 0,
      alignment,
      entrySize: 0,
      ...(typeof contents === 'number' ? { size: contents } : { bytes: contents, size: contents.length }),
    })),
    ...withRelocations.map(({ name, relocations = [] }) => {
      const bytes = relocationsOf(relocations, symbols)
      return {
        name: strings.add(`.rel${name}`),
        type: sectionTypes.relocations,
        flags: sectionFlags.infoLink,
        link: symbolsIndex,
        info: sectionIndex(name),
        alignment: 8,
        entrySize: relocationBytes,
        bytes,
        size: bytes.length,
      }
    }),
  ]
  const table = symbolsOf(symbols, strings, sectionIndex)
  placed.push({
    name: strings.add('.symtab'),
    type: sectionTypes.symbols,
    flags: 0,
    link: symbolsIndex + 1,
    info: 1 + symbols.filter(s => s.binding === 'local').length,
    alignment: 8,
    entrySize: symbolBytes,
    bytes: table,
    size: table.length,
  })
  const name = strings.add('.strtab')
  const text = strings.bytes()
  placed.push({
    name,
    type: sectionTypes.strings,
    flags: 0,
    link: 0,
    info: 0,
    alignment: 1,
    entrySize: 0,
    bytes: text,
    size: text.length,
  })
  return fileOf(placed)
}

function symbolsOf(
  symbols: readonly ElfSymbol[],
  strings: Strings,
  sectionIndex: (name: string) => number,
): Uint8Array {
  const bytes = new Uint8Array(symbolBytes * (symbols.length + 1))
  const view = new DataView(bytes.buffer)
  symbols.forEach(({ name, kind, binding, section, value, size }, k) => {
    const at = symbolBytes * (k + 1)
    view.setUint32(at, strings.add(name), true)
    view.setUint8(at + 4, (bindings[binding] << 4) | symbolKinds[kind])
    view.setUint16(at + 6, sectionIndex(section), true)
    view.setBigUint64(at + 8, BigInt(value), true)
    view.setBigUint64(at + 16, BigInt(size), true)
  })
  return bytes
}

function relocationsOf(relocations: readonly ElfRelocation[], symbols: readonly ElfSymbol[]): Uint8Array {
  const bytes = new Uint8Array(relocationBytes * relocations.length)
  const view = new DataView(bytes.buffer)
  relocations.forEach(({ offset, kind, symbol }, k) => {
    const index = symbols.findIndex(s => s.name === symbol)
    if (index < 0) throw new Error(`there is no symbol ${symbol} to relocate by`)
    view.setBigUint64(relocationBytes * k, BigInt(offset), true)
    view.setUint32(relocationBytes * k + 8, relocationKinds[kind], true)
    view.setUint32(relocationBytes * k + 12, index + 1, true)
  })
  return bytes
}

const aligned = (at: number, to: number): number => Math.ceil(at / Math.max(1, to)) * Math.max(1, to)

/** Header, contents, section headers; the last section has the names. */
function fileOf(placed: readonly Placed[]): Uint8Array<ArrayBuffer> {
  let end = elfHeaderBytes
  const offsets = placed.map(({ bytes, alignment }) => {
    const at = aligned(end, alignment)
    if (bytes) end = at + bytes.length
    return at
  })
  const headersAt = aligned(end, 8)
  const file = new Uint8Array(new ArrayBuffer(headersAt + sectionHeaderBytes * placed.length))
  const view = new DataView(file.buffer)
  // Magic, 64 bits, little-endian, version 1.
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1])
  view.setUint16(16, relocatable, true)
  view.setUint16(18, machineBpf, true)
  view.setUint32(20, 1, true)
  view.setBigUint64(40, BigInt(headersAt), true)
  view.setUint16(52, elfHeaderBytes, true)
  view.setUint16(58, sectionHeaderBytes, true)
  view.setUint16(60, placed.length, true)
  view.setUint16(62, placed.length - 1, true)
  placed.forEach((s, k) => {
    if (s.bytes) file.set(s.bytes, offsets[k])
    const at = headersAt + sectionHeaderBytes * k
    view.setUint32(at, s.name, true)
    view.setUint32(at + 4, s.type, true)
    view.setBigUint64(at + 8, BigInt(s.flags), true)
    view.setBigUint64(at + 24, BigInt(k === 0 ? 0 : offsets[k]), true)
    view.setBigUint64(at + 32, BigInt(s.size), true)
    view.setUint32(at + 40, s.link, true)
    view.setUint32(at + 44, s.info, true)
    view.setBigUint64(at + 48, BigInt(s.alignment), true)
    view.setBigUint64(at + 56, BigInt(s.entrySize), true)
  })
  return file
}
