// Loading BPF programs: through the verifier, with its log if it refuses.
//
// A load is tried without a log first, because writing one doubles the time; if the kernel refuses, it is repeated
// with a log buffer that grows until the log fits. verifier-log.ts reads the log.

import { Attributes, bpfError } from './bpf.js'
import { Descriptor } from './descriptor.js'
import { errno } from './errno.js'
import { SystemError } from './failure.js'
import type { Explanation } from './failure.js'
import type { Bytes } from './kernel.js'

/** Numbers of the kinds of programs we load. */
export const programTypes = {
  socket_filter: 1,
  sched_cls: 3,
  xdp: 6,
  raw_tracepoint: 17,
  syscall: 31,
} as const

export type ProgramType = keyof typeof programTypes

/** What a program is loaded for, where its kind has several uses; 0 and absent for an XDP program of a device. */
export const attachTypes = {
  xdp_devmap: 33,
  xdp_cpumap: 35,
  xdp: 37,
  tcx_ingress: 46,
  tcx_egress: 47,
} as const

export type AttachType = keyof typeof attachTypes

/** Program flags. */
export const programFlags = {
  STRICT_ALIGNMENT: 1 << 0,
  ANY_ALIGNMENT: 1 << 1,
  TEST_RND_HI32: 1 << 2,
  TEST_STATE_FREQ: 1 << 3,
  SLEEPABLE: 1 << 4,
  XDP_HAS_FRAGS: 1 << 5,
  XDP_DEV_BOUND_ONLY: 1 << 6,
} as const

/** What the verifier writes: 1 the failing path, 2 every instruction, plus 4 for a line of statistics. */
export type LogLevel = 0 | 1 | 2 | 4 | 5 | 6

/** A program to load. */
export interface ProgramSpecification {
  readonly type: ProgramType
  /** The first 15 characters are kept. */
  readonly name: string
  /** Instructions, 8 bytes each; map references hold descriptors. */
  readonly instructions: Bytes
  /** Some helpers can only be called by programs whose licence is compatible with the GPL. */
  readonly licence: string
  readonly attachType?: AttachType
  /** Of `programFlags`. */
  readonly flags?: number
  /** For a device-bound program, which may read its metadata. */
  readonly interfaceIndex?: number
  /** A loaded BTF object with records of functions (8 bytes each) and of source lines (16 bytes each). */
  readonly btf?: { readonly fd: number; readonly functions: Bytes; readonly lines?: Bytes }
  /** Asks for a log even if the program is accepted. */
  readonly logLevel?: LogLevel
  /** Level of the log of a refusal; 1 if absent. */
  readonly refusalLogLevel?: LogLevel
  /** No log is asked for if the program is too large (E2BIG): writing that takes longer than giving up did. */
  readonly briefly?: boolean
  /** Keeps a long log from its beginning, up to 64 MiB, instead of its last 256 KiB. */
  readonly wholeLog?: boolean
}

/** A loaded program. */
export class BpfProgram extends Descriptor {
  readonly type: ProgramType
  readonly name: string
  /** What the verifier wrote, if `logLevel` asked for it. */
  readonly log: string

  constructor(fd: number, type: ProgramType, name: string, log = '') {
    super(fd)
    this.type = type
    this.name = name
    this.log = log
  }
}

/** The verifier refused a program; `log` is its whole log. */
export class VerifierRejection extends SystemError {
  override readonly name = 'VerifierRejection'
  readonly program: string
  readonly log: string

  constructor(program: string, error: number, log: string) {
    super('bpf(PROG_LOAD)', error, { reason: `the verifier refuses ${program}: ${lastError(log)}` })
    this.program = program
    this.log = log
  }
}

const BTF_FUNCTION = 8
const BTF_LINE = 16

