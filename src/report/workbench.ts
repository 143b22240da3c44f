/**
 * What figures are made on: compiled programs, traces and studies, each made once however many figures ask for it.
 */

import { dispatchCost } from '../measure/dispatch.js'
import type { Environment } from '../measure/environment.js'
import type { TraceKey } from '../measure/repetition.js'
import type { Repetitions } from '../measure/repetitions.js'
import type { Effort, Subject } from '../measure/scaling.js'
import { study } from '../measure/study.js'
import type { Study } from '../measure/study.js'
import type { CostSubject } from '../measure/veth-cost.js'
import type { TraceName } from '../measure/traces.js'

/** A compiled program, and what a table says of it. */
export interface ReportedProgram extends Subject {
  readonly name: string
  /** Header fields that sharding hashes, `source, destination`; or why it cannot be sharded. */
  readonly fields: string
  readonly sharing: string
  readonly metadataBytes: number
  /** Lines of source that are neither empty nor comment. */
  readonly lines: number
}

export interface WorkbenchOptions extends Effort {
  readonly repetitions: Repetitions
  readonly packets: number
  readonly workers: readonly number[]
  readonly environment: Environment
  readonly cpus: number
  readonly compile: (name: string, options?: { readonly recovery?: boolean }) => Promise<ReportedProgram>
  /** A program that drops everything. */
  readonly idle: () => Promise<Subject>
  /** The same programs for the kernel, `idle` among them. */
  readonly kernel: (name: string) => Promise<CostSubject>
  readonly tell: (what: string) => void
  /** Where finished studies are kept, so that an interrupted report goes on; nowhere if absent. */
  readonly parts?: {
    get(name: string): unknown
    set(name: string, part: unknown): void
  }
}

export class Workbench {
  readonly options: WorkbenchOptions
  readonly #made = new Map<string, Promise<unknown>>()

  constructor(options: WorkbenchOptions) {
    this.options = options
  }

  program(name: string, recovery = false): Promise<ReportedProgram> {
    return this.#once(`program ${name} ${recovery}`, () => this.options.compile(name, { recovery }))
  }

  trace(name: TraceName): TraceKey {
    return { name, packets: this.options.packets }
  }

  study(name: string, trace: TraceName): Promise<Study> {
    return this.#once(`study ${name} ${trace}`, async () => {
      const { parts } = this.options
      const kept = parts?.get(`study ${name} ${trace}`) as Study | undefined
      if (kept) return kept
      this.options.tell(`${name}, ${trace}`)
      const program = await this.program(name)
      const found = await study(program.name, program, this.trace(trace), { ...this.options, threads: true })
      // The next study's repetitions are processes that have seen nothing of this one.
      this.options.repetitions.close()
      parts?.set(`study ${name} ${trace}`, found)
      return found
    })
  }

  /** What being handed a packet costs, ns. */
  dispatch(trace: TraceName): Promise<number> {
    return this.#once(`dispatch ${trace}`, async () =>
      dispatchCost(await this.options.idle(), this.trace(trace), this.options.repetitions),
    )
  }

  #once<T>(what: string, make: () => Promise<T>): Promise<T> {
    const known = this.#made.get(what) as Promise<T> | undefined
    if (known) return known
    const made = make()
    this.#made.set(what, made)
    return made
  }
}
