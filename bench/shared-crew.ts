/**
 * Workers over packets that all lie in one memory already: what strategies cost the workers alone, measured with as many
 * threads as workers. The sequencer's work (items, lists) is done before the clock runs, and is not part of the figures.
 * The thread's side stands in shared-worker.ts.
 */

import { Worker } from 'node:worker_threads'
import { context, contextBytes, lockBytes } from '../src/backend/wasm/memory.js'
import type { Artifact } from '../src/engine/artifact.js'
import { makeMemory } from '../src/engine/make-memory.js'
import { clearBlock } from '../src/state/block.js'
import { stateMemory } from '../src/state/memory.js'
import { steeringBlock } from '../src/strategy/steering.js'
import { steeringLayout } from '../src/strategy/toeplitz.js'
import type { Loops } from '../src/strategy/strategy.js'
import { DESCRIPTOR_BYTES } from '../src/traffic/trace.js'
import type { Packets } from './workload.js'

const seed = 0x0123_4567_89ab_cdefn

/** A way of running: `replicated`, `sharded`, or `shared:FORM`. */
export type Way = string

export interface Layout {
  readonly contexts: readonly number[]
  readonly descriptors: number
  readonly count: number
  readonly items: number
  readonly effects: number
  readonly itemBytes: number
  readonly lists: readonly number[]
  readonly lock: number
  /** u32 words: the round, and the rounds that each worker has done, a cache line apart. */
  readonly control: number
}

export interface Crew {
  /** Runs all packets once more; nanoseconds until the last worker was done. */
  round(): number
  close(): Promise<void>
}

export async function startCrew(
  artifact: Artifact,
  settings: readonly bigint[],
  packets: Packets,
  way: Way,
  workers: number,
): Promise<Crew> {
  let next = 65_536
  const place = (bytes: number): number => {
    const at = next
    next += Math.ceil(bytes / 4096) * 4096
    return at
  }
  const each = (bytes: number): number[] => Array.from({ length: workers }, () => place(bytes))
  const { count } = packets
  const control = place(64 * (workers + 1))
  const contexts = each(contextBytes)
  const settingsAt = place(8 * settings.length)
  const counters = each(8 * artifact.counters.length)
  const own = way.startsWith('shared') ? undefined : each(artifact.stateLayout.size)
  const state = own ?? [place(artifact.stateLayout.size)]
  const lock = place(lockBytes)
  const descriptors = place(packets.descriptors.length)
  const data = place(packets.data.length)
  const itemBytes = artifact.item?.itemBytes ?? 0
  const [items, effects] = [place(itemBytes * count), place(count)]
  const steering = place(steeringLayout.size)
  const listBytes = 4 + 4 * count
  const lists = place(way === 'sharded' ? listBytes * workers : 0)
  const memory = makeMemory(Math.ceil(next / 65_536) + 1)
  const bytes = new Uint8Array(memory.buffer)
  const view = new DataView(memory.buffer)
  bytes.set(packets.descriptors, descriptors)
  bytes.set(packets.data, data)
  for (let i = 0; i < count; i++) {
    const at = descriptors + i * DESCRIPTOR_BYTES
    view.setUint32(at, view.getUint32(at, true) + data, true)
  }
  settings.forEach((value, k) => view.setBigUint64(settingsAt + 8 * k, value, true))
  for (const at of state) clearBlock(stateMemory(memory.buffer), at, artifact.stateLayout, seed)
  contexts.forEach((at, w) => {
    view.setUint32(at + context.state, state[w] ?? state[0], true)
    view.setUint32(at + context.settings, settingsAt, true)
    view.setUint32(at + context.counters, counters[w], true)
    view.setUint32(at + context.steering, steering, true)
    view.setUint32(at + context.worker, w, true)
    view.setUint32(at + context.workers, workers, true)
  })
  const module = new WebAssembly.Module(artifact.wasm)
  const loops = new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as Loops
  if (way === 'sharded') {
    bytes.set(steeringBlock(artifact.steering!, workers), steering)
    loops.steer!(contexts[0], descriptors, count, 1n, lists, listBytes)
  }
  if (way === 'replicated') loops.extract!(contexts[0], descriptors, count, 1n, items, effects)
  const layout: Layout = {
    contexts,
    descriptors,
    count,
    items,
    effects,
    itemBytes,
    lists: contexts.map((_, w) => lists + w * listBytes),
    lock,
    control,
  }
  const threads = contexts.map(
    (_, worker) =>
      new Worker(new URL('./shared-worker.js', import.meta.url), {
        workerData: { memory, module, layout, way, worker },
      }),
  )
  const words = new Int32Array(memory.buffer)
  const word = (k: number): number => (control >>> 2) + 16 * k
  const waitFor = (rounds: number): void => {
    for (let w = 1; w <= workers; w++)
      for (let done = 0; (done = Atomics.load(words, word(w))) < rounds;)
        Atomics.wait(words, word(w), done, 50)
  }
  // The first round is over when every thread has started.
  await Promise.all(threads.map(t => new Promise(resolve => t.once('online', resolve))))
  waitFor(1)
  let rounds = 1
  return {
    round() {
      for (let i = 0; i < count; i++) {
        const at = descriptors + i * DESCRIPTOR_BYTES + 16
        view.setBigUint64(at, view.getBigUint64(at, true) + packets.span, true)
      }
      const begun = process.hrtime.bigint()
      Atomics.store(words, word(0), rounds++)
      Atomics.notify(words, word(0))
      waitFor(rounds)
      return Number(process.hrtime.bigint() - begun)
    },
    async close() {
      await Promise.all(threads.map(t => t.terminate()))
    },
  }
}
