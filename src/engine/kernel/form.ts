// What of the machine's features compiled code may use here: the newest the kernel has, or what does without.
//
// Read backend/ebpf/target.ts for what the choices mean; sys/features.ts tries each feature once.

import { release } from 'node:os'
import type { CpuLevel, LoopForm } from '../../backend/ebpf/target.js'
import { Unsupported } from '../../sys/failure.js'
import { errno } from '../../sys/errno.js'
import { describeFeature, hasFeature, instructionSet } from '../../sys/features.js'
import { VerifierRejection } from '../../sys/program.js'

/** The choices of a build that depend on the kernel. */
export interface KernelForm {
  readonly cpu: CpuLevel
  readonly loops: LoopForm
  /** The verifier is to know nothing of values where paths meet (backend/ebpf/umax.ts). */
  readonly forgets?: boolean
}

/** What the code needs Linux 6.9 for, whole. */
export const newest: KernelForm = { cpu: 'v3', loops: 'may_goto' }

/** What this kernel takes. Throws what says that nothing can be tried: no privilege, no Linux. */
export function kernelForm(): KernelForm {
  const set = instructionSet()
  // Kernels from 6.6 on have signed division, but some before 6.12 trap in it at the least number by -1; load-acquire
  // is younger than the mending.
  const divides = set >= 4 && hasFeature('loadAcquire')
  return {
    cpu: divides ? 'v4' : set >= 3 ? 'v3' : 'v2',
    loops: hasFeature('mayGoto') ? 'may_goto' : 'bounded',
  }
}

/** Of a refusal of a program whose rounds were counted: that they are too many for a kernel without may_goto. */
export function explainLoops(error: unknown, { loops }: KernelForm): unknown {
  const isTooLong = error instanceof VerifierRejection && /too large|too complex/.test(error.log)
  if (loops === 'may_goto' || !isTooLong) return error
  const { text, since } = describeFeature('mayGoto')
  return new Unsupported(
    `${error.program}: its loops have more rounds than this kernel's verifier follows; ${text}`,
    `Linux ${since}`,
    `Linux ${release()}`,
    'make the loops shorter',
  )
}

/**
 * What `make` loads in this form; where the verifier gives up, having walked a million instructions, in the form that
 * has it forget what it knows where paths meet. That costs each packet some instructions, which such a program pays
 * because it could not be loaded otherwise. The first time a refusal for its size needs no log (`briefly`).
 */
export function inFormThatFits<T>(form: KernelForm, make: (form: KernelForm, briefly: boolean) => T): T {
  if (form.forgets === true) return make(form, false)
  try {
    return make(form, true)
  } catch (error) {
    if (!gaveUp(error)) throw error
    return make({ ...form, forgets: true }, false)
  }
}

/** Whether the verifier refused because it had walked as many instructions as it does. */
const gaveUp = (error: unknown): boolean =>
  error instanceof VerifierRejection &&
  (error.errno === errno.E2BIG || /BPF program is too large\. Processed/.test(error.log))
