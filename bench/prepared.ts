/**
 * A program ready to be measured: compiled, its packets, state and rules laid out; and the WebAssembly side of a
 * comparison, which runs in this process.
 */

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { contextBytes, context } from '../src/backend/wasm/memory.js'
import { compile } from '../src/compile.js'
import type { CompileOptions } from '../src/compile.js'
import { makeMemory } from '../src/engine/make-memory.js'
import type { Loops } from '../src/strategy/strategy.js'
import { clearBlock } from '../src/state/block.js'
import { stateMemory } from '../src/state/memory.js'
import { buildRules } from '../src/state/rules.js'
import { DESCRIPTOR_BYTES } from '../src/traffic/trace.js'
import type { Contestant } from './native.js'
import { workloads } from './workload.js'
import type { Packets } from './workload.js'

export interface Prepared {
  readonly wasm: Uint8Array
  readonly packets: Packets
  /** Values in declared order. */
  readonly settings: readonly bigint[]
  /** How many the program declares. */
  readonly counters: number
  readonly state: Uint8Array
  readonly rules: Uint8Array
  readonly rewrites: boolean
}

/** Of the tables' hash. */
const seed = 0x0123_4567_89ab_cdefn
/** Packets between two returns from compiled code, as harness.h has it. */
const batch = 1024

/** Compiles `programs/NAME.ts` and makes its workload. */
export function prepare(name: string, count: number, options?: CompileOptions): Prepared {
  const file = fileURLToPath(new URL(`../../programs/${name}.ts`, import.meta.url))
  const { compiled, diagnostics } = compile(file, readFileSync(file, 'utf8'), options)
  if (!compiled) throw new Error(diagnostics.map(d => d.message).join('\n'))
  const { artifact } = compiled
  const workload = workloads[name]
  const rules = buildRules(artifact.rulesLayout, workload.rules ?? {}, seed)
  if (!rules.ok) throw new Error(rules.message)
  const state = stateMemory(new ArrayBuffer(artifact.stateLayout.size))
  clearBlock(state, 0, artifact.stateLayout, seed)
  return {
    wasm: artifact.wasm,
    packets: workload.packets(count),
    settings: artifact.settings.map(s => workload.settings?.[s.name] ?? s.default),
    counters: artifact.counters.length,
    state: state.bytes,
    rules: rules.bytes,
    rewrites: workload.rewrites ?? false,
  }
}

/** The WebAssembly side. */
export function startWasm(prepared: Prepared): Contestant {
  const { wasm, packets, settings, counters, state, rules, rewrites } = prepared
  let next = 65_536
  const place = (bytes: number): number => {
    const at = next
    next += Math.ceil(bytes / 4096) * 4096
    return at
  }
  const [contextAt, settingsAt, countersAt] = [contextBytes, 8 * settings.length, 8 * counters].map(place)
  const [stateAt, rulesAt] = [state.length, rules.length].map(place)
  const [descriptorsAt, dataAt] = [packets.descriptors.length, packets.data.length].map(place)
  const memory = makeMemory(Math.ceil(next / 65_536) + 1)
  const bytes = new Uint8Array(memory.buffer)
  const view = new DataView(memory.buffer)
  bytes.set(state, stateAt)
  bytes.set(rules, rulesAt)
  bytes.set(packets.descriptors, descriptorsAt)
  bytes.set(packets.data, dataAt)
  settings.forEach((value, k) => view.setBigUint64(settingsAt + 8 * k, value, true))
  const addresses = { state: stateAt, rules: rulesAt, settings: settingsAt, counters: countersAt } as const
  for (const [field, at] of Object.entries(addresses))
    view.setUint32(contextAt + context[field as keyof typeof addresses], at, true)
  const descriptor = (i: number): number => descriptorsAt + i * DESCRIPTOR_BYTES
  for (let i = 0; i < packets.count; i++)
    view.setUint32(descriptor(i), view.getUint32(descriptor(i), true) + dataAt, true)

  const instance = new WebAssembly.Instance(new WebAssembly.Module(wasm), { env: { memory } })
  const loops = instance.exports as unknown as Loops
  let sequence = 1
  const leastOf: number[] = []
  const round = (): number => {
    if (sequence > 1) {
      if (rewrites) bytes.set(packets.data, dataAt)
      for (let i = 0; i < packets.count; i++) {
        const at = descriptor(i) + 16
        view.setBigUint64(at, view.getBigUint64(at, true) + packets.span, true)
      }
    }
    const begun = process.hrtime.bigint()
    let since = begun
    for (let at = 0; at < packets.count; at += batch) {
      loops.single(
        contextAt,
        descriptor(at),
        Math.min(batch, packets.count - at),
        BigInt(sequence) + BigInt(at),
      )
      const now = process.hrtime.bigint()
      const took = Number(now - since)
      if (!(leastOf[at / batch] <= took)) leastOf[at / batch] = took
      since = now
    }
    sequence += packets.count
    return Number(since - begun)
  }
  const dump = (): Uint8Array => {
    const verdicts = new Uint8Array(4 * packets.count)
    for (let i = 0; i < packets.count; i++)
      verdicts.set(bytes.subarray(descriptor(i) + 24, descriptor(i) + 28), 4 * i)
    const parts = [
      bytes.subarray(countersAt, countersAt + 8 * counters),
      verdicts,
      bytes.subarray(stateAt, stateAt + state.length),
      bytes.subarray(dataAt, dataAt + packets.data.length),
    ]
    return Buffer.concat(parts)
  }
  const least = (): number => leastOf.reduce((sum, ns) => sum + ns, 0)
  return { round, least, dump, close: () => undefined }
}
