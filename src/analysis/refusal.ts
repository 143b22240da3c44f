// Why an analysis says no: plain data with a reason for the author and the place in the source.

import type { Span } from '../ir/types.js'

export type RefusalKind =
  /** A value that state depends on is read from the packet after the program wrote there. */
  | 'packet-written'
  /** The place of a packet read depends on state, and it could be anywhere. */
  | 'state-address'
  /** The key of a rule table that state depends on depends on state. */
  | 'state-rule'
  /** State decides whether a value is needed that is chosen behind a loop which only some packets come to. */
  | 'state-guarded'

/** The reason is one sentence for the author, without the place; `span` is the place, `notes` explain it further. */
export interface Refusal {
  readonly kind: RefusalKind
  readonly reason: string
  readonly span?: Span
  readonly notes?: readonly { readonly message: string; readonly span?: Span }[]
}

/** Carries a refusal out of nested analysis code; never leaves the analysis that throws it. */
export class Refused extends Error {
  readonly refusal: Refusal

  constructor(refusal: Refusal) {
    super(refusal.reason)
    this.name = 'Refused'
    this.refusal = refusal
  }
}

/** Runs an analysis; a refusal thrown inside comes back as a value. */
export function refusable<T>(analysis: () => T): T | Refusal {
  try {
    return analysis()
  } catch (e) {
    if (e instanceof Refused) return e.refusal
    throw e
  }
}
