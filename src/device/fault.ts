// What can be wrong with a capture file, as a value: readers and writers of files never throw for what they find
// in a file or get from the system; they stop and leave a fault.

/** Which kind of trouble; stable, for tests and for machine-readable output. */
export type FaultKind =
  /** The system refused: open, read or write failed. */
  | 'system'
  /** The file is not a capture in a format that is read. */
  | 'format'
  /** The file ends inside a record. */
  | 'truncated'
  /** The bytes contradict the format. */
  | 'corrupt'
  /** The packets are of a link type that is not read. */
  | 'link'

/** Why a device stopped before its natural end. */
export interface Fault {
  readonly kind: FaultKind
  /** The file, as the caller named it. */
  readonly file: string
  /** Byte offset of the first byte that was not processed; in a gzip file, in the unpacked stream. */
  readonly offset: number
  /** What was found, in one clause. */
  readonly reason: string
  /** What to do about it, in one sentence. */
  readonly advice: string
}

/** The fault as one line for a person: file, offset, reason, advice. */
export function faultText(fault: Fault): string {
  const place = fault.kind === 'system' ? fault.file : `${fault.file}: byte ${fault.offset}`
  return `${place}: ${fault.reason}. ${fault.advice}`
}
