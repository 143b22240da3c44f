// .BTF.ext: which function and which source line each instruction of an object belongs to, section by section.
//
// The bytes are those of struct btf_ext_header and what follows it (kernel documentation, bpf/btf.rst): records like
// those of bpf(2), but with offsets in bytes, grouped by the section their instructions are in. Strings and types are
// in .BTF. Written and read here. Promises: deterministic; the reader never throws.

import { btfMagic } from './btf.js'

const headerBytes = 24
export const functionBytes = 8
export const lineBytes = 16

/** Of one section of instructions; records are words, the first of each the offset in bytes. */
export interface ExtSection {
  /** String: the section's name. */
  readonly name: number
  /** offset, type. */
  readonly functions: readonly (readonly [number, number])[]
  /** offset, string of the file, string of the line, line and column. */
  readonly lines: readonly (readonly [number, number, number, number])[]
}

export function writeBtfExt(sections: readonly ExtSection[]): Uint8Array<ArrayBuffer> {
  const part = (size: number, records: (s: ExtSection) => readonly (readonly number[])[]): number[] => [
    size,
    ...sections.flatMap(s => {
      const own = records(s)
      return own.length ? [s.name, own.length, ...own.flat()] : []
    }),
  ]
  const functions = part(functionBytes, s => s.functions)
  const lines = part(lineBytes, s => s.lines)
  const [functionSize, lineSize] = [4 * functions.length, 4 * lines.length]
  const bytes = new Uint8Array(new ArrayBuffer(headerBytes + functionSize + lineSize))
  const view = new DataView(bytes.buffer)
  view.setUint16(0, btfMagic, true)
  view.setUint8(2, 1)
  const words = [headerBytes, 0, functionSize, functionSize, lineSize, ...functions, ...lines]
  words.forEach((w, k) => view.setUint32(4 + 4 * k, w, true))
  return bytes
}

export type ExtResult =
  | { readonly ok: true; readonly sections: readonly ExtSection[] }
  | { readonly ok: false; readonly error: string }

export function readBtfExt(bytes: Uint8Array): ExtResult {
  const fail = (error: string): ExtResult => ({ ok: false, error })
  if (bytes.length < headerBytes) return fail(`${bytes.length} bytes are no header`)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  if (view.getUint16(0, true) !== btfMagic) return fail('this is not .BTF.ext, little-endian')
  const header = view.getUint32(4, true)
  const part = (at: number): Map<number, number[][]> | undefined => {
    const start = header + view.getUint32(at, true)
    const end = start + view.getUint32(at + 4, true)
    return end <= bytes.length ? recordsOf(view, start, end) : undefined
  }
  const [functions, lines] = [part(8), part(16)]
  if (!functions || !lines) return fail('records are cut off')
  const names = new Set([...functions.keys(), ...lines.keys()])
  return {
    ok: true,
    sections: [...names].map(name => ({
      name,
      functions: (functions.get(name) ?? []) as unknown as ExtSection['functions'],
      lines: (lines.get(name) ?? []) as unknown as ExtSection['lines'],
    })),
  }
}

/** Records by the string of their section; undefined if they do not fill the bytes. */
function recordsOf(view: DataView, start: number, end: number): Map<number, number[][]> | undefined {
  const found = new Map<number, number[][]>()
  if (start + 4 > end) return undefined
  const size = view.getUint32(start, true)
  if (size < functionBytes || size % 4 !== 0) return undefined
  for (let at = start + 4; at < end;) {
    if (at + 8 > end) return undefined
    const [name, count] = [view.getUint32(at, true), view.getUint32(at + 4, true)]
    if (at + 8 + count * size > end) return undefined
    const record = (k: number): number[] =>
      Array.from({ length: size / 4 }, (_, w) => view.getUint32(at + 8 + k * size + 4 * w, true))
    found.set(
      name,
      Array.from({ length: count }, (_, k) => record(k)),
    )
    at += 8 + count * size
  }
  return found
}
