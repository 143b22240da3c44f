// What of the machine's features compiled code may use here: the newest the kernel has, or what does without.
//
// Read backend/ebpf/target.ts for what the choices mean; sys/features.ts tries each feature once.

import { release } from 'node:os'
import type { CpuLevel, LoopForm } from '../../backend/ebpf/target.js'
import { Unsupported } from '../../sys/failure.js'
import { describeFeature, hasFeature, instructionSet } from '../../sys/features.js'
import { VerifierRejection } from '../../sys/program.js'

/** The choices of a build that depend on the kernel. */
export interface KernelForm {
  readonly cpu: CpuLevel
  readonly loops: LoopForm
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
