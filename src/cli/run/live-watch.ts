// A live run from its start to its end: figures every second, what goes wrong as it does, and the balance.

import { complaintsOf } from '../../engine/queue/complaints.js'
import { hasStopped, liveBalance } from '../../engine/live/figures.js'
import type { LiveFigures, LiveRun, WorkerFigures } from '../../engine/live/figures.js'
import { dumpState, mergeDumps } from '../../state/dump.js'
import type { Dump } from '../../state/dump.js'
import { stateMemory } from '../../state/memory.js'
import { interfaces as allInterfaces } from '../../sys/interfaces.js'
import type { Io } from '../command.js'
import { exit } from '../exit.js'
import { DropTeller } from '../losses.js'
import type { Expanded } from '../program.js'
import { endJson, endText, figuresJson, pageOf } from './live-report.js'
import type { Started } from './live-report.js'
import { LiveScreen } from './live-screen.js'

const everyMilliseconds = 1000
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** Ends when the time is up, at Ctrl-C, or when the interfaces are gone. */
export class Watched {
  readonly end: Promise<number>
  readonly #run: LiveRun
  readonly #started: Started
  readonly #io: Io
  readonly #json: boolean
  readonly #showState: boolean
  readonly #expanded: Expanded
  readonly #began = performance.now()
  readonly #gone = new Set<string>()
  readonly #drops = new DropTeller()
  /** What was wrong with interfaces when they were last looked at. */
  #complaints: ReadonlySet<string> = new Set()
  #last: { figures: LiveFigures; at: number }
  #ending = false
  #resolve!: (code: number) => void
  #reject!: (error: unknown) => void
  readonly #timers: NodeJS.Timeout[] = []
  readonly #screen: LiveScreen | undefined

