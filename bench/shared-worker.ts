/** A thread of shared-crew.ts: runs its packets once a round. */

import { workerData } from 'node:worker_threads'
import { DESCRIPTOR_BYTES } from '../src/traffic/trace.js'
import type { Loops, SharedLoop } from '../src/strategy/strategy.js'
import type { Layout, Way } from './shared-crew.js'

/** Packets between two returns from compiled code. */
const batch = 4096

function main(
  memory: WebAssembly.Memory,
  module: WebAssembly.Module,
  layout: Layout,
  way: Way,
  me: number,
): void {
  const loops = new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as Loops &
    Record<string, SharedLoop>
  const words = new Int32Array(memory.buffer)
  const { contexts, descriptors, items, effects, itemBytes, lists, lock, control } = layout
  const [base, own] = [control >>> 2, (control >>> 2) + 16 * (me + 1)]
  const list = lists[me]
  const count = way === 'sharded' ? words[list >>> 2] : layout.count
  for (let round = 1; ; round++) {
    const first = BigInt(round) * BigInt(layout.count) + 1n
    for (let at = 0; at < count; at += batch) {
      const n = Math.min(batch, count - at)
      const desc = descriptors + at * DESCRIPTOR_BYTES
      const seq = first + BigInt(at)
      if (way === 'sharded') loops.listed!(contexts[me], descriptors, n, first, list + 4 + 4 * at, 0)
      else if (way === 'replicated')
        loops.replicated!(contexts[me], desc, n, seq, items + at * itemBytes, effects + at, 0)
      else loops[way](contexts[me], desc, n, seq, 0, lock, 0)
    }
    Atomics.store(words, own, round)
    Atomics.notify(words, own)
    while (Atomics.load(words, base) < round) Atomics.wait(words, base, round - 1)
  }
}

const { memory, module, layout, way, worker } = workerData as {
  memory: WebAssembly.Memory
  module: WebAssembly.Module
  layout: Layout
  way: Way
  worker: number
}
main(memory, module, layout, way, worker)
