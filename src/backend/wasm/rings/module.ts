// The module of loops over AF_XDP rings: the same for all programs, which keep their own loops over descriptors.
//
// So a packet costs three short loops instead of one long one (2 to 3 ns more), and every strategy's loop works on
// live packets as it does on captures. Read memory.ts first.

import { importedMemory } from '../batch.js'
import { encode } from '../encode.js'
import { Module } from '../module.js'
import { dispatch } from './dispatch.js'
import { reap } from './reap.js'
import { receive } from './receive.js'

/** What the module exports; sequence of arguments as in each file. */
export interface RingLoops {
  receive(socket: number, desc: number, most: number, now: bigint): number
  dispatch(socket: number, desc: number, count: number): void
  reap(pools: number): number
}

/** The module before encoding. */
export function ringsModule(): Module {
  const module = new Module('rings')
  module.importMemory('env', 'memory', importedMemory)
  receive(module)
  dispatch(module)
  reap(module)
  return module
}

let compiled: WebAssembly.Module | undefined

/** The compiled module; the same for all memories. */
export const compiledRings = (): WebAssembly.Module =>
  (compiled ??= new WebAssembly.Module(encode(ringsModule())))

/** The loops over a memory that holds rings. */
export const ringLoops = (
  memory: WebAssembly.Memory,
  module: WebAssembly.Module = compiledRings(),
): RingLoops => new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as RingLoops
