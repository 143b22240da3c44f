/**
 * Repetitions in processes of their own: what a benchmark prints as its spread is what differs from one process to the
 * next.
 *
 * Where the kernel puts pages and V8 its code is decided once in a process and moves some programs by more than all their
 * rounds differ; a run tomorrow is another process. So a sample is a fresh process's median over a few rounds in turn,
 * and the processes take turns, never two at once. Where samples are too far apart, more processes follow, up to `most`
 * and until `deadline`; all samples count, none is thrown away for being odd. Rounds that others disturbed are repeated
 * within each process (rounds.ts). Read repetition.ts for what a process does.
 */

import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { UNSTABLE_SPREAD } from './record.js'
import type { BenchmarkRecord } from './record.js'
import type { Answer, NamedWay, Repetition, Task, TraceKey } from './repetition.js'
import type { Projection, Subject, Way } from './scaling.js'
import { median, summarise } from './statistics.js'

export interface RepetitionOptions {
  /** Rounds in each process. */
  readonly rounds: number
  /** Processes, and as many as there may be where the first ones differ too much. */
  readonly processes: number
  readonly most: number
  /** No process is added after that, by performance.now(). */
  readonly deadline?: number
  readonly signal?: AbortSignal
}

interface Collected {
  /** By way, then by process. */
  readonly ways: readonly (readonly Repetition[])[]
  readonly disturbed: BenchmarkRecord['disturbed']
}

/** The samples of a quantity. */
const of = (repetitions: readonly Repetition[], quantity: string): number[] =>
  repetitions.map(r => r.quantities[quantity])

export class Repetitions {
  readonly options: RepetitionOptions
  #children: ChildProcess[] = []

  constructor(options: RepetitionOptions) {
    this.options = options
    options.signal?.addEventListener('abort', () => this.close())
  }

  /** What `project` of scaling.ts gives, with a process for each sample. */
  async project(subject: Subject, trace: TraceKey, ways: readonly Way[]): Promise<Projection[]> {
    const found = await this.#collect({ kind: 'project', subject, trace, ways: ways.map(named) })
    return ways.map((way, i) => ({
      way,
      software: of(found.ways[i], 'software'),
      hardware: of(found.ways[i], 'hardware'),
      perPacket: of(found.ways[i], 'perPacket'),
      shares: Array.from({ length: way.workers }, (_, w) => median(found.ways[i].map(r => r.shares[w]))),
      disturbed: found.disturbed,
    }))
  }

  /** What `measure` of scaling.ts gives, with a process for each sample. */
  async measure(
    subject: Subject,
    trace: TraceKey,
    ways: readonly Way[],
  ): Promise<{
    readonly mpps: readonly (readonly number[])[]
    readonly disturbed: BenchmarkRecord['disturbed']
  }> {
    const { ways: found, disturbed } = await this.#collect({
      kind: 'measure',
      subject,
      trace,
      ways: ways.map(named),
    })
    return { mpps: found.map(list => of(list, 'mpps')), disturbed }
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
    const { ways, disturbed } = await this.#collect({ kind: 'captures', subject, paths })
    return {
      receive: ways.map(list => of(list, 'receive')),
      compute: ways.map(list => of(list, 'compute')),
      disturbed,
    }
  }

  /** Lets the processes go: the next task has fresh ones. */
  close(): void {
    for (const child of this.#children) child.kill('SIGKILL')
    this.#children = []
  }

  async #collect(task: DistributiveOmit<Task, 'rounds'>): Promise<Collected> {
    const { rounds, processes, most, deadline = Infinity } = this.options
    const ways: Repetition[][] = []
    let rejected = 0
    let kept = 0
    let known = true
    for (let k = 0; k < most; k++) {
      if (k >= processes && (performance.now() > deadline || ways.every(isSettled))) break
      const answer = await this.#ask(k, { ...task, rounds })
      answer.ways.forEach((way, i) => (ways[i] ??= []).push(way))
      known &&= answer.disturbed !== null
      rejected += answer.disturbed?.rejected ?? 0
      // A sample is disturbed if most of its rounds were.
      if (2 * (answer.disturbed?.kept ?? 0) > answer.rounds) kept++
    }
    return { ways, disturbed: known ? { rejected, kept } : null }
  }

  /** Has the k-th process do a task. */
  #ask(k: number, task: Task): Promise<Exclude<Answer, { readonly error: string }>> {
    const child = (this.#children[k] ??= fork(new URL('./repetition.js', import.meta.url), [], {
      execArgv: ['--no-liftoff'],
      serialization: 'advanced',
      // Ctrl-C comes to this process too, which ends the others in its own time.
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

/** Whether all that a record is made of is close enough together. */
const isSettled = (repetitions: readonly Repetition[]): boolean =>
  Object.keys(repetitions[0].quantities).every(
    quantity => summarise(of(repetitions, quantity)).spread <= UNSTABLE_SPREAD,
  )
