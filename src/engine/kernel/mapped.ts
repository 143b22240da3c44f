// Rule tables that are maps of the kernel's own, and the kernel's routes: looking them up is a call, and who calls is one
// program.

import { fibsOf, kernelMapsOf } from '../../state/kernel-map.js'
import { Unsupported } from '../../sys/failure.js'
import type { KernelArtifact } from '../artifact.js'

/** Throws what to do instead, if a program has such tables; `found` is the strategy that cannot have them, and why. */
export function refuseMapped({ rules }: Pick<KernelArtifact, 'rules'>, found: string): void {
  const fibs = fibsOf(rules)
  const mapped = [...kernelMapsOf(rules), ...fibs]
  if (mapped.length === 0) return
  throw new Unsupported(
    `looking up ${mapped.map(t => t.name).join(' and ')}`,
    'strategy single',
    found,
    fibs.length > 0 ? 'use --strategy single' : 'declare the tables without map, or use --strategy single',
  )
}
