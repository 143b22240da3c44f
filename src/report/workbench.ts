/**
 * What figures are made on: compiled programs, traces and studies, each made once however many figures ask for it.
 */

import type { PacketStore } from '../engine/packets.js'
import { dispatchCost } from '../measure/dispatch.js'
import type { Environment } from '../measure/environment.js'
import type { Effort, Subject } from '../measure/scaling.js'
import { study } from '../measure/study.js'
import type { Study } from '../measure/study.js'
import type { CostSubject } from '../measure/veth-cost.js'
import { standardTrace, traceStore } from '../measure/traces.js'
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

  store(trace: TraceName): Promise<PacketStore> {
    const { packets } = this.options
    return this.#once(`trace ${trace}`, () =>
      Promise.resolve(traceStore(trace, { seed: 1, ...standardTrace(trace, packets) }, packets)),
    )
  }

  study(name: string, trace: TraceName): Promise<Study> {
    return this.#once(`study ${name} ${trace}`, async () => {
      this.options.tell(`${name}, ${trace}`)
      const [program, store] = [await this.program(name), await this.store(trace)]
      return study(program.name, program, store, { ...this.options, threads: true })
    })
  }

  /** What being handed a packet costs, ns. */
  dispatch(trace: TraceName): Promise<number> {
    return this.#once(`dispatch ${trace}`, async () =>
      dispatchCost(await this.options.idle(), await this.store(trace), this.options),
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
