// hairpin run --iface --backend wasm: a program on live interfaces in user space, by any strategy. docs/af-xdp.md says how.
//
// All queues of the interfaces are taken (AF_XDP), this thread is the one sequencer, and workers run WebAssembly. What the
// program passes comes in on the interface again, or on hp0 if that is given the address.

import type { Artifact } from '../../engine/artifact.js'
import { frameFormat } from '../../engine/kernel/replicated.js'
import { mostWorkers } from '../../engine/plan.js'
import type { QueueFigures } from '../../engine/queue/figures.js'
import { runLive } from '../../engine/queue/live-run.js'
import type { LiveReady, LiveResult } from '../../engine/queue/live-run.js'
import { networkOf } from '../../engine/queue/match.js'
import { hybrid } from '../../strategy/hybrid.js'
import { historyForms, strategyWith } from '../../strategy/strategies.js'
import type { Strategy } from '../../strategy/strategy.js'
import { Publication } from '../../engine/running.js'
import { historyLayout } from '../../wire/history.js'
import { Failure, UsageError } from '../command.js'
import type { Flags, Io } from '../command.js'
import { exit } from '../exit.js'
import { integer, isSet, onlyArgument, text, texts } from '../flags.js'
import { grouped } from '../grid.js'
import { optionsOf, rowsOf, strategyOf } from '../inputs.js'
import { interfaceNames, withKernelAsync } from '../kernel.js'
import { compileProgram } from '../program.js'
import { refusal } from '../refusal.js'
import { inForm, sharingOf } from '../sharing.js'
import { DropTeller } from '../losses.js'
import { balanceText, countsOf, figuresJson, secondText } from '../bypass/report.js'

/** Flags of `run` that are of captures, or of the kernel's backend. */
const others = [
  'in',
  'out',
  'recovery',
  'no-recovery',
  'loss',
  'fields',
  'virtual',
  'explain',
  'epoch',
  'plan',
  'state',
  'record',
  'queue',
  'steer',
]
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
const [frames, batch] = [4096, 256]

export async function runLiveWasm(flags: Flags, seconds: number | undefined, io: Io): Promise<number> {
  const file = onlyArgument(flags, 'PROGRAM')
  const wrong = others.find(name => flags.values[name] !== undefined)
  if (wrong !== undefined) throw new UsageError(`--${wrong} does not go with --iface and --backend wasm`)
  const cores = integer(flags, 'cores', { least: 1, most: mostWorkers }) ?? 1
  const asked = chosen(flags, cores)
  const compiled = await compileProgram(file, io, {
    // What changes hands in the stream needs items.
    ways: asked.rebalances ? hybrid.ways : asked.ways,
    hybrid: asked.rebalances === true,
  })
  const { artifact } = compiled
  const why = refusal(compiled, asked.name)
  if (why !== undefined) throw new Failure(why, exit.program)
  const strategy = await inForm(asked, sharingOf(flags, [asked]), artifact, () => Promise.resolve(compiled))
  const given = text(flags, 'address')
  const address = given === undefined ? undefined : networkOf(given, false)
  if (given !== undefined && address === undefined)
    throw new UsageError(`--address takes an address with its prefix, 10.0.0.1/24, not ${given}`)
  const json = isSet(flags, 'json')
  const event = (object: object): void => io.out(`${JSON.stringify(object)}\n`)
  const warn = (message: string): void => {
    io.err(`hairpin run: ${message}\n`)
    if (json) event({ event: 'warning', message })
  }
  const drops = new DropTeller()
  return withKernelAsync(async () => {
    const rows = rowsOf(flags, artifact, interfaceNames())
    let [interrupted, began] = [false, performance.now()]
    const stop = (): void => {
      interrupted = true
    }
    for (const signal of signals) process.on(signal, stop)
    let before: QueueFigures | undefined
    let publication: Publication | undefined
    /** What was wrong when it was last looked at. */
    let told = new Set<string>()
    let at = began
    try {
      const result = await runLive({
        devices: texts(flags, 'iface'),
        artifact,
        run: { strategy, cores, ...optionsOf(flags, artifact, rows) },
        mode: 'either',
        xdp: modeOf(flags),
        ...(address && { address }),
        frames,
        batch,
        busyPoll: 0,
        stopped: () => interrupted || (seconds !== undefined && performance.now() - began > 1000 * seconds),
        ready(ready) {
          began = at = performance.now()
          publication = new Publication({
            command: 'run',
            program: artifact.name,
            strategy: strategy.name,
            interfaces: ready.devices.map(d => d.name),
            ...historyOf(strategy, artifact, cores),
          })
          if (json) event({ event: 'started', ...startJson(artifact.name, strategy, cores, ready) })
          else io.out(`${startText(artifact.name, strategy, cores, ready)}\n`)
          if (ready.shortcoming !== undefined) io.err(`${ready.shortcoming}\n`)
        },
        complaints(all) {
          for (const message of all) if (!told.has(message)) warn(message)
          told = new Set(all)
        },
        progress(figures, workers) {
          for (const message of drops.news(Object.entries(figures.drops))) warn(message)
          const now = performance.now()
          publication?.tell({ ...countsOf(figures), workers })
          if (json) event({ event: 'figures', ...figuresJson(figures) })
          else if (before && io.terminal) io.out(`${secondText(figures, before, (now - at) / 1000)}\n`)
          before = figures
          at = now
        },
      })
      const { figures } = result
      const took = (performance.now() - began) / 1000
      if (json) event({ event: 'ended', seconds: took, ...figuresJson(figures), ...endJson(result) })
      else io.out(`${balanceText(figures)}\n${workersText(result)}\n`)
      if (figures.unaccounted !== 0) return exit.no
      return interrupted ? exit.interrupted : exit.ok
    } catch (error) {
      if (error instanceof RangeError) throw new Failure(error.message, exit.program)
      if (error instanceof Error && /has gone/.test(error.message)) throw new Failure(error.message, exit.no)
      throw error
    } finally {
      publication?.close()
      for (const signal of signals) process.removeListener(signal, stop)
    }
  })
}

