// A whole program as an object file that any loader of BPF takes: libbpf, and with it bpftool, iproute2 and DPDK.
//
// Sections: `xdp` is the entry, `.text` what it calls. State that begins as zeros stands in `.bss`, other state and
// what the runtime keeps in `.data`, settings in `.data.settings`, rules in `.data.rules`: loaders make an array map of
// one element of each, with these contents, and the code has the addresses of its values, as it has under our own
// loader. Rule tables that are maps of the kernel's are defined in `.maps`. `.BTF` has the types of all of them.
// Read elf.ts for the format; docs/objects.md is the user's view. Promises: deterministic.

import type { Func } from '../../ir/types.js'
import { isLabel, slotsOf } from './asm.js'
import type { Code } from './asm.js'
import { writeBtfExt } from './btf-ext.js'
import type { ExtSection } from './btf-ext.js'
import { Btf, typeName } from './btf.js'
import type { TypeId } from './btf.js'
import { codeInfo, isStatic, lineWord } from './debug.js'
import type { Source } from './debug.js'
import { sectionFlags, writeElf } from './elf.js'
import type { ElfRelocation, ElfSection, ElfSymbol } from './elf.js'
import { encode } from './encode.js'
import { defineMap, definitionBytes } from './map-definition.js'
import type { MapDeclaration } from './maps.js'
import { classes, instructionBytes, jumps, pseudo } from './opcodes.js'
import { mapNames } from './target.js'

/** Names of the sections that loaders make maps of. */
export const dataSections = {
  zeros: '.bss',
  contents: '.data',
  settings: '.data.settings',
  rules: '.data.rules',
} as const
export const programSection = 'xdp'
const textSection = '.text'
const mapsSection = '.maps'

/** Each variable begins at a multiple of this. */
const alignment = 64

export interface ObjectSource {
  /** The entry first, then what it calls. */
  readonly code: readonly { readonly name: string; readonly code: Code }[]
  /** The IR of functions, for their types. */
  readonly functions: readonly Func[]
  readonly source: Source
  /** As the kernel knows it. */
  readonly licence: string
  readonly maps: readonly MapDeclaration[]
  /** First contents of maps by name; others begin as zeros. */
  readonly contents: ReadonlyMap<string, Uint8Array>
  /** Whether loaders are to pin the maps of `.maps` by their names. */
  readonly pin: boolean
}

interface Variable {
  readonly map: MapDeclaration
  readonly symbol: string
  readonly section: string
  readonly offset: number
  readonly size: number
}

/** The bytes of the file. */
export function writeObject(source: ObjectSource): Uint8Array<ArrayBuffer> {
  const names = new Set<string>()
  const functions = source.code.map(({ name, code }, k) => ({
    name,
    symbol: unique(typeName(k === 0 ? source.source.name : name), names),
    section: k === 0 ? programSection : textSection,
    code,
    isStatic: k > 0 && isStatic(source.functions.find(f => f.name === name)),
  }))
  const variables = place(source, names)
  const btf = new Btf()
  const info = codeInfo(btf, source.code, source.functions, source.source)
  describeVariables(btf, variables, source.pin)

  const pieces = cut(functions, variables)
  const text = (name: string): ElfSection => {
    const own = pieces.filter(p => p.section === name)
    return {
      name,
      contents: Uint8Array.from(Buffer.concat(own.map(p => p.bytes))),
      flags: sectionFlags.allocate | sectionFlags.execute,
      alignment: instructionBytes,
      relocations: own.flatMap(p => p.relocations),
    }
  }
  const sections: ElfSection[] = [
    text(textSection),
    text(programSection),
    ...dataOf(variables, source.contents),
    plain(
      'license',
      new TextEncoder().encode(`${source.licence}\0`),
      sectionFlags.allocate | sectionFlags.write,
    ),
    plain('.BTF', new Uint8Array(0), 0),
    plain('.BTF.ext', writeBtfExt(extSections(btf, pieces, info)), 0),
  ]
  // The names of sections are in .BTF's strings only now.
  sections[sections.length - 2] = plain('.BTF', btf.bytes(), 0)
  const symbols: ElfSymbol[] = [
    ...pieces.map((p, k): ElfSymbol => ({
      name: p.symbol,
      kind: 'function',
      binding: functions[k].isStatic ? 'local' : 'global',
      section: p.section,
      value: p.offset,
      size: p.bytes.length,
    })),
    ...variables.map((v): ElfSymbol => ({
      name: v.symbol,
      kind: 'object',
      binding: 'global',
      section: v.section,
      value: v.offset,
      size: v.size,
    })),
  ].toSorted((a, b) => Number(a.binding === 'global') - Number(b.binding === 'global'))
  return writeElf({ sections, symbols })
}

const plain = (name: string, contents: Uint8Array, flags: number): ElfSection => ({
  name,
  contents,
  flags,
  alignment: name.startsWith('.BTF') ? 4 : 1,
})

/** The name, or the name with a number if it is taken. */
function unique(name: string, taken: Set<string>): string {
  let free = name
  for (let k = 2; taken.has(free); k++) free = `${name}_${k}`
  taken.add(free)
  return free
}

/** The name of a map that is no state object in symbols and types: `.settings` is hairpin_settings. */
const symbolOf = (name: string): string => typeName(name.startsWith('.') ? `hairpin_${name.slice(1)}` : name)

