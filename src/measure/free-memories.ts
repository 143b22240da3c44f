/**
 * Gives back the WebAssembly memories of runs that are over.
 *
 * A study makes hundreds of runs in one process, each with a memory of its own, and V8 does not see their size: what it
 * sees of a memory is a small object, for which it does not collect. So a collection is asked for between runs, where
 * no clock is running.
 */

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

let collect: (() => void) | undefined

/** Collects all that nothing holds any more. Takes some milliseconds; not for use while something is measured. */
export function freeMemories(): void {
  if (!collect) {
    setFlagsFromString('--expose-gc')
    collect = runInNewContext('gc') as () => void
  }
  collect()
}
