// What the verifier's log says, in the few lines that matter: the error, the instruction, the registers it concerns,
// the line of the source, and what is known about errors of this kind.
//
// The log is the kernel's text and differs between versions: what cannot be read is left out, and nothing throws.

import { knownRefusals } from './verifier-errors.js'

/** A place in a source file; line and column count from 1. */
export interface SourcePlace {
  readonly file: string
  readonly line: number
  readonly column: number
}

/** From which instruction on the program comes from a place. */
export interface LineEntry extends SourcePlace {
  readonly instruction: number
}

/** The log in short. */
export interface VerifierSummary {
  /** The kernel's words, without what it says about itself. */
  readonly error: string
  /** Index of the instruction it concerns. */
  readonly instruction: number | undefined
  /** The instruction as the kernel prints it. */
  readonly text: string | undefined
  /** What was known of the registers that the instruction or the error names: `R2=pkt(r=0)`. */
  readonly registers: readonly string[]
  /** The jumps that led to it, last first: `from 12 to 17`; at most three. */
  readonly path: readonly string[]
  readonly place: SourcePlace | undefined
  /** What that means, and what to do, if it is known. */
  readonly reason: string | undefined
  readonly remedy: string | undefined
  /** Instructions the verifier walked before it stopped. */
  readonly processed: number | undefined
}

/** Reads a log. `lines` are the program's, in order of instructions. */
export function summarise(log: string, lines: readonly LineEntry[] = []): VerifierSummary {
  const seen = new Walk()
  for (const line of log.split('\n')) seen.line(line)
  const error = seen.error.join('; ') || 'no reason given'
  // Some errors concern another instruction than the last that was walked, and say so.
  const named = /\binsn (\d+)/.exec(error)
  const instruction = named === null ? seen.instruction : Number(named[1])
  const text = instruction === undefined ? undefined : seen.texts.get(instruction)
  const known = knownRefusals.find(({ pattern }) => pattern.test(error))
  return {
    error,
    instruction,
    text,
    registers: registersOf(`${text ?? ''} ${error}`).flatMap(name => seen.state(name) ?? []),
    path: seen.path.slice(-3).toReversed(),
    place: instruction === undefined ? undefined : placeOf(lines, instruction),
    reason: known?.reason,
    remedy: known?.remedy,
    processed: seen.processed,
  }
}

/** The place an instruction comes from; undefined if the lines do not say. */
export function placeOf(lines: readonly LineEntry[], instruction: number): SourcePlace | undefined {
  const entry = lines.findLast(line => line.instruction <= instruction)
  return entry && { file: entry.file, line: entry.line, column: entry.column }
}

/**
 * Reads BTF line records (16 bytes each: instruction, offset of the file's name, offset of the text, line * 1024 +
 * column); `strings` is the BTF string section.
 */
export function lineEntries(records: Uint8Array, strings: Uint8Array): LineEntry[] {
  const view = new DataView(records.buffer, records.byteOffset, records.length)
  return Array.from({ length: Math.floor(records.length / 16) }, (_, k) => {
    const place = view.getUint32(16 * k + 12, true)
    return {
      instruction: view.getUint32(16 * k, true),
      file: stringAt(strings, view.getUint32(16 * k + 4, true)),
      line: place >>> 10,
      column: place & 1023,
    }
  })
}

function stringAt(strings: Uint8Array, offset: number): string {
  const end = strings.indexOf(0, offset)
  return Buffer.from(strings.subarray(offset, end < 0 ? undefined : end)).toString()
}

/** A summary for people, one line for each thing that is known. */
export function summaryText(summary: VerifierSummary): string {
  const { error, place, instruction, text, registers, path, reason, remedy } = summary
  const lines = [
    error,
    place && `at ${place.file}:${place.line}:${place.column}`,
    text && `instruction ${instruction}: ${text}`,
    registers.length > 0 && `with ${registers.join(', ')}`,
    path.length > 0 && `on the path ${path.join(', ')}`,
    reason,
    remedy,
  ]
  return lines.filter(Boolean).join('\n')
}

/** Names of the registers a text speaks of, as the log writes their states. */
function registersOf(text: string): string[] {
  const names = [...text.matchAll(/\b[rRwW](10|\d)\b/g)].map(([, n]) => `R${n}`)
  return [...new Set(names)].toSorted((a, b) => Number(a.slice(1)) - Number(b.slice(1)))
}

/** The verifier's walk through the program, as its log tells it. */
class Walk {
  instruction: number | undefined
  processed: number | undefined
  readonly texts = new Map<number, string>()
  readonly path: string[] = []
  /** Lines since the last instruction that are none of the log's own. */
  error: string[] = []
  #states = new Map<string, string>()

  line(line: string): void {
    const step = /^(\d+): \(([0-9a-f]{2})\) (.*)$/.exec(line)
    if (step !== null) return this.#step(Number(step[1]), step[3])
    const branch = /^from (\d+) to (\d+)(?: \(speculative execution\))?: (.*)$/.exec(line)
    if (branch !== null) {
      this.path.push(`from ${branch[1]} to ${branch[2]}`)
      return this.#restart(branch[3])
    }
    const start = /^\d+: (R\d.*)$/.exec(line)
    if (start !== null) return this.#restart(start[1])
    const processed = /^processed (\d+) insns/.exec(line)
    if (processed !== null) this.processed = Number(processed[1])
    else if (line.trim() !== '' && !ownWords.test(line)) this.error.push(line.trim())
  }

  state(register: string): string | undefined {
    const state = this.#states.get(register)
    return state && `${register}=${state}`
  }

  #step(index: number, rest: string): void {
    const [, text, state = ''] = /^(.*?)(?:\s+; (R\d.*|fp-.*|refs=.*))?$/.exec(rest) ?? []
    this.instruction = index
    this.texts.set(index, text.trim())
    this.error = []
    this.#learn(state)
  }

  #restart(state: string): void {
    this.#states = new Map()
    this.error = []
    this.#learn(state)
  }

  #learn(state: string): void {
    for (const [, name, value] of state.matchAll(
      /\b(R\d+)(?:_\w+)?=(.*?)(?= R\d+(?:_\w+)?=| fp-?\d+\S*=| refs=| cb|$)/g,
    ))
      this.#states.set(name, value)
  }
}

/** Lines of the log that are no errors: the source, precision tracking, live registers, statistics. */
const ownWords =
  /^(;|\s+\d+: |func#|Func#|Live regs|mark_precise|last_idx|regs=|parent |verification time|stack depth|caller|returning from callee|to caller|propagating|arg#|Validating|Global function|reg_type=| R\d|\d+: safe|frame\d|BPF: *$|max_states)/
