/**
 * WebAssembly memories of the engine: made here, so that those of runs that are over are given back in time.
 *
 * `verify`, figures and benchmarks make hundreds of runs in one process, each with a memory that holds the state of every
 * worker. V8 does not see that size: what it sees of a memory is a small object, for which it does not collect. So a
 * collection is asked for before a memory is made, where no clock is running, as often as half a gigabyte was given out.
 */

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

const pageBytes = 65_536
/** Bytes given out between two collections. */
const mostUncollected = 2 ** 29

let uncollected = 0
let collect: (() => void) | undefined

/** A memory of fixed size, in pages of 64 KiB, that modules of backend/wasm/batch.ts import. */
export function makeMemory(pages: number): WebAssembly.Memory {
  if (uncollected + pages * pageBytes > mostUncollected && uncollected > 0) freeMemories()
  uncollected += pages * pageBytes
  return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true })
}

/** Collects what nothing holds any more; takes some ten milliseconds. */
function freeMemories(): void {
  if (!collect) {
    setFlagsFromString('--expose-gc')
    collect = runInNewContext('gc') as () => void
  }
  collect()
  uncollected = 0
}
