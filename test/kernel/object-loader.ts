// Loads object files into the kernel as libbpf does, so that objects are tried on machines that have no libbpf.
//
// Maps come from the sections that hold data and from `.maps`, addresses and calls from the relocations, types and
// lines from .BTF and .BTF.ext: nothing is taken from the compiler that is not in the file.

import assert from 'node:assert/strict'
import { readBtfExt } from '../../src/backend/ebpf/btf-ext.js'
import type { ExtSection } from '../../src/backend/ebpf/btf-ext.js'
import { readBtf } from '../../src/backend/ebpf/btf-read.js'
import type { BtfType } from '../../src/backend/ebpf/btf-read.js'
import type { ElfObject, ElfSection } from '../../src/backend/ebpf/elf.js'
import { readElf } from '../../src/backend/ebpf/elf-read.js'
import { loadBtf } from '../../src/sys/btf.js'
import { createMap, mapFlags, mapTypes } from '../../src/sys/map.js'
import type { BpfMap, MapType } from '../../src/sys/map.js'
import { loadProgram } from '../../src/sys/program.js'
import type { BpfProgram } from '../../src/sys/program.js'

export interface LoadedObject {
  readonly program: BpfProgram
  /** By the section's name, or the definition's in `.maps`. */
  readonly maps: ReadonlyMap<string, BpfMap>
  readonly object: ElfObject
  close(): void
}

export function parsed(file: Uint8Array): ElfObject {
  const read = readElf(file)
  assert.ok(read.ok, read.ok ? '' : read.error)
  return read.object
}

export function section(object: ElfObject, name: string): ElfSection & { readonly contents: Uint8Array } {
  const found = object.sections.find(s => s.name === name)
  assert.ok(found && typeof found.contents !== 'number', `a section ${name}`)
  return { ...found, contents: found.contents }
}

/** The functions one after the other: the entry, then what it calls; with every call going to its function. */
export function placed(object: ElfObject): { readonly code: Uint8Array<ArrayBuffer>; readonly text: number } {
  const [entry, text] = [section(object, 'xdp'), section(object, '.text')]
  const base = entry.contents.length
  const code = Uint8Array.from(Buffer.concat([entry.contents, text.contents]))
  const view = new DataView(code.buffer)
  for (const [from, start] of [
    [entry, 0],
    [text, base],
  ] as const)
    for (const { offset, kind, symbol } of from.relocations ?? []) {
      if (kind !== 'call32') continue
      const { value } = symbolNamed(object, symbol)
      const at = start + offset
      const distance = (base + value - at) / 8 + view.getInt32(at + 4, true)
      view.setInt32(at + 4, distance, true)
    }
  return { code, text: base }
}

function symbolNamed(object: ElfObject, name: string): ElfObject['symbols'][number] {
  const found = object.symbols.find(s => s.name === name)
  assert.ok(found, `a symbol ${name}`)
  return found
}

/** Has the kernel load it. */
export function loadObject(file: Uint8Array): LoadedObject {
  const object = parsed(file)
  const bytes = section(object, '.BTF').contents
  const read = readBtf(bytes)
  assert.ok(read.ok, read.ok ? '' : read.error)
  const btf = loadBtf(Uint8Array.from(bytes))
  const maps = new Map<string, BpfMap>()
  let program: BpfProgram | undefined
  const close = (): void => {
    program?.close()
    for (const map of maps.values()) map.close()
    btf.close()
  }
  try {
    const { types } = read.btf
    for (const s of object.sections)
      if (/^\.(bss|data|rodata)/.test(s.name)) maps.set(s.name, dataMap(s, types, btf.fd))
    for (const symbol of object.symbols.filter(s => s.section === '.maps'))
      maps.set(symbol.name, definedMap(symbol.name, types, btf.fd))
    const { code, text } = placed(object)
    const view = new DataView(code.buffer)
    for (const [name, start] of [
      ['xdp', 0],
      ['.text', text],
    ] as const)
      for (const { offset, kind, symbol } of section(object, name).relocations ?? []) {
        if (kind !== 'immediate64') continue
        const at = start + offset
        const { section: where, value } = symbolNamed(object, symbol)
        const isDefinition = where === '.maps'
        view.setUint8(at + 1, (view.getUint8(at + 1) & 15) | ((isDefinition ? 1 : 2) << 4))
        view.setInt32(at + 12, isDefinition ? 0 : view.getInt32(at + 4, true) + value, true)
        view.setInt32(at + 4, maps.get(isDefinition ? symbol : where)!.fd, true)
      }
    const licence = Buffer.from(section(object, 'license').contents).toString().replace(/\0$/, '')
    program = loadProgram({
      type: 'xdp',
      name: object.symbols.find(s => s.section === 'xdp' && s.kind === 'function')!.name,
      instructions: code,
      licence,
      btf: { fd: btf.fd, ...records(object, read.btf.string, text) },
    })
    return { program, maps, object, close }
  } catch (error) {
    close()
    throw error
  }
}

