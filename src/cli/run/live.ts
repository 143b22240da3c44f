// hairpin run --iface: a program on live interfaces, for every strategy that the kernel has. README.md beside this file
// is the help; docs/live.md says how such a run works.

import { complaintsOf } from '../../engine/queue/complaints.js'
import { kernelForm } from '../../engine/kernel/form.js'
import { frameFormat, logEntriesFor, logsFit } from '../../engine/kernel/replicated.js'
import { kernelSharing } from '../../engine/kernel/sharing.js'
import { hasStopped, liveBalance } from '../../engine/live/figures.js'
import type { LiveFigures, LiveRun, WorkerFigures } from '../../engine/live/figures.js'
import { planLive } from '../../engine/live/plan.js'
import type { LiveHistory, LiveInterface } from '../../engine/live/plan.js'
import { SequencedRun } from '../../engine/live/sequenced-run.js'
import { ReplicatedRun } from '../../engine/live/replicated-run.js'
import { ShardedRun } from '../../engine/live/sharded-run.js'
import { SoloRun } from '../../engine/live/solo-run.js'
import type { SteeredTable } from '../../engine/live/table.js'
import { defaultQueueSize } from '../../engine/live/spray.js'
import { dumpState, mergeDumps } from '../../state/dump.js'
import type { Dump } from '../../state/dump.js'
import { WireRun } from '../../engine/live/wire-run.js'
import { kernelMapsOf } from '../../state/kernel-map.js'
import { stateMemory } from '../../state/memory.js'
import { onlineCpus } from '../../sys/cpus.js'
import { interfaces as allInterfaces } from '../../sys/interfaces.js'
import { checkDevices, deviceNamed, queuesOf } from '../attach/devices.js'
import { Failure, UsageError } from '../command.js'
import type { Flags, Io } from '../command.js'
import { exit } from '../exit.js'
import { integer, isSet, onlyArgument, text, texts } from '../flags.js'
import { optionsOf, rowsOf } from '../inputs.js'
import { interfaceNames, withKernel } from '../kernel.js'
import { hint } from '../nearest.js'
import { loadExpanded } from '../program.js'
import type { Expanded } from '../program.js'
import { endJson, endText, figuresJson, pageOf, startText } from './live-report.js'
import type { Started } from './live-report.js'
import { DropTeller } from '../losses.js'
import { LiveScreen } from './live-screen.js'
import { steer, steeringText, wayOf } from './live-steer.js'

const strategies = ['single', 'shared', 'sharded', 'replicated', 'auto'] as const
const aliases: Readonly<Record<string, string>> = { scr: 'replicated', rss: 'sharded' }
/** What live interfaces have in user space only. */
const inUserSpace: readonly string[] = ['rebalanced', 'rss++', 'hybrid']
type LiveStrategy = Exclude<(typeof strategies)[number], 'auto'>

/** Flags of `run` that are of captures only. */
const ofCaptures = ['in', 'out', 'loss', 'fields', 'sharing', 'virtual', 'explain', 'epoch', 'plan']

/** Flags that are of strategy replicated only. */
const ofReplicated = ['record', 'to', 'sequenced', 'slots', 'recovery', 'no-recovery', 'steer', 'history']

const everyMilliseconds = 1000
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

export async function runLive(flags: Flags, io: Io): Promise<number> {
  const file = onlyArgument(flags, 'PROGRAM')
  const names = texts(flags, 'iface')
  if (text(flags, 'backend') === 'wasm')
    return (await import('./live-wasm.js')).runLiveWasm(flags, secondsOf(flags), io)
  const wrong = ofCaptures.find(name => flags.values[name] !== undefined)
  if (wrong !== undefined) throw new UsageError(`--${wrong} is of captures; --iface runs on live packets`)
  requireBackend(flags)
  if (isSet(flags, 'recovery') && isSet(flags, 'no-recovery'))
    throw new UsageError('--recovery and --no-recovery are opposites: give one')
  wayOf(flags)
  const cores = integer(flags, 'cores', { least: 1, most: 64 }) ?? 1
  const seconds = secondsOf(flags)
  const { strategy, why } = await strategyOf(flags, file, cores, io)
  const expanded = await loadExpanded(file, io, strategy === 'single' ? [] : [strategy])
  const rows = rowsOf(flags, expanded.artifact, interfaceNames())
  const { settings, rules, seed = 1n } = optionsOf(flags, expanded.artifact, rows)
  const common = { settings: settings ?? new Map<string, bigint>(), seed, rows, ...(rules && { rules }) }
  return withKernel(() => {
    checkDevices(names, strategy === 'single' && expanded.artifact.stateLayout.objects.length > 0, io)
    const { run, started } = open(expanded, strategy, names, cores, flags, common)
    const isJson = isSet(flags, 'json')
    if (isJson) io.out(`${JSON.stringify({ event: 'started', ...started })}\n`)
    else io.out(`${startText(started, why)}\n`)
    return new Live(run, started, seconds, isSet(flags, 'state'), expanded, isJson, io).end
  })
}

