/**
 * Our side: a bundled program, loaded as `attach` loads it, or for checking without its entry and with its time from
 * memory. Both have the same packet function.
 */

import { fileURLToPath } from 'node:url'
import { readFileSync } from 'node:fs'
import { compile } from '../../src/compile.js'
import type { Compiled } from '../../src/compile.js'
import { load } from '../../src/engine/kernel/load.js'
import { environment } from '../../src/backend/ebpf/maps.js'
import { encode, link } from '../../src/backend/ebpf/encode.js'
import { compileFunctions, isRefusal } from '../../src/backend/ebpf/program.js'
import { mapNames, runtime } from '../../src/backend/ebpf/target.js'
import { clearBlock } from '../../src/state/block.js'
import { stateMemory } from '../../src/state/memory.js'
import { createMap, mapFlags } from '../../src/sys/map.js'
import type { BpfMap } from '../../src/sys/map.js'
import { mapMemory } from '../../src/sys/map-memory.js'
import { loadProgram } from '../../src/sys/program.js'
import { tableEntries } from './contestant.js'
import type { Contestant, Inputs } from './contestant.js'

/** Compiles `programs/NAME.ts`. */
export function compileBundled(name: string): Compiled {
  const file = fileURLToPath(new URL(`../../../programs/${name}.ts`, import.meta.url))
  const { compiled, diagnostics } = compile(file, readFileSync(file, 'utf8'))
  if (!compiled) throw new Error(diagnostics.map(d => d.message).join('\n'))
  return compiled
}

/** Loads it; in a build for checking with time from memory. */
export function loadOurs(compiled: Compiled, inputs: Inputs): Contestant {
  const [layout] = compiled.artifact.stateLayout.objects
  if (layout.kind !== 'table') throw new Error(`${compiled.artifact.name} has no table`)
  const { program, maps, close } = inputs.check ? loadForCheck(compiled, inputs) : load(compiled, inputs)
  const memory = mapMemory(maps.get(layout.name)!)
  const clock = mapMemory(maps.get(mapNames.runtime)!)
  const times = new DataView(clock.bytes.buffer, clock.bytes.byteOffset)
  return {
    name: 'hairpin',
    program,
    entries: () => tableEntries(memory.bytes, 0, layout),
    table: () => Uint8Array.from(memory.bytes.subarray(0, layout.size)),
    setTime: ns => times.setBigUint64(runtime.timestamp, ns, true),
    close: () => {
      clock.unmap()
      memory.unmap()
      close()
    },
  }
}

function loadForCheck({ artifact, batch }: Compiled, { settings, seed }: Inputs) {
  const { stateLayout } = artifact
  const { target, maps: wanted } = environment({
    objects: stateLayout.objects,
    rulesBytes: 0,
    settings: artifact.settings.map(s => s.name),
    counters: artifact.counters.map(c => c.name),
    cpus: 1,
    inputs: 'memory',
    cpu: 'v3',
  })
  const code = compileFunctions([...batch.callees, batch.main], target)
  if (isRefusal(code)) throw new Error(`${artifact.name} needs ${code.bytes} bytes of stack`)
  const maps = new Map<string, BpfMap>()
  const block = stateMemory(new ArrayBuffer(stateLayout.size))
  clearBlock(block, 0, stateLayout, seed)
  for (const { name, valueSize } of wanted) {
    const map = createMap({
      type: 'array',
      name,
      keySize: 4,
      valueSize,
      maxEntries: 1,
      flags: mapFlags.MMAPABLE,
    })
    maps.set(name, map)
    const { bytes, unmap } = mapMemory(map)
    const words = new DataView(bytes.buffer, bytes.byteOffset)
    const object = stateLayout.objects.find(o => o.name === name)
    if (object) bytes.set(block.bytes.subarray(object.offset, object.offset + object.size))
    if (name === mapNames.settings)
      artifact.settings.forEach((s, k) => {
        words.setBigUint64(8 * k, BigInt.asUintN(64, settings.get(s.name) ?? s.default), true)
      })
    if (name === mapNames.runtime) words.setBigUint64(runtime.seed, seed, true)
    unmap()
  }
  const program = loadProgram({
    type: 'xdp',
    name: artifact.name,
    instructions: link(encode(code.code), new Map([...maps].map(([name, { fd }]) => [name, fd]))),
    licence: 'GPL',
  })
  const close = (): void => {
    program.close()
    for (const map of maps.values()) map.close()
  }
  return { program, maps, close }
}
