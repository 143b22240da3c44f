// Runs whose packets are in user space, where the kernel has nothing that `hairpin top` could read: each says of itself
// what it is and what it has counted, in a file of its own that is renamed into place.
//
// The file goes when the process ends; one that a killed process left behind is known by that process (its number and its
// start) and is taken away by whoever sees it. A machine on which the folder cannot be made has no such files, and runs
// go on without.

import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { namespaceId } from '../sys/namespace.js'
import { isAlive, thisProcess } from '../sys/process.js'
import type { ProcessIdentity } from '../sys/process.js'

const folder = '/run/hairpin/runs'
/** Longer is none of ours. */
const mostBytes = 65_536

/** What a run is. */
export interface RunFacts {
  readonly command: 'run' | 'bypass'
  readonly program: string
  readonly strategy: string
  readonly interfaces: readonly string[]
  /** Of strategies that have a history: its bytes for each packet. */
  readonly historyBytes?: number
}

/** What it has counted. */
export interface RunCounts {
  readonly packets: number
  readonly verdicts: Readonly<Record<string, number>>
  /** Packets that went nowhere, by reason. */
  readonly drops: Readonly<Record<string, number>>
  readonly counters: Readonly<Record<string, number>>
  /** Packets of each worker, and those of others that it replayed. */
  readonly workers: readonly { readonly packets: number; readonly replayed: number }[]
}

export interface RunningRun extends RunFacts {
  readonly process: ProcessIdentity
  /** The network namespace of its interfaces (namespaceId). */
  readonly namespace: string
  /** Milliseconds since 1970: when it began, and when it counted. */
  readonly began: number
  readonly at: number
  readonly counts: RunCounts
}

/** The file of this process's run. */
export class Publication {
  readonly #facts: Omit<RunningRun, 'at' | 'counts'>
  readonly #path: string
  #isOpen = true

  /** In the namespace of the interfaces. */
  constructor(facts: RunFacts) {
    this.#facts = { ...facts, process: thisProcess(), namespace: namespaceId(), began: Date.now() }
    this.#path = join(folder, `${process.pid}.json`)
    process.once('exit', this.close)
    this.tell({ packets: 0, verdicts: {}, drops: {}, counters: {}, workers: [] })
  }

  /** Once a second is often enough. */
  tell(counts: RunCounts): void {
    if (!this.#isOpen) return
    const run: RunningRun = { ...this.#facts, at: Date.now(), counts }
    try {
      mkdirSync(folder, { recursive: true })
      writeFileSync(`${this.#path}.new`, `${JSON.stringify(run)}\n`)
      renameSync(`${this.#path}.new`, this.#path)
    } catch {
      // Nobody will see it; that is all.
      this.close()
    }
  }

  /** Harmless when repeated. */
  readonly close = (): void => {
    this.#isOpen = false
    process.removeListener('exit', this.close)
    for (const path of [this.#path, `${this.#path}.new`]) rmSync(path, { force: true })
  }
}

/** The runs that go on now, by the number of their process. */
export function runningRuns(): RunningRun[] {
  let names: string[]
  try {
    names = readdirSync(folder)
  } catch {
    return []
  }
  return names.flatMap(name => {
    const path = join(folder, name)
    const run = readRun(path)
    if (!run) return []
    if (isAlive(run.process)) return [run]
    try {
      rmSync(path, { force: true })
    } catch {
      // Somebody else's to take away.
    }
    return []
  })
}

function readRun(path: string): RunningRun | undefined {
  try {
    const text = readFileSync(path, 'utf8')
    const run = text.length <= mostBytes ? (JSON.parse(text) as unknown) : undefined
    return isRun(run) ? run : undefined
  } catch {
    return undefined
  }
}

const isObject = (x: unknown): x is Record<string, unknown> => typeof x === 'object' && x !== null
const areNumbers = (x: unknown): boolean => isObject(x) && Object.values(x).every(n => typeof n === 'number')

/** Whether it is what a run of this build writes. */
function isRun(x: unknown): x is RunningRun {
  if (!isObject(x) || !isObject(x.counts) || !areNumbers(x.process)) return false
  const { verdicts, drops, counters, workers, packets } = x.counts
  return (
    [x.command, x.program, x.strategy, x.namespace].every(t => typeof t === 'string') &&
    [x.began, x.at, packets, x.historyBytes ?? 0].every(n => typeof n === 'number') &&
    Array.isArray(x.interfaces) &&
    x.interfaces.every(t => typeof t === 'string') &&
    [verdicts, drops, counters].every(areNumbers) &&
    Array.isArray(workers) &&
    workers.every(areNumbers)
  )
}