/** Loads a program. Throws a `VerifierRejection` with the log, or a `SystemError` where the verifier never saw it. */
export function loadProgram(specification: ProgramSpecification): BpfProgram {
  const { type, name, logLevel = 0, refusalLogLevel = 1, wholeLog = false, briefly = false } = specification
  const attributes = attributesOf(specification)
  let refusal = 0
  if (logLevel === 0) {
    const fd = attributes.call('PROG_LOAD')
    if (fd >= 0) return new BpfProgram(fd, type, name)
    if (-fd === errno.EPERM) throw bpfError('PROG_LOAD', -fd, explain(-fd, specification))
    refusal = -fd
    if (briefly && refusal === errno.E2BIG) throw new VerifierRejection(name, refusal, '')
  }
  const { result, log } = loadWithLog(attributes, logLevel || refusalLogLevel, wholeLog)
  if (result >= 0) return new BpfProgram(result, type, name, log)
  // A log that was cut hides the verifier's own error number behind ENOSPC.
  if (-result !== errno.ENOSPC || refusal === 0) refusal = -result
  if (log.trim() !== '') throw new VerifierRejection(name, refusal, log)
  throw bpfError('PROG_LOAD', refusal, explain(refusal, specification))
}

function attributesOf(specification: ProgramSpecification): Attributes {
  const { type, name, instructions, licence, attachType, flags = 0, interfaceIndex = 0, btf } = specification
  const attributes = new Attributes(144)
    .u32(0, programTypes[type])
    .u32(4, instructions.length / 8)
    .pointer(8, instructions)
    .text(16, licence)
    .u32(44, flags)
    .name(48, name)
    .u32(64, interfaceIndex)
    .u32(68, attachType === undefined ? 0 : attachTypes[attachType])
  if (btf !== undefined) {
    attributes.u32(72, btf.fd).u32(76, BTF_FUNCTION).pointer(80, btf.functions)
    attributes.u32(88, btf.functions.length / BTF_FUNCTION)
    if (btf.lines !== undefined)
      attributes
        .u32(92, BTF_LINE)
        .pointer(96, btf.lines)
        .u32(104, btf.lines.length / BTF_LINE)
  }
  return attributes
}

const firstLogSize = 1 << 18
/** A log of 64 MiB helps nobody. */
const lastLogSize = 1 << 26

function loadWithLog(
  attributes: Attributes,
  level: LogLevel,
  whole: boolean,
): { result: number; log: string } {
  for (let size = firstLogSize; ;) {
    const buffer = new Uint8Array(new ArrayBuffer(size))
    attributes.u32(24, level).u32(28, size).pointer(32, buffer)
    const result = attributes.call('PROG_LOAD')
    const log = textOf(buffer)
    if (-result !== errno.ENOSPC || size >= lastLogSize) return { result, log }
    // From Linux 6.4 on the end of a log is kept, which names the error, and its whole length is told.
    if (!whole && /^processed \d+ insns/m.test(log)) return { result, log }
    size = Math.min(lastLogSize, Math.max(4 * size, attributes.read32(140) + 1))
  }
}

function textOf(buffer: Bytes): string {
  const end = buffer.indexOf(0)
  return Buffer.from(buffer.buffer, 0, end < 0 ? buffer.length : end).toString('utf8')
}

/** The line of the log that names the fault: the last before the closing statistics. */
function lastError(log: string): string {
  const lines = log.trimEnd().split('\n')
  const statistics = /^(verification time|stack depth|insns processed|processed \d+ insns|mark_precise)/
  return lines.findLast(line => line.trim() !== '' && !statistics.test(line)) ?? 'no reason given'
}

function explain(error: number, { name, instructions, type }: ProgramSpecification): Explanation {
  switch (error) {
    case errno.E2BIG:
      return {
        reason: `program ${name} has ${instructions.length / 8} instructions, more than the kernel takes; or its attributes are newer than this kernel`,
      }
    case errno.EINVAL:
      return {
        reason: `the kernel refuses program ${name} before its verifier sees it: kind ${type}, its licence or its BTF is unknown to this kernel`,
      }
    default:
      return {}
  }
}
