// What loss recovery did in a live run, for people and as JSON: `run --iface` and `top` say it alike.

import type { KernelRecovery } from '../engine/kernel/recovery.js'
import { grouped } from './grid.js'

/** Every number that a worker found missing, by what became of it; no line where recovery is off. */
export function recoveryLines(recovery: KernelRecovery | undefined): string[] {
  if (!recovery) return []
  const { detected, recovered, lostEverywhere, unrecoverable, pending } = recovery
  if (detected === 0) return ['loss recovery: no packet was missing']
  const open = pending > 0 ? ` + ${grouped(pending)} looked for` : ''
  return [
    `loss recovery: ${grouped(detected)} missing = ${grouped(recovered)} recovered + ` +
      `${grouped(lostEverywhere)} lost everywhere + ${grouped(unrecoverable)} unrecoverable${open}`,
  ]
}

export const recoveryJson = (recovery: KernelRecovery): object => {
  const { detected, recovered, lostEverywhere, unrecoverable, pending, stopped } = recovery
  return {
    detected,
    recovered,
    lostEverywhere,
    unrecoverable,
    pending,
    stopped: stopped.map(s => s.worker),
  }
}
