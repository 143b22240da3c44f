// What our programs need of a kernel, and a refusal for want of it told as such.

import { SystemError, Unsupported } from '../../sys/failure.js'
import { describeFeature, hasFeature } from '../../sys/features.js'
import type { Feature } from '../../sys/features.js'
import { missingCapabilities, privileges } from '../../sys/privilege.js'
import { release } from 'node:os'

/** What programs of every kind need; form.ts has what they use where it is there. */
export const neededFeatures: readonly Feature[] = [
  'instructions2',
  'atomics',
  'boundedLoops',
  'directValues',
  'mmapableMaps',
]

/** Answers that are not about features: no privilege, no memory, no more files. */
const otherCauses: readonly string[] = ['EPERM', 'ENOMEM', 'EMFILE', 'ENFILE']

/**
 * The refusal of a load, in the kernel's terms: if it lacks something that programs need, that is why. A kernel answers
 * EINVAL, or with a verifier's log about an unknown instruction, to what it is too old for.
 */
export function missingFeature(refusal: unknown): unknown {
  if (!(refusal instanceof SystemError) || otherCauses.includes(refusal.code)) return refusal
  // Half privileged, trials fail for that reason: CAP_PERFMON alone decides about loops.
  if (missingCapabilities(privileges()).length > 0) return refusal
  const feature = neededFeatures.find(f => !hasFeature(f))
  if (feature === undefined) return refusal
  const { text, since } = describeFeature(feature)
  const remedy = 'hairpin doctor lists what this kernel lacks'
  return new Unsupported(text, `Linux ${since}`, `Linux ${release()}`, remedy, { cause: refusal })
}