  constructor(
    run: LiveRun,
    started: Started,
    seconds: number | undefined,
    showState: boolean,
    expanded: Expanded,
    json: boolean,
    io: Io,
  ) {
    this.#run = run
    this.#started = started
    this.#io = io
    this.#json = json
    this.#showState = showState
    this.#expanded = expanded
    this.#last = { figures: run.figures(), at: performance.now() }
    this.end = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    this.#screen = LiveScreen.on(json, interrupted => this.#finish(interrupted ? exit.interrupted : exit.ok))
    this.#timers.push(setInterval(() => this.#look(), everyMilliseconds))
    if (seconds !== undefined) this.#timers.push(setTimeout(() => this.#finish(exit.ok), 1000 * seconds))
    for (const signal of signals) process.on(signal, this.#interrupted)
  }

  readonly #interrupted = (): void => this.#finish(exit.interrupted)

  #look(): void {
    try {
      this.#run.tend()
      const figures = this.#run.figures()
      const at = performance.now()
      if (this.#json) this.#io.out(`${JSON.stringify({ event: 'figures', ...figuresJson(figures) })}\n`)
      else
        this.#screen?.draw(columns =>
          pageOf(this.#started, figures, this.#last.figures, (at - this.#last.at) / 1000, columns),
        )
      this.#last = { figures, at }
      this.#watch(figures)
    } catch (error) {
      this.#fail(error)
    }
  }

  /** Tells once what went wrong, and ends where nothing can come any more. */
  #watch(figures: LiveFigures): void {
    const there = allInterfaces()
    const attached = this.#run.attachments
    const complaints = new Set<string>()
    for (const { interfaceIndex, interfaceName, mode } of attached) {
      const device = there.find(d => d.index === interfaceIndex)
      if (device === undefined) this.#tell(interfaceName, `${interfaceName} was deleted`)
      else if (!device.xdp.some(x => x.mode === mode))
        this.#tell(interfaceName, `the program was taken off ${interfaceName}`)
      else for (const complaint of complaintsOf(device)) complaints.add(complaint)
    }
    for (const complaint of complaints) if (!this.#complaints.has(complaint)) this.#warn(complaint)
    this.#complaints = complaints
    for (const message of this.#drops.news(liveBalance(figures).drops)) this.#warn(message)
    figures.workers.forEach((w, k) => {
      if (hasStopped(w)) this.#tell(`worker ${k}`, `worker ${k} ${whyStopped(w, this.#started)}`)
    })
    const { lost = 0n, fault } = figures.recording ?? {}
    if (fault !== undefined) this.#tell('record', `${this.#started.record} is not written any more: ${fault}`)
    if (lost > 0n)
      this.#tell('lost', `${this.#started.record} misses packets: they come faster than they can be written`)
    if (attached.every(a => this.#gone.has(a.interfaceName))) this.#finish(exit.no)
  }

  #tell(key: string, message: string): void {
    if (this.#gone.has(key)) return
    this.#gone.add(key)
    this.#warn(message)
  }

  #warn(message: string): void {
    this.#io.err(`hairpin run: ${message}\n`)
    if (this.#json) this.#io.out(`${JSON.stringify({ event: 'warning', message })}\n`)
  }

  #stop(): void {
    this.#ending = true
    for (const timer of this.#timers) clearInterval(timer)
    for (const signal of signals) process.removeListener(signal, this.#interrupted)
    this.#screen?.close()
  }

  #fail(error: unknown): void {
    if (!this.#ending) this.#stop()
    this.#run.close()
    this.#reject(error)
  }

  #finish(code: number): void {
    if (this.#ending) return
    this.#stop()
    this.#report(code).catch((error: unknown) => this.#fail(error))
  }

  async #report(code: number): Promise<void> {
    this.#run.detach()
    const seconds = (performance.now() - this.#began) / 1000
    const settled = await this.#run.settle()
    const figures = this.#run.figures()
    const balance = liveBalance(figures)
    const dumps =
      this.#showState && this.#started.to === undefined
        ? stateOf(this.#run, this.#expanded, figures, this.#started.strategy)
        : undefined
    if (this.#json)
      this.#io.out(`${JSON.stringify({ event: 'ended', ...endJson(figures, balance, seconds, dumps) })}\n`)
    else this.#io.out(`${endText(this.#started, figures, balance, seconds, dumps)}\n`)
    if (!settled)
      this.#io.err('hairpin run: packets were still under way after two seconds; they are unaccounted for\n')
    this.#run.close()
    const { lost = 0n, fault } = figures.recording ?? {}
    const isExact =
      settled && balance.unaccounted === 0n && !figures.workers.some(hasStopped) && lost === 0n && !fault
    this.#resolve(code === exit.ok && !isExact ? exit.no : code)
  }
}

/** A worker that stopped has not the state of all packets. */
function whyStopped({ last, recovery }: WorkerFigures, { history }: Started): string {
  if (recovery)
    return `gave up after packet ${last}: what it misses is in no log any more; it gives no verdict since`
  // Of hybrid, whose numbers are those of buckets.
  if (last === undefined)
    return 'stopped for a divided bucket: the history in memory went on before it had read what came next'
  return history === 'reference'
    ? `stopped after packet ${last}: the history in memory went on before it had read what came next`
    : `stopped after packet ${last}: frames to it were lost, and their history with them; --recovery goes on`
}

/** The state of the first worker that has seen all packets, or of all shards or groups together, at the time of the end. */
function stateOf(run: LiveRun, { artifact }: Expanded, figures: LiveFigures, strategy: string): Dump[] {
  const { start, workers } = figures
  const now = process.hrtime.bigint() - start
  const dumpOf = (worker: number): Dump[] => {
    const memory = stateMemory(new ArrayBuffer(artifact.stateLayout.size))
    memory.bytes.set(run.state(worker))
    return dumpState(memory, 0, artifact.stateLayout, now)
  }
  if (run.parts !== undefined) return mergeDumps(Array.from({ length: run.parts }, (_, part) => dumpOf(part)))
  if (strategy === 'sharded') return mergeDumps(workers.map((_, w) => dumpOf(w)))
  const whole = workers.findIndex(w => !hasStopped(w))
  return dumpOf(Math.max(0, whole))
}