function requireBackend(flags: Flags): void {
  const backend = text(flags, 'backend') ?? 'xdp'
  if (backend === 'xdp') return
  throw new UsageError(`--backend takes xdp or wasm, not ${backend}.${hint(backend, ['xdp', 'wasm'])}`)
}

function secondsOf(flags: Flags): number | undefined {
  const given = text(flags, 'seconds')
  if (given === undefined) return undefined
  const seconds = Number(given)
  if (/^\d+(\.\d+)?$/.test(given) && seconds > 0) return seconds
  throw new UsageError(`--seconds takes a time like 10 or 0.5, not ${given}`)
}

interface ChosenLive {
  readonly strategy: LiveStrategy
  readonly why?: string
}

async function strategyOf(flags: Flags, file: string, cores: number, io: Io): Promise<ChosenLive> {
  const given = text(flags, 'strategy') ?? (cores === 1 ? 'single' : 'replicated')
  const named = strategies.find(s => s === (aliases[given] ?? given))
  if (!named) {
    const elsewhere = inUserSpace.includes(given)
      ? ` --backend wasm has it.`
      : hint(given, [...strategies, ...inUserSpace])
    throw new UsageError(`--strategy takes ${strategies.join(', ')} in the kernel, not ${given}.${elsewhere}`)
  }
  if (named !== 'auto') return { strategy: named }
  const { artifact, kernel } = await loadExpanded(file, io, ['replicated'])
  if (cores === 1) return { strategy: 'single', why: 'one core was asked for' }
  if (kernel.slice && kernelMapsOf(artifact.rules).length === 0)
    return { strategy: 'replicated', why: 'its state can be replicated, and that holds for any traffic' }
  return { strategy: 'shared', why: 'it cannot be replicated here' }
}

function open(
  expanded: Expanded,
  strategy: LiveStrategy,
  names: readonly string[],
  cores: number,
  flags: Flags,
  common: Pick<ConstructorParameters<typeof SoloRun>[1], 'settings' | 'seed' | 'rows' | 'rules'>,
): { run: LiveRun; started: Started } {
  const { artifact, kernel } = expanded
  const mode = modeOf(flags)
  const begun = { program: artifact.name, strategy, interfaces: names }
  const record = text(flags, 'record')
  if (strategy !== 'replicated') {
    const wrong = ofReplicated.find(name => flags.values[name] !== undefined)
    if (wrong !== undefined)
      throw new UsageError(`--${wrong} is of strategy replicated, which has a sequencer and a history`)
  }
  if (strategy === 'sharded') {
    const { steer } = kernel
    if (!steer)
      throw new Failure(
        `${artifact.name} cannot be sharded; hairpin check ${artifact.file} says why. --strategy replicated runs it`,
        exit.program,
      )
    const run = new ShardedRun(
      { ...expanded, kernel: { ...kernel, steer } },
      {
        ...common,
        interfaces: names,
        workers: cores,
        cpus: onlineCpus().toReversed(),
        queueSize: queueSizeOf(flags),
        mode,
      },
    )
    const workers = run.seats.map(s => s.cpu)
    return { run, started: { ...begun, mode: run.attachments[0].mode, workers } }
  }
  if (strategy !== 'replicated') {
    const sharing = strategy === 'shared' ? kernelSharing(expanded, kernelForm()) : undefined
    const run = new SoloRun(expanded, { ...common, interfaces: names, mode, ...(sharing && { sharing }) })
    return { run, started: { ...begun, mode: run.attachments[0].mode, ...(sharing && { sharing }) } }
  }
  const slots = integer(flags, 'slots', { least: cores - 1, most: 63 }) ?? cores - 1
  const format = frameFormat(artifact, slots)
  if (!kernel.slice || !format)
    throw new Failure(
      `${artifact.name} cannot be replicated; hairpin check ${artifact.file} says why. --strategy shared runs it`,
      exit.program,
    )
  const subject = { ...expanded, batch: { slice: kernel.slice } }
  const parts = { ...common, interfaces: names, workers: cores, slots, mode }
  const to = text(flags, 'to')
  const history = historyOf(flags)
  const recovery = isSet(flags, 'recovery')
  if (to !== undefined && recovery)
    throw new UsageError('--recovery is of workers, and --to says that they are elsewhere')
  if (isSet(flags, 'sequenced')) {
    if (to !== undefined || record !== undefined || text(flags, 'steer') !== undefined)
      throw new UsageError(
        '--to, --record and --steer are of a sequencer, and --sequenced says that it is elsewhere',
      )
    for (const device of names.map(deviceNamed)) {
      const queues = queuesOf(device)
      if (queues < cores)
        throw new Failure(
          `${device.name} has ${queues} receive queue${queues === 1 ? '' : 's'}, and each of the ${cores} workers needs ` +
            `one: ethtool -L ${device.name} rx ${cores} (or combined ${cores}), or fewer --cores`,
          exit.program,
        )
    }
    // Frames come over a wire, and wires lose some. Kernels before 6.9 cannot help it.
    const canRecover = kernelForm().loops !== 'bounded' && !isSet(flags, 'no-recovery')
    const run = new SequencedRun(subject, { ...parts, recovery: recovery || canRecover })
    return {
      run,
      started: { ...begun, mode: run.attachments[0].mode, queues: cores, recovery: recovery || canRecover },
    }
  }
  const look = (name: string): LiveInterface => {
    const device = deviceNamed(name)
    return { name, mtu: device.mtu, queues: queuesOf(device) }
  }
  const out = to === undefined ? undefined : look(to)
  const interfaces = names.map(look)
  const place = { interfaces, mode, online: onlineCpus(), ...(out && { out }) }
  const possible = planLive(place, format, cores, history)
  if ('error' in possible) throw new Failure(possible.error, exit.program)
  const queueSize = queueSizeOf(flags)
  const entries = logEntriesFor(cores, queueSize)
  const isByValue = possible.history === 'value'
  if (
    to === undefined &&
    recovery &&
    isByValue &&
    !logsFit({ workers: cores, entries, itemBytes: format.itemBytes })
  )
    throw new Failure(
      `${cores} logs of ${entries} entries, for queues of ${queueSize} frames, are more than a program reaches: ` +
        'a smaller --queue, or fewer --cores',
      exit.program,
    )
  // What cannot be was refused before the table of a card is touched.
  const steered = steer(wayOf(flags), interfaces, mode)
  const { table } = steered
  const planned = table ? { ...possible, queue: table.queue } : possible
  const sources = steeringText(interfaces, steered, planned.funnelCpu)
  const told = { ...(sources !== undefined && { sources }), ...(table && { steered: table.queue }) }
  const made = { ...parts, ...planned, queueSize, ...(table && { table }) }
  if (to !== undefined) {
    const run = restoring(table, () => new WireRun(subject, { ...made, out: deviceNamed(to).index }))
    const { headerBytes } = planned
    return { run, started: { ...begun, ...told, mode: run.attachments[0].mode, headerBytes, to } }
  }
  const run = restoring(
    table,
    () =>
      new ReplicatedRun(subject, {
        ...made,
        recovery,
        clock: 'exact',
        ...(record !== undefined && { record }),
      }),
  )
  return {
    run,
    started: {
      ...begun,
      mode: run.attachments[0].mode,
      ...told,
      history: planned.history,
      headerBytes: planned.headerBytes,
      ...(record !== undefined && { record }),
      workers: run.seats.map(s => s.cpu),
      recovery: recovery && isByValue,
      ...(planned.queue === undefined && { funnel: planned.funnelCpu }),
    },
  }
}