function chosen(flags: Flags, cores: number): Strategy {
  const strategy = strategyOf(text(flags, 'strategy') ?? (cores > 1 ? 'replicated' : 'single'))
  const given = text(flags, 'history')
  if (given === undefined) return strategy
  const history = historyForms.find(form => form === given)
  if (!history) throw new UsageError(`--history takes ${historyForms.join(' or ')}, not ${given}`)
  return strategyWith(strategy.name, { history })!
}

/** Bytes of history for each packet: a header in front of it, or an item and its effect in a ring. */
function historyOf(strategy: Strategy, artifact: Artifact, workers: number): { historyBytes?: number } {
  const format = strategy.name === 'replicated' ? frameFormat(artifact, workers - 1) : undefined
  if (!format) return {}
  return { historyBytes: strategy.history === 'value' ? historyLayout(format).packet : format.itemBytes + 1 }
}

function modeOf(flags: Flags): 'native' | 'generic' | 'auto' {
  const given = text(flags, 'mode') ?? 'auto'
  if (given === 'native' || given === 'generic' || given === 'auto') return given
  throw new UsageError(`--mode takes native, generic or auto, not ${given}`)
}

const startJson = (program: string, strategy: Strategy, workers: number, ready: LiveReady) => ({
  program,
  backend: 'wasm',
  strategy: strategy.name,
  ...(strategy.history && { history: strategy.history }),
  ...(strategy.sharing && { sharing: strategy.sharing }),
  workers,
  interfaces: ready.devices,
  zeroCopy: ready.mode.zeroCopy,
  needWakeup: ready.mode.needWakeup,
  kernelInterface: ready.kernelInterface,
})

function startText(program: string, strategy: Strategy, cores: number, ready: LiveReady): string {
  const where = ready.devices.map(
    d => `${d.name} (${d.queues} queue${d.queues > 1 ? 's' : ''}, ${d.xdp} XDP)`,
  )
  return (
    `${program} on ${where.join(' and ')} in WebAssembly: ${strategy.name}, ${cores} worker${cores > 1 ? 's' : ''}\n` +
    `AF_XDP ${ready.mode.zeroCopy ? 'without copying' : 'in copy mode'}; the kernel is reached by ${ready.kernelInterface}`
  )
}

const endJson = ({ run, figures }: LiveResult) => ({
  unaccounted: figures.unaccounted,
  workers: run.workers.map(({ packets, replayed }) => ({ packets, replayed })),
})

const workersText = ({ run }: LiveResult): string =>
  run.workers
    .map(
      ({ packets, replayed }, w) =>
        `worker ${w}: ${grouped(BigInt(packets))} packets${replayed > 0 ? `, ${grouped(BigInt(replayed))} of others replayed` : ''}`,
    )
    .join('\n')
