/**
 * Our side: a bundled program, loaded as `attach` loads it, or for checking without its entry and with its time from
 * memory. Both have the same packet function.
 */

import { fileURLToPath } from 'node:url'
import { readFileSync } from 'node:fs'
import { compile } from '../../src/compile.js'
import type { Compiled } from '../../src/compile.js'
import { load } from '../../src/engine/kernel/load.js'
import { mapNames, runtime } from '../../src/backend/ebpf/target.js'
import { mapMemory } from '../../src/sys/map-memory.js'
import { tableEntries } from './contestant.js'
import type { Contestant, Inputs } from './contestant.js'

/** Compiles `programs/NAME.ts`, or `bench/baseline/xdp/NAME.ts` of a program that is only there to be compared. */
export function compileBundled(name: string): Compiled {
  const folder = name === 'tcp-states' ? 'bench/baseline/xdp' : 'programs'
  const file = fileURLToPath(new URL(`../../../${folder}/${name}.ts`, import.meta.url))
  const { compiled, diagnostics } = compile(file, readFileSync(file, 'utf8'))
  if (!compiled) throw new Error(diagnostics.map(d => d.message).join('\n'))
  return compiled
}

/** Loads it; in a build for checking with time from memory. */
export function loadOurs(compiled: Compiled, inputs: Inputs): Contestant {
  const [layout] = compiled.artifact.stateLayout.objects
  if (layout.kind !== 'table') throw new Error(`${compiled.artifact.name} has no table`)
  const { program, maps, close } = load(compiled, {
    ...inputs,
    inputs: inputs.check ? 'memory' : 'kernel',
  })
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
