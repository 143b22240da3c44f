// One thing that doctor looked at: how it is, on what evidence, and what to do about it.

/** `unseen`: this process may not look, or the kernel or driver does not tell. */
export type Level = 'ok' | 'warn' | 'fail' | 'unseen'

export interface Row {
  /** Stable: it is what --ignore takes, and what scripts look for. */
  readonly id: string
  readonly level: Level
  /** What was found, with numbers. */
  readonly evidence: string
  /** Why it matters, for all but `ok`. */
  readonly why?: string
  /** The command to run next, or what else to do. */
  readonly remedy?: string
}

export const ok = (id: string, evidence: string): Row => ({ id, level: 'ok', evidence })

export const unseen = (id: string, evidence: string, remedy?: string): Row => ({
  id,
  level: 'unseen',
  evidence,
  ...(remedy !== undefined && { remedy }),
})

export const warn = (id: string, evidence: string, why: string, remedy?: string): Row => ({
  id,
  level: 'warn',
  evidence,
  why,
  ...(remedy !== undefined && { remedy }),
})

export const fail = (id: string, evidence: string, why: string, remedy?: string): Row => ({
  ...warn(id, evidence, why, remedy),
  level: 'fail',
})
