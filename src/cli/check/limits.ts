// How much memory a program takes on each backend, and what is allowed.

import type { Artifact } from '../../engine/artifact.js'
import { mostWorkers, plan } from '../../engine/plan.js'
import { strategies } from '../../strategy/strategies.js'

/** Bytes behind one page of a WebAssembly memory; 65,535 pages can be addressed. */
const pageBytes = 65_536
export const wasmLimit = 65_535 * pageBytes
/** The kernel's verifier accepts offsets into a map value below this. */
export const kernelLimit = 512 * 2 ** 20

export interface Limits {
  /** One WebAssembly memory: `limit`, and by number of workers what a run takes in all, null where it does not fit. */
  readonly wasm: { readonly limit: number; readonly workers: Readonly<Record<string, number | null>> }
  /** One copy of the state in the kernel, and the largest allowed. */
  readonly kernel: { readonly limit: number; readonly state: number; readonly fits: boolean }
}

/** The sums for 1 to 16 workers that each keep a copy of the state. */
export function limitsOf(artifact: Artifact): Limits {
  const workers: Record<string, number | null> = {}
  for (let n = 1; n <= mostWorkers; n++) workers[n] = memoryOf(artifact, n)
  const state = artifact.stateLayout.size
  return {
    wasm: { limit: wasmLimit, workers },
    kernel: { limit: kernelLimit, state, fits: state < kernelLimit },
  }
}

/** Bytes of memory that a run on n workers takes, by the plan itself. */
function memoryOf(artifact: Artifact, n: number): number | null {
  const copies = [strategies.replicated, strategies.sharded, strategies.shared]
  for (const strategy of n === 1 ? [strategies.single] : copies) {
    if (!strategy) continue
    if (strategy.name === 'replicated' && !artifact.item) continue
    if (strategy.steered && !artifact.steering) continue
    const planned = plan(artifact, { strategy, cores: n })
    return 'error' in planned ? null : planned.map.pages * pageBytes
  }
  return null
}
