// The two ways in which the machine says no: a call that failed, and a feature that is not there.
//
// Both are thrown. `SystemError` is one failed call, with what most likely caused it and what to do where we know it.
// `Unsupported` is a refusal known before or understood after the call: the feature, the first kernel that has it and
// what was found instead. Neither stands for mistakes of ours.

import { errnoName, errnoText } from './errno.js'

/** Why a call probably failed and what to do about it, each in one clause without a full stop. */
export interface Explanation {
  readonly reason?: string
  readonly remedy?: string
}

/** A system call, or a request that the kernel answered with an error number. */
export class SystemError extends Error {
  override readonly name: string = 'SystemError'
  /** The call and its purpose: `bpf(MAP_CREATE)`. */
  readonly call: string
  /** Positive error number. */
  readonly errno: number
  /** Its name: `EPERM`. */
  readonly code: string
  /** The most likely cause, if it is known. */
  readonly reason: string | undefined
  /** What to do, if it is known. */
  readonly remedy: string | undefined

  constructor(call: string, errno: number, explanation: Explanation = {}, options?: ErrorOptions) {
    const text = `${call}: ${errnoName(errno)}, ${errnoText(errno)}`
    super([text, explanation.reason, explanation.remedy].filter(Boolean).join('; '), options)
    this.call = call
    this.errno = errno
    this.code = errnoName(errno)
    this.reason = explanation.reason
    this.remedy = explanation.remedy
  }
}

/** The machine lacks something, or does not let us use it. */
export class Unsupported extends Error {
  override readonly name: string = 'Unsupported'
  /** What is missing: `bpf_link for XDP`. */
  readonly feature: string
  /** What has it: `Linux 5.9`; or what it needs: `root`. */
  readonly since: string
  /** What was found instead: `Linux 5.4.0-42-generic`. */
  readonly found: string
  /** What to do, if there is something. */
  readonly remedy: string | undefined

  constructor(feature: string, since: string, found: string, remedy?: string, options?: ErrorOptions) {
    super(`${feature} needs ${since}, found ${found}${remedy === undefined ? '' : `; ${remedy}`}`, options)
    this.feature = feature
    this.since = since
    this.found = found
    this.remedy = remedy
  }
}

/** The result of a call that answers with a negative error number, checked. */
export function checked(result: number, call: string, explain?: (errno: number) => Explanation): number {
  if (result >= 0) return result
  throw new SystemError(call, -result, explain?.(-result))
}
