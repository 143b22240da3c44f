// hairpin run --iface: a program on live interfaces, for every strategy that the kernel has. README.md beside this file
// is the help; docs/live.md says how such a run works.

import { kernelMapsOf } from '../../state/kernel-map.js'
import { indirectionEntries } from '../../strategy/toeplitz.js'
import { checkDevices } from '../attach/devices.js'
import { UsageError } from '../command.js'
import type { Flags, Io } from '../command.js'
import { integer, isSet, onlyArgument, text, texts } from '../flags.js'
import { optionsOf, rowsOf } from '../inputs.js'
import { interfaceNames, withKernel } from '../kernel.js'
import { hint } from '../nearest.js'
import { loadExpanded } from '../program.js'
import { begin } from './live-kinds.js'
import { startText } from './live-report.js'
import { wayOf } from './live-steer.js'
import { Watched } from './live-watch.js'
import { liveStrategies, modeOf } from './live-wish.js'
import type { LiveStrategy } from './live-wish.js'

const strategies = [...liveStrategies, 'auto'] as const
const aliases: Readonly<Record<string, string>> = { scr: 'replicated', rss: 'sharded', 'rss++': 'rebalanced' }

/** What is compiled for each; beside replicated whether sharding could be advised (live-replicated.ts). */
const waysOf = {
  single: [],
  shared: ['shared'],
  sharded: ['sharded'],
  rebalanced: ['sharded'],
  hybrid: ['sharded', 'replicated'],
  replicated: ['replicated', 'sharded'],
} as const satisfies Record<LiveStrategy, readonly LiveStrategy[]>

/** Whose state is in slices. */
const slicesOf: Readonly<Partial<Record<LiveStrategy, number>>> = {
  rebalanced: indirectionEntries,
  hybrid: indirectionEntries,
}

/** Flags of `run` that are of captures only. */
const ofCaptures = ['in', 'out', 'loss', 'fields', 'sharing', 'virtual', 'explain', 'plan']

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
  const expanded = await loadExpanded(file, io, waysOf[strategy], slicesOf[strategy])
  const rows = rowsOf(flags, expanded.artifact, interfaceNames())
  const { settings, rules, seed = 1n } = optionsOf(flags, expanded.artifact, rows)
  const common = { settings: settings ?? new Map<string, bigint>(), seed, rows, ...(rules && { rules }) }
  return withKernel(() => {
    checkDevices(names, false, io)
    const { run, started } = begin({ expanded, strategy, names, cores, mode: modeOf(flags), flags, common })
    const isJson = isSet(flags, 'json')
    if (isJson) io.out(`${JSON.stringify({ event: 'started', ...started })}\n`)
    else io.out(`${startText(started, why)}\n`)
    return new Watched(run, started, seconds, isSet(flags, 'state'), expanded, isJson, io).end
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
    const elsewhere = hint(given, strategies)
    throw new UsageError(`--strategy takes ${strategies.join(', ')} in the kernel, not ${given}.${elsewhere}`)
  }
  if (named !== 'auto') return { strategy: named }
  const { artifact, kernel } = await loadExpanded(file, io, waysOf.replicated)
  if (cores === 1) return { strategy: 'single', why: 'one core was asked for' }
  if (kernel.slice && kernelMapsOf(artifact.rules).length === 0)
    return { strategy: 'replicated', why: 'its state can be replicated, and that holds for any traffic' }
  return { strategy: 'shared', why: 'it cannot be replicated here' }
}