/** A map of one element with the section's bytes; its value has the section's type, its key none. */
function dataMap({ name, contents }: ElfSection, types: readonly BtfType[], fd: number): BpfMap {
  const valueSize = typeof contents === 'number' ? contents : contents.length
  const value = types.findIndex(t => t.kind === 'section' && t.name === name)
  assert.ok(value > 0, `${name} has a type`)
  const map = createMap({
    type: 'array',
    name,
    keySize: 4,
    valueSize,
    maxEntries: 1,
    flags: mapFlags.MMAPABLE,
    btf: { fd, key: 0, value },
  })
  if (typeof contents !== 'number') map.update(new Uint8Array(4), Uint8Array.from(contents))
  return map
}

/** A map as its definition in `.maps` says. */
function definedMap(name: string, types: readonly BtfType[], fd: number): BpfMap {
  const variable = types.find(t => t.kind === 'variable' && t.name === name)
  const definition = types[variable?.kind === 'variable' ? variable.type : 0]
  assert.ok(definition.kind === 'struct', `${name} is defined by a structure`)
  const pointed = (member: string): number => {
    const pointer = types[definition.members.find(m => m.name === member)?.type ?? 0]
    return pointer.kind === 'pointer' ? pointer.type : 0
  }
  const number = (member: string): number => {
    const array = types[pointed(member)]
    return array.kind === 'array' ? array.length : 0
  }
  const [key, value] = [pointed('key'), pointed('value')]
  const type = (Object.keys(mapTypes) as MapType[]).find(t => mapTypes[t] === number('type'))
  assert.ok(type, `${name} is of a kind we know`)
  const sized = (id: number): number => {
    const of = types[id]
    assert.ok(of.kind === 'struct' || of.kind === 'int')
    return of.size
  }
  // The kernel takes no types for maps of devices and sockets.
  const typed =
    type === 'devmap' || type === 'devmap_hash' || type === 'xskmap' ? {} : { btf: { fd, key, value } }
  return createMap({
    type,
    name,
    keySize: sized(key),
    valueSize: sized(value),
    maxEntries: number('max_entries'),
    flags: number('map_flags'),
    ...typed,
  })
}

/** Records of functions and lines for bpf(2). */
function records(object: ElfObject, string: (offset: number) => string, text: number) {
  const read = readBtfExt(section(object, '.BTF.ext').contents)
  assert.ok(read.ok, read.ok ? '' : read.error)
  const words = (of: (s: ExtSection) => readonly (readonly number[])[]): Uint8Array<ArrayBuffer> => {
    const all = ['xdp', '.text'].flatMap(name => {
      const own = read.sections.find(s => string(s.name) === name)
      const start = name === 'xdp' ? 0 : text
      return (own ? of(own) : []).map(([offset, ...rest]) => [(start + offset) / 8, ...rest])
    })
    return new Uint8Array(Uint32Array.from(all.flat()).buffer)
  }
  return { functions: words(s => s.functions), lines: words(s => s.lines) }
}