/** Gives every map its place in a section. */
function place({ maps, contents, pin }: ObjectSource, names: Set<string>): Variable[] {
  const ends = new Map<string, number>()
  // Loaders name a map of .maps after its symbol, so that these names come first.
  const ordered = [...maps.filter(m => m.definition), ...maps.filter(m => !m.definition)]
  return ordered.map(map => {
    const section = map.definition ? mapsSection : sectionOf(map.name, contents.get(map.name))
    const size = map.definition ? definitionBytes(map.definition, pin) : map.valueSize
    const to = map.definition ? 8 : alignment
    const offset = Math.ceil((ends.get(section) ?? 0) / to) * to
    ends.set(section, offset + size)
    return { map, symbol: unique(symbolOf(map.name), names), section, offset, size }
  })
}

function sectionOf(map: string, contents: Uint8Array | undefined): string {
  if (map === mapNames.settings) return dataSections.settings
  if (map === mapNames.rules) return dataSections.rules
  return contents?.some(byte => byte !== 0) ? dataSections.contents : dataSections.zeros
}

const bySection = (variables: readonly Variable[]): [string, Variable[]][] => {
  const found = new Map<string, Variable[]>()
  for (const v of variables) found.set(v.section, [...(found.get(v.section) ?? []), v])
  return [...found]
}
const sizeOfSection = (own: readonly Variable[]): number => Math.max(...own.map(v => v.offset + v.size))

function describeVariables(btf: Btf, variables: readonly Variable[], pin: boolean): void {
  for (const [name, own] of bySection(variables)) {
    const described = own.map(({ map, symbol, offset, size }) => {
      const type: TypeId = map.definition ? defineMap(btf, map.definition, pin) : map.valueType(btf)
      return { variable: btf.variable(symbol, type), offset, size }
    })
    btf.section(name, sizeOfSection(own), described)
  }
}

function dataOf(variables: readonly Variable[], contents: ReadonlyMap<string, Uint8Array>): ElfSection[] {
  return bySection(variables).map(([name, own]) => {
    const size = sizeOfSection(own)
    const flags = sectionFlags.allocate | sectionFlags.write
    if (name === dataSections.zeros) return { name, contents: size, flags, alignment }
    const bytes = new Uint8Array(size)
    for (const { map, offset } of own) bytes.set(contents.get(map.name) ?? [], offset)
    return { name, contents: bytes, flags, alignment: name === mapsSection ? 8 : alignment }
  })
}

interface Piece {
  readonly symbol: string
  readonly section: string
  /** In its section, and in the whole program; bytes. */
  readonly offset: number
  readonly start: number
  readonly bytes: Uint8Array
  readonly relocations: readonly ElfRelocation[]
}

/** The functions' bytes with what loaders put in left out, and where that is. */
function cut(
  functions: readonly { name: string; symbol: string; section: string; code: Code }[],
  variables: readonly Variable[],
): Piece[] {
  const { bytes } = encode(functions.flatMap(f => f.code))
  const ends = new Map<string, number>()
  let start = 0
  return functions.map(({ symbol, section, code }) => {
    const size = instructionBytes * code.reduce((sum, item) => sum + slotsOf(item), 0)
    const offset = ends.get(section) ?? 0
    const own = bytes.slice(start, start + size)
    const view = new DataView(own.buffer)
    const relocations: ElfRelocation[] = []
    let at = 0
    for (const item of code) {
      if (isLabel(item)) continue
      if (item.map !== undefined) {
        const variable = variables.find(v => v.map.name === item.map)
        if (!variable) throw new Error(`there is no map ${item.map}`)
        // The offset in the value stands in the first half; the loader adds where the value begins.
        view.setUint8(at + 1, item.dst)
        view.setInt32(at + 4, item.high ?? 0, true)
        view.setInt32(at + 12, 0, true)
        relocations.push({ offset: offset + at, kind: 'immediate64', symbol: variable.symbol })
      } else if (item.code === (classes.jmp | jumps.call) && item.src === pseudo.call) {
        const callee = functions.find(f => f.name === item.target?.label)
        if (!callee) throw new Error(`there is no function ${item.target?.label}`)
        view.setInt32(at + 4, -1, true)
        relocations.push({ offset: offset + at, kind: 'call32', symbol: callee.symbol })
      }
      at += instructionBytes * slotsOf(item)
    }
    const piece = { symbol, section, offset, start, bytes: own, relocations }
    ends.set(section, offset + size)
    start += size
    return piece
  })
}

function extSections(btf: Btf, pieces: readonly Piece[], info: ReturnType<typeof codeInfo>): ExtSection[] {
  /** Where a slot of the whole program is in this section; undefined if it is in another. */
  const within = (section: string, slot: number): number | undefined => {
    const byte = slot * instructionBytes
    const piece = pieces.find(p => byte >= p.start && byte < p.start + p.bytes.length)
    return piece?.section === section ? piece.offset + byte - piece.start : undefined
  }
  return [programSection, textSection].map(section => ({
    name: btf.string(section),
    functions: info.functions.flatMap(({ slot, type }) => {
      const at = within(section, slot)
      return at === undefined ? [] : [[at, type] as const]
    }),
    lines: info.lines.flatMap(l => {
      const at = within(section, l.slot)
      return at === undefined ? [] : [[at, l.file, l.text, lineWord(l)] as const]
    }),
  }))
}
