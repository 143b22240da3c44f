// The pass pipeline, and the passes by name for tests and `--emit`. With `check`, the verifier runs after every pass.

import { InvariantError } from '../ir/invariant.js'
import { printFunction } from '../ir/print.js'
import type { Func } from '../ir/types.js'
import { verifyFunction } from '../ir/verify.js'
import { mergeBitTests } from './bit-tests.js'
import { bounds } from './bounds.js'
import { mergeChecksums } from './checksums.js'
import { cse } from './cse.js'
import { dce } from './dce.js'
import { dropDeadStores } from './dead-stores.js'
import { fold } from './fold.js'
import { foldKnownPhis } from './known-phis.js'
import { isLengthCheck, mergeLengthChecks } from './length-checks.js'
import { narrow } from './narrow.js'
import { ownConditions } from './own-conditions.js'
import type { Facts, Pass } from './pass.js'
import { swapPhis } from './phi-swaps.js'
import { formSelects } from './select.js'
import { simplifyCfg } from './simplify-cfg.js'
import { sink } from './sink.js'
import { split } from './split.js'
import { thread, threadWhere } from './thread.js'
import { unroll } from './unroll.js'
import { widen } from './widen.js'

/** Every pass by the name that tests and options use. */
export const passes: Readonly<Record<string, Pass>> = {
  fold,
  cse,
  bounds,
  widen,
  unroll: func => unroll(func),
  dce,
  thread,
  select: formSelects,
  'simplify-cfg': simplifyCfg,
  'phi-swaps': swapPhis,
  checksums: mergeChecksums,
  'dead-stores': dropDeadStores,
  'length-checks': mergeLengthChecks,
  'length-threads': func => threadWhere(func, isLengthCheck),
  narrow,
  'own-conditions': ownConditions,
  sink,
  'bit-tests': mergeBitTests,
  split: func => {
    // What is known where ways meet is no reason to keep a condition as a number.
    const known = foldKnownPhis(func)
    return split(func) || known
  },
}

export interface OptimiseOptions {
  readonly facts?: Facts
  /** Verify after every pass; throws InvariantError naming the pass. */
  readonly check?: boolean
  /** Passes to leave out, to measure what they gain. */
  readonly without?: readonly string[]
  /** Told after each pass; `changed` is what the pass said. */
  readonly observe?: (pass: string, func: Func, changed: boolean) => void
}

/** Rounds at most; the second is where it usually ends. */
const maxRounds = 4

/**
 * Makes the function small and fast, in place. A round is worth while only as long as folding finds something: what
 * the other passes find, they find in one go.
 */
export function optimise(func: Func, options: OptimiseOptions = {}): void {
  optimiseWith(runner(func, options))
}

function optimiseWith(run: (pass: string) => boolean): void {
  for (let round = 0; round < maxRounds; round++) {
    run('simplify-cfg')
    if (!run('fold') && round > 0) break
    for (const name of ['cse', 'widen', 'dce']) run(name)
  }
  run('dce')
  run('simplify-cfg')
}

/**
 * Makes an expanded function ready for the WebAssembly backend, in place: optimises it and gives it the form that
 * engines make the best code of.
 */
export function finish(func: Func, options: OptimiseOptions = {}): void {
  const run = runner(func, options)
  run('phi-swaps')
  optimiseWith(run)
  run('checksums')
  run('dead-stores')
  run('narrow')
  run('dce')
  run('sink')
  run('simplify-cfg')
  run('split')
  if (run('length-checks')) {
    for (const name of ['dce', 'cse', 'fold', 'dce']) run(name)
    if (run('length-threads')) for (const name of ['fold', 'dce']) run(name)
  }
  run('sink')
  run('dce')
}

/** Passes that go on until they find nothing more: what they leave, they need not see again. */
const untilDone: ReadonlySet<string> = new Set(['simplify-cfg', 'dce'])

/** Runs passes by name, but for one that found nothing to do, or nothing more, when the function was last as it is now. */
function runner(func: Func, options: OptimiseOptions): (pass: string) => boolean {
  const idle = new Set<string>(options.without)
  return name => {
    if (idle.has(name)) return false
    const changed = runPass(func, name, options)
    if (changed) for (const other of idle) if (!options.without?.includes(other)) idle.delete(other)
    if (!changed || untilDone.has(name)) idle.add(name)
    return changed
  }
}

/** Runs one pass by name; true if it changed the function. */
export function runPass(func: Func, name: string, options: OptimiseOptions = {}): boolean {
  const changed = passes[name](func, options.facts)
  if (options.check) {
    const messages = verifyFunction(func)
    if (messages.length)
      throw new InvariantError(`after ${name}: ${messages.join('; ')}\n${printFunction(func)}`)
  }
  options.observe?.(name, func, changed)
  return changed
}