/** Puts a card's table back if the run that would do so later does not come about. */
function restoring<T>(table: SteeredTable | undefined, make: () => T): T {
  try {
    return make()
  } catch (error) {
    table?.restore()
    throw error
  }
}

const queueSizeOf = (flags: Flags): number =>
  integer(flags, 'queue', { least: 32, most: 16_384 }) ?? defaultQueueSize

/** What was asked for; frames for workers elsewhere carry their history. */
function historyOf(flags: Flags): LiveHistory | undefined {
  const given = text(flags, 'history')
  if (given === undefined) return undefined
  if (given !== 'value' && given !== 'reference')
    throw new UsageError(
      `--history takes value or reference, not ${given}.${hint(given, ['value', 'reference'])}`,
    )
  if (given === 'value') return given
  if (isSet(flags, 'sequenced') || text(flags, 'to') !== undefined)
    throw new UsageError('--history reference is in the memory of one machine: no wire leads there')
  if (text(flags, 'slots') !== undefined)
    throw new UsageError('--slots is of --history value: by reference frames carry no items')
  return given
}

function modeOf(flags: Flags): 'native' | 'generic' {
  const given = text(flags, 'mode') ?? 'native'
  if (given === 'native' || given === 'generic') return given
  throw new UsageError(`--mode takes native or generic, not ${given}.${hint(given, ['native', 'generic'])}`)
}

/** A run from its start to its end: figures every second, until the time is up, Ctrl-C, or the interfaces are gone. */
class Live {
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
      if (hasStopped(w)) this.#tell(`worker ${k}`, `worker ${k} ${whyStopped(w)}`)
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
const whyStopped = ({ last, recovery }: WorkerFigures): string =>
  recovery
    ? `gave up after packet ${last}: what it misses is in no log any more; it gives no verdict since`
    : `stopped after packet ${last}: frames to it were lost, and their history with them; --recovery goes on`

/** The state of the first worker that has seen all packets, or of all shards together, at the time of the end. */
function stateOf(run: LiveRun, { artifact }: Expanded, figures: LiveFigures, strategy: string): Dump[] {
  const { start, workers } = figures
  const now = process.hrtime.bigint() - start
  const dumpOf = (worker: number): Dump[] => {
    const memory = stateMemory(new ArrayBuffer(artifact.stateLayout.size))
    memory.bytes.set(run.state(worker))
    return dumpState(memory, 0, artifact.stateLayout, now)
  }
  if (strategy === 'sharded') return mergeDumps(workers.map((_, w) => dumpOf(w)))
  const whole = workers.findIndex(w => !hasStopped(w))
  return dumpOf(Math.max(0, whole))
}
