// ELF64 objects taken apart: the other half of elf.ts, for tests and for whoever wants to look into an object.
//
// Promises: reads untrusted bytes and never throws; what does not fit is an
// error.

import {
  bindings,
  elfHeaderBytes,
  machineBpf,
  relocatable,
  relocationBytes,
  relocationKinds,
  sectionHeaderBytes,
  sectionTypes,
  symbolBytes,
  symbolKinds,
} from './elf.js'
import type { ElfObject, ElfRelocation, ElfSection, ElfSymbol } from './elf.js'

export type ElfResult =
  { readonly ok: true; readonly object: ElfObject } | { readonly ok: false; readonly error: string }

interface Header {
  readonly name: string
  readonly type: number
  readonly flags: number
  readonly offset: number
  readonly size: number
  readonly link: number
  readonly info: number
  readonly alignment: number
  readonly bytes: Uint8Array
}

/** What is wrong with the bytes; caught here, so that the steps below read straight on. */
class Broken extends Error {}

/** Reads an object: its sections but for relocations, symbols and strings, which stand where they belong. */
export function readElf(file: Uint8Array): ElfResult {
  try {
    return { ok: true, object: objectOf(file) }
  } catch (error) {
    if (error instanceof Broken) return { ok: false, error: error.message }
    throw error
  }
}

function objectOf(file: Uint8Array): ElfObject {
  const headers = headersOf(file)
  const symbolsAt = headers.findIndex(h => h.type === sectionTypes.symbols)
  const names = stringsOf(headers[headers[symbolsAt]?.link ?? 0]?.bytes)
  const all = headers[symbolsAt] ? symbolsOf(headers[symbolsAt].bytes, headers, names) : []
  const relocations = new Map<number, ElfRelocation[]>()
  for (const { type, info, bytes } of headers)
    if (type === sectionTypes.relocations) relocations.set(info, relocationsOf(bytes, all))
  const sections = headers.flatMap((h, k): ElfSection[] => {
    if (h.type !== sectionTypes.bits && h.type !== sectionTypes.zeros) return []
    const own = relocations.get(k)
    return [
      {
        name: h.name,
        contents: h.type === sectionTypes.zeros ? h.size : h.bytes,
        flags: h.flags,
        alignment: h.alignment,
        ...(own && { relocations: own }),
      },
    ]
  })
  return { sections, symbols: all.filter(s => s !== undefined) }
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.length)

function headersOf(file: Uint8Array): Header[] {
  if (file.length < elfHeaderBytes || viewOf(file).getUint32(0, false) !== 0x7f454c46)
    throw new Broken('this is no ELF file')
  const view = viewOf(file)
  if (file[4] !== 2 || file[5] !== 1 || view.getUint16(16, true) !== relocatable)
    throw new Broken('this is no relocatable, little-endian ELF64 file')
  if (view.getUint16(18, true) !== machineBpf) throw new Broken('this object is not for BPF')
  const [at, count] = [Number(view.getBigUint64(40, true)), view.getUint16(60, true)]
  if (at + count * sectionHeaderBytes > file.length) throw new Broken('the section headers are cut off')
  const raw = Array.from({ length: count }, (_, k) => {
    const start = at + k * sectionHeaderBytes
    const word = (offset: number): number => Number(view.getBigUint64(start + offset, true))
    const type = view.getUint32(start + 4, true)
    const [offset, size] = [word(24), word(32)]
    const stored = type !== sectionTypes.zeros && type !== 0
    if (stored && offset + size > file.length) throw new Broken(`section ${k} ends beyond the file`)
    return {
      name: view.getUint32(start, true),
      type,
      flags: word(8),
      offset,
      size,
      link: view.getUint32(start + 40, true),
      info: view.getUint32(start + 44, true),
      alignment: word(48),
      bytes: stored ? file.subarray(offset, offset + size) : file.subarray(0, 0),
    }
  })
  const strings = stringsOf(raw[view.getUint16(62, true)]?.bytes)
  return raw.map(h => ({ ...h, name: strings(h.name) }))
}

const stringsOf =
  (bytes: Uint8Array = new Uint8Array(0)) =>
  (offset: number): string => {
    const end = bytes.indexOf(0, offset)
    return end < 0 ? '' : new TextDecoder().decode(bytes.subarray(offset, end))
  }

const nameOf = <K extends string>(numbers: Readonly<Record<K, number>>, number: number): K | undefined =>
  (Object.keys(numbers) as K[]).find(k => numbers[k] === number)

/** Symbols by their index less 1; those of kinds that we do not write, such as sections, are left out. */
function symbolsOf(
  bytes: Uint8Array,
  headers: readonly Header[],
  names: (offset: number) => string,
): (ElfSymbol | undefined)[] {
  const view = viewOf(bytes)
  const count = Math.max(0, Math.floor(bytes.length / symbolBytes) - 1)
  return Array.from({ length: count }, (_, k) => {
    const at = symbolBytes * (k + 1)
    const info = view.getUint8(at + 4)
    const kind = nameOf(symbolKinds, info & 15)
    const binding = nameOf(bindings, info >> 4)
    const section = headers[view.getUint16(at + 6, true)]
    if (kind === undefined || binding === undefined || !section) return undefined
    return {
      name: names(view.getUint32(at, true)),
      kind,
      binding,
      section: section.name,
      value: Number(view.getBigUint64(at + 8, true)),
      size: Number(view.getBigUint64(at + 16, true)),
    }
  })
}

function relocationsOf(bytes: Uint8Array, symbols: readonly (ElfSymbol | undefined)[]): ElfRelocation[] {
  const view = viewOf(bytes)
  return Array.from({ length: Math.floor(bytes.length / relocationBytes) }, (_, k) => {
    const at = relocationBytes * k
    const kind = nameOf(relocationKinds, view.getUint32(at + 8, true))
    const symbol = symbols[view.getUint32(at + 12, true) - 1]
    if (kind === undefined || !symbol) throw new Broken(`relocation ${k} is of a kind that we do not write`)
    return { offset: Number(view.getBigUint64(at, true)), kind, symbol: symbol.name }
  })
}
