/**
 * Reads what `clang -target bpf` made of one of our baselines: its XDP program with the functions it calls, its maps,
 * and its global variables. Only what those objects have is understood; they are trusted.
 */

/** A map of section `maps`: struct map of bench/baseline/xdp/xdp.h. */
export interface ObjectMap {
  readonly name: string
  readonly type: number
  readonly keySize: number
  readonly valueSize: number
  readonly maxEntries: number
}

/** A 64-bit immediate to be filled in: a map, or an address in the value of a section's map. */
export interface ObjectReference {
  readonly slot: number
  readonly map: string
  /** Byte offset into the section; absent for a map. */
  readonly offset?: number
}

export interface BpfObject {
  readonly instructions: Uint8Array<ArrayBuffer>
  readonly maps: readonly ObjectMap[]
  /** Sections of variables with their first contents. */
  readonly sections: readonly { readonly name: string; readonly bytes: Uint8Array<ArrayBuffer> }[]
  readonly references: readonly ObjectReference[]
  /** Where variables are. */
  readonly variables: ReadonlyMap<
    string,
    { readonly section: string; readonly offset: number; readonly size: number }
  >
}

interface Section {
  readonly name: string
  readonly type: number
  readonly info: number
  readonly bytes: Uint8Array
}

const [symtab, nobits, rel] = [2, 8, 9]
/** Relocations: of a 64-bit immediate, and of a call. */
const [R_BPF_64_64, R_BPF_64_32] = [1, 10]
const variableSections = ['.bss', '.data', '.rodata']

/** The program in section `xdp`. */
export function readObject(file: Uint8Array): BpfObject {
  const view = viewOf(file)
  const headers = Number(view.getBigUint64(40, true))
  const count = view.getUint16(60, true)
  const raw = Array.from({ length: count }, (_, k) => {
    const at = headers + 64 * k
    const [offset, size] = [24, 32].map(o => Number(view.getBigUint64(at + o, true)))
    const type = view.getUint32(at + 4, true)
    const bytes = type === nobits ? new Uint8Array(size) : file.subarray(offset, offset + size)
    return { nameAt: view.getUint32(at, true), type, info: view.getUint32(at + 44, true), bytes }
  })
  const names = raw[view.getUint16(62, true)].bytes
  const sections: Section[] = raw.map(({ nameAt, ...s }) => ({ ...s, name: textAt(names, nameAt) }))
  const symbols = symbolsOf(sections, names)
  const index = (name: string): number => sections.findIndex(s => s.name === name)
  const [entry, text] = [index('xdp'), index('.text')]
  // Called functions follow the program.
  const bases = new Map([
    [entry, 0],
    [text, sections[entry].bytes.length / 8],
  ])
  const instructions = new Uint8Array(
    new ArrayBuffer(sections[entry].bytes.length + sections[text].bytes.length),
  )
  for (const [section, base] of bases) instructions.set(sections[section].bytes, 8 * base)
  const code = viewOf(instructions)
  const references: ObjectReference[] = []
  for (const s of sections.filter(({ type, info }) => type === rel && bases.has(info))) {
    const records = viewOf(s.bytes)
    for (let at = 0; at < s.bytes.length; at += 16) {
      const slot = bases.get(s.info)! + Number(records.getBigUint64(at, true)) / 8
      const kind = records.getUint32(at + 8, true)
      const symbol = symbols[records.getUint32(at + 12, true)]
      const immediate = code.getInt32(8 * slot + 4, true)
      if (kind === R_BPF_64_32) {
        const target = bases.get(symbol.section)! + symbol.value / 8 + immediate + 1
        code.setInt32(8 * slot + 4, target - slot - 1, true)
      } else if (kind === R_BPF_64_64) {
        const { name } = sections[symbol.section]
        const offset = symbol.value + immediate
        references.push(name === 'maps' ? { slot, map: symbol.name } : { slot, map: name, offset })
      } else throw new Error(`relocation ${kind} is unknown`)
    }
  }
  const maps = symbols
    .filter(s => sections[s.section]?.name === 'maps' && s.name !== '')
    .map(({ name, value, section }) => {
      const words = viewOf(sections[section].bytes)
      const [type, keySize, valueSize, maxEntries] = [0, 4, 8, 12].map(o => words.getUint32(value + o, true))
      return { name, type, keySize, valueSize, maxEntries }
    })
  const variables = symbols
    .filter(s => variableSections.includes(sections[s.section]?.name) && s.name !== '')
    .map(s => [s.name, { section: sections[s.section].name, offset: s.value, size: s.size }] as const)
  return {
    instructions,
    maps,
    references,
    variables: new Map(variables),
    sections: sections
      .filter(s => variableSections.includes(s.name) && s.bytes.length > 0)
      .map(({ name, bytes }) => ({ name, bytes: Uint8Array.from(bytes) })),
  }
}

function symbolsOf(sections: readonly Section[], names: Uint8Array) {
  const { bytes } = sections.find(s => s.type === symtab)!
  const view = viewOf(bytes)
  return Array.from({ length: bytes.length / 24 }, (_, k) => ({
    name: textAt(names, view.getUint32(24 * k, true)),
    section: view.getUint16(24 * k + 6, true),
    value: Number(view.getBigUint64(24 * k + 8, true)),
    size: Number(view.getBigUint64(24 * k + 16, true)),
  }))
}

function textAt(bytes: Uint8Array, at: number): string {
  return Buffer.from(bytes.subarray(at, bytes.indexOf(0, at))).toString()
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
