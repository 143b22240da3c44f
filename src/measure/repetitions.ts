/**
 * Repetitions in processes of their own: what a benchmark prints as its interval and spread is what differs from one process to the
 * next.
 *
 * Where the kernel puts pages and V8 its code is decided once in a process and moves some programs by more than all their
 * rounds differ; a run tomorrow is another process. So a sample is what a fresh process finds in a few rounds in turn. Each
 * process does all tasks that it is given, one process after the other, so that the samples of a task come from as long a time
 * as all take, and what drifts meanwhile is in them. Tasks of which a record's interval is too wide go on in more processes, up
 * to `most` and as long as the time for that lasts (spare-time.ts); none is thrown away for being odd, and those that others disturbed only
 * where enough others are there (samples.ts). Rounds that others disturbed are repeated within each process (rounds.ts). Read repetition.ts for what a process does.
 */

import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import type { BenchmarkRecord } from './record.js'
import type { Answer, NamedWay, Task, TraceKey } from './repetition.js'
import type { Projection, Subject, Way } from './scaling.js'
import { Samples, samplesOf } from './samples.js'
import type { Collected } from './samples.js'
import type { SpareTime } from './spare-time.js'
import { median } from './statistics.js'

export interface RepetitionOptions {
  /** Rounds in each process. */
  readonly rounds: number
  /** Processes, and as many as there may be for what the first ones leave uncertain. */
  readonly processes: number
  readonly most: number
  /** How long processes may be added; without end if absent. */
  readonly spare?: SpareTime
  readonly signal?: AbortSignal
}

/** One program's ways, which a process measures in turn. */
export interface Trial {
  readonly kind: 'project' | 'measure'
  readonly subject: Subject
  readonly ways: readonly Way[]
}

/** A trial of kind project as `project` of scaling.ts gives it, with a process for each sample. */
export const projections = (ways: readonly Way[], found: Collected): Projection[] =>
  ways.map((way, i) => ({
    way,
    software: samplesOf(found.ways[i], 'software'),
    hardware: samplesOf(found.ways[i], 'hardware'),
    perPacket: samplesOf(found.ways[i], 'perPacket'),
    shares: Array.from({ length: way.workers }, (_, w) => median(found.ways[i].map(r => r.shares[w]))),
    disturbed: found.disturbed,
  }))

/** Mpps of a trial of kind measure, by way, then by process. */
export const rates = (found: Collected): number[][] => found.ways.map(list => samplesOf(list, 'mpps'))

export class Repetitions {
  readonly options: RepetitionOptions
  #child: ChildProcess | undefined

  constructor(options: RepetitionOptions) {
    this.options = options
    options.signal?.addEventListener('abort', () => this.close())
  }

  /** Trials on one trace, which every process does one after the other. */
  trials(trace: TraceKey, trials: readonly Trial[]): Promise<Collected[]> {
    return this.#collect(trials.map(trial => ({ ...trial, trace, ways: trial.ways.map(named) })))
  }

  /** One program's projections. */
  async project(subject: Subject, trace: TraceKey, ways: readonly Way[]): Promise<Projection[]> {
    const [found] = await this.trials(trace, [{ kind: 'project', subject, ways }])
    return projections(ways, found)
  }

  /** Nanoseconds a packet of reading captures and of running a program on them, by file, then by process. */
  async captures(
    subject: Subject,
    paths: readonly string[],
  ): Promise<{
    readonly receive: readonly (readonly number[])[]
    readonly compute: readonly (readonly number[])[]
    readonly disturbed: BenchmarkRecord['disturbed']
  }> {
    const [{ ways, disturbed }] = await this.#collect([{ kind: 'captures', subject, paths }])
    return {
      receive: ways.map(list => samplesOf(list, 'receive')),
      compute: ways.map(list => samplesOf(list, 'compute')),
      disturbed,
    }
  }

  /** Ends the process that is at work. */
  close(): void {
    this.#child?.kill('SIGKILL')
    this.#child = undefined
  }

  async #collect(tasks: readonly DistributiveOmit<Task, 'rounds'>[]): Promise<Collected[]> {
    const { rounds, processes, most, spare } = this.options
    const found = tasks.map(() => new Samples(processes))
    const pass = async (asked: readonly number[]): Promise<void> => {
      for (const i of asked) found[i].add(await this.#ask({ ...tasks[i], rounds }))
      this.close()
    }
    const began = performance.now()
    for (let k = 0; k < processes; k++) await pass([...tasks.keys()])
    const until = spare?.until(performance.now() - began) ?? Infinity
    for (let k = processes; k < most && performance.now() < until; k++) {
      const open = [...tasks.keys()].filter(i => !found[i].areSettled)
      if (open.length === 0) break
      await pass(open)
    }
    return found
  }

  /** Has the process do a task; a new one if there is none. */
  #ask(task: Task): Promise<Exclude<Answer, { readonly error: string }>> {
    const child = (this.#child ??= fork(new URL('./repetition.js', import.meta.url), [], {
      execArgv: ['--no-liftoff'],
      serialization: 'advanced',
      // Ctrl-C comes to this process too, which ends the other in its own time.
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    }))
    return new Promise((resolve, reject) => {
      const ended = (code: number | null): void =>
        reject(new Error(`a repetition's process ended with ${code === null ? 'a signal' : `code ${code}`}`))
      child.once('exit', ended)
      child.once('error', reject)
      child.once('message', (answer: Answer) => {
        child.off('exit', ended).off('error', reject)
        if ('error' in answer) reject(new Error(answer.error))
        else resolve(answer)
      })
      child.send(task)
    })
  }
}

/** `Omit` of each member of a union. */
type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never

const named = ({ strategy, ...way }: Way): NamedWay => {
  const { name, history, sharing, recovery } = strategy
  return {
    ...way,
    strategy: {
      name,
      ...(history && { history }),
      ...(sharing && { sharing }),
      ...(recovery && { recovery }),
    },
  }
}
