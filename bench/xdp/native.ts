/**
 * The C side: a baseline of bench/baseline/xdp compiled by clang and loaded through our own door to the kernel. Once
 * with the kernel's hash map, as one would write it, and once with our table layout.
 */

import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Artifact } from '../../src/engine/artifact.js'
import { clearBlock } from '../../src/state/block.js'
import type { HashLayout } from '../../src/state/layout.js'
import { stateMemory } from '../../src/state/memory.js'
import { createMap, mapFlags, mapTypes } from '../../src/sys/map.js'
import type { BpfMap, MapType } from '../../src/sys/map.js'
import { mapMemory } from '../../src/sys/map-memory.js'
import type { MapMemory } from '../../src/sys/map-memory.js'
import { loadProgram } from '../../src/sys/program.js'
import type { BpfProgram } from '../../src/sys/program.js'
import { hex, tableEntries } from './contestant.js'
import type { Contestant, Inputs } from './contestant.js'
import { readObject } from './object.js'

export type TableKind = 'hash' | 'cuckoo'

const root = fileURLToPath(new URL('../../../', import.meta.url))
const flags = ['-O2', '-ffreestanding', '-target', 'bpf', '-mcpu=v3', '-Wall', '-Wno-unused-function']

/** Baselines that also say how many instructions an item of a history takes in C, by a loop over nothing but items. */
export const withHistory: ReadonlySet<string> = new Set(['connection-tracker'])

/** Baselines that are whole workers too (native-worker.ts). */
export const withWorker: ReadonlySet<string> = new Set(['tcp-states'])

/** What a build is for: to be measured, to be compared with others, or items instead of packets. */
export type BuildKind = 'plain' | 'check' | 'history'

/** Compiles bench/baseline/xdp/NAME.c; the object file's bytes. */
export function compileObject(name: string, kind: TableKind, build: BuildKind): Uint8Array {
  const folder = join(root, 'dist/baseline/xdp')
  mkdirSync(folder, { recursive: true })
  const output = join(folder, `${name}.${kind}${build === 'plain' ? '' : `.${build}`}.o`)
  const defined = { plain: [], check: ['-DCHECK'], history: ['-DHISTORY'] }[build]
  const definitions = [...(kind === 'cuckoo' ? ['-DCUCKOO'] : []), ...defined]
  const source = join(root, 'bench/baseline/xdp', `${name}.c`)
  execFileSync('clang', [...flags, ...definitions, '-c', source, '-o', output], { stdio: 'inherit' })
  return readFileSync(output)
}

/** A baseline in the kernel, with what it keeps. */
export interface LoadedObject {
  readonly program: BpfProgram
  readonly maps: ReadonlyMap<string, BpfMap>
  /** The bytes of a global variable, in place. */
  variable(which: string): Uint8Array
  close(): void
}

/** Compiles and loads one; settings, seed and empty table are those that `artifact`'s program would have. */
export function loadObject(
  name: string,
  kind: TableKind,
  build: BuildKind,
  artifact: Artifact,
  { settings, seed }: Pick<Inputs, 'settings' | 'seed'>,
): LoadedObject {
  const object = readObject(compileObject(name, kind, build))
  const maps = new Map<string, BpfMap>()
  const memories = new Map<string, MapMemory>()
  const close = (): void => {
    for (const memory of memories.values()) memory.unmap()
    for (const map of maps.values()) map.close()
  }
  try {
    for (const m of object.maps) {
      const type = (Object.keys(mapTypes) as MapType[]).find(t => mapTypes[t] === m.type)!
      maps.set(m.name, createMap({ ...m, type }))
    }
    for (const s of object.sections) {
      const map = createMap({
        type: 'array',
        name: s.name,
        keySize: 4,
        valueSize: s.bytes.length,
        maxEntries: 1,
        flags: mapFlags.MMAPABLE,
      })
      maps.set(s.name, map)
      const memory = mapMemory(map)
      memory.bytes.set(s.bytes)
      memories.set(s.name, memory)
    }
    const variable = (which: string): Uint8Array => {
      const { section, offset, size } = object.variables.get(which)!
      return memories.get(section)!.bytes.subarray(offset, offset + size)
    }
    artifact.settings.forEach((s, k) => {
      const value = BigInt.asUintN(64, settings.get(s.name) ?? s.default)
      wordsOf(variable('settings')).setBigUint64(8 * k, value, true)
    })
    if (kind === 'cuckoo') {
      const layout = tableOf(artifact)
      const block = stateMemory(new ArrayBuffer(artifact.stateLayout.size))
      clearBlock(block, 0, artifact.stateLayout, seed)
      variable('table').set(block.bytes.subarray(layout.offset, layout.offset + layout.size))
    }
    const instructions = object.instructions.slice()
    const view = new DataView(instructions.buffer)
    for (const { slot, map, offset } of object.references) {
      view.setUint8(8 * slot + 1, (view.getUint8(8 * slot + 1) & 0x0f) | (offset === undefined ? 0x10 : 0x20))
      view.setInt32(8 * slot + 4, maps.get(map)!.fd, true)
      view.setInt32(8 * slot + 12, offset ?? 0, true)
    }
    const program = loadProgram({
      type: 'xdp',
      name: name.replaceAll('-', '_'),
      // The driver of frames with a history calls only programs that are loaded for the same use.
      ...(build === 'history' && { attachType: 'xdp' as const }),
      instructions,
      licence: 'GPL',
    })
    return {
      program,
      maps,
      variable,
      close: () => {
        program.close()
        close()
      },
    }
  } catch (error) {
    close()
    throw error
  }
}

const wordsOf = ({ buffer, byteOffset, length }: Uint8Array): DataView =>
  new DataView(buffer, byteOffset, length)

function tableOf({ name, stateLayout }: Artifact): HashLayout {
  const [layout] = stateLayout.objects
  if (layout.kind !== 'table') throw new Error(`${name} has no table`)
  return layout
}

/** A baseline as a contestant. */
export function loadNative(name: string, kind: TableKind, artifact: Artifact, inputs: Inputs): Contestant {
  const layout = tableOf(artifact)
  const loaded = loadObject(name, kind, inputs.check ? 'check' : 'plain', artifact, inputs)
  const { program, maps, variable, close } = loaded
  const table = (): Uint8Array => Uint8Array.from(variable('table'))
  return {
    name: `C, ${kind === 'hash' ? 'HASH' : 'same table'}`,
    program,
    entries:
      kind === 'cuckoo'
        ? () => tableEntries(table(), 0, layout)
        : () => new Map([...maps.get('table')!.entries()].map(([key, value]) => [hex(key), hex(value)])),
    ...(kind === 'cuckoo' && { table }),
    setTime: ns => wordsOf(variable('clock_now')).setBigUint64(0, ns, true),
    close,
  }
}
