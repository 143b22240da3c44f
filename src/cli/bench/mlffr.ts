// hairpin bench mlffr: the highest rate at which a program loses no more than so much.

import { writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { formatEnvironment, readEnvironment } from '../../measure/environment.js'
import { foreignSeconds, readLoad } from '../../measure/foreign.js'
import { AgentFailure, connectAgent } from '../../measure/agent/client.js'
import { mostPackets } from '../../measure/agent/protocol.js'
import { remoteTrials } from '../../measure/agent/remote-trial.js'
import { memoryTrials } from '../../measure/memory-trial.js'
import { makeRecord } from '../../measure/record.js'
import type { BenchmarkRecord } from '../../measure/record.js'
import { presets, searchRate } from '../../measure/search.js'
import type { Preset, SearchResult, Trial } from '../../measure/search.js'
import { vethTrials } from '../../measure/veth-trial.js'
import type { Loadable, LoadOptions } from '../../engine/kernel/load.js'
import type { PacketStore } from '../../engine/packets.js'
import { findInterface } from '../../sys/interfaces.js'
import { strategyWith } from '../../strategy/strategies.js'
import { Failure, UsageError } from '../command.js'
import type { Flags, Io } from '../command.js'
import { exit } from '../exit.js'
import { integer, isSet, onlyArgument, required, share, text, texts } from '../flags.js'
import { grid } from '../grid.js'
import { optionsOf, strategyOf } from '../inputs.js'
import { withKernel, withKernelAsync } from '../kernel.js'
import { hint } from '../nearest.js'
import { compileProgram } from '../program.js'
import { quantityOf } from '../quantity.js'
import { endOf, tokenIn } from './agent.js'
import { teller } from './effort.js'
import { idleSubject, programFile, storeOf, traceNamed } from './subjects.js'

export const mlffrPart = {
  run: mlffr,
  flags: [
    'loss',
    'preset',
    'trace',
    'packets',
    'rounds',
    'trials',
    'trial',
    'strategy',
    'cores',
    'queue',
    'lab',
    'closed-loop',
    'agent',
    'iface',
    'token-file',
    'max-rate',
    'set',
    'table',
    'out',
  ],
}

/** Where trials happen. */
interface Bench {
  readonly where: string
  readonly closedLoop: boolean
  run(rate: number, seconds: number): Promise<Trial>
  calibrate(seconds: number): Promise<number>
  close(): void
}

interface Found {
  readonly criterion: string
  readonly record: BenchmarkRecord
  readonly generatorLimited: boolean
  readonly searches: readonly SearchResult[]
}

async function mlffr(flags: Flags, io: Io): Promise<number> {
  const file = programFile(onlyArgument(flags, 'PROGRAM'))
  const preset = presetOf(flags)
  const rounds = integer(flags, 'rounds', { least: 1, most: 1000 }) ?? 5
  const trials = integer(flags, 'trials', { least: 1, most: 99 }) ?? 3
  const seconds = quantityOf(text(flags, 'trial') ?? '0.2', 'trial')
  if (!(seconds >= 0.01 && seconds <= 3600)) throw new UsageError('--trial takes 0.01 to 3600 seconds')
  const trace = text(flags, 'trace') ?? 'uniform'
  const store = storeOf(trace, integer(flags, 'packets', { least: 1000, most: 1_000_000 }) ?? 20_000)
  const environment = readEnvironment()
  const telling = teller(io)
  const stop = new AbortController()
  const interrupt = (): void => stop.abort()
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt)
  const bench = await open(file, store, flags, io, stop.signal)
  try {
    telling.tell('calibrating the generator')
    const calibrated = await bench.calibrate(Math.max(seconds, 0.2))
    const given = text(flags, 'max-rate')
    const most = Math.min(calibrated, given === undefined ? Infinity : quantityOf(given, 'max-rate'))
    await bench.run(most / 2, seconds)
    const found: Found[] = []
    let disturbed = 0
    const lists = preset.losses.map(() => [] as SearchResult[])
    for (let round = 0; round < rounds && !stop.signal.aborted; round++) {
      const before = readLoad()
      let least = 0
      for (const [i, loss] of preset.losses.entries()) {
        const search = await searchRate({
          loss,
          most,
          least,
          relative: preset.relative,
          absolute: preset.absolute,
          trials,
          run: rate => {
            if (stop.signal.aborted) throw new Failure('interrupted', exit.interrupted)
            telling.tell(
              `search ${round + 1} of ${rounds}, loss ${lossText(loss)}: ${(rate / 1e6).toFixed(3)} Mpps`,
            )
            return bench.run(rate, seconds)
          },
        })
        lists[i].push(search)
        least = search.rate
      }
      const after = readLoad()
      if (before && after && foreignSeconds(before, after) > 0.05) disturbed++
    }
    for (const [i, loss] of preset.losses.entries())
      found.push(
        resultOf(loss, lists[i], {
          file,
          bench,
          flags,
          trace,
          seconds,
          trials,
          rounds,
          environment,
          disturbed,
        }),
      )
    telling.clear()
    return report(found, { calibrated, most, bench, preset, seconds, trials, environment }, flags, io)
  } finally {
    telling.clear()
    bench.close()
    process.removeListener('SIGINT', interrupt).removeListener('SIGTERM', interrupt)
  }
}

const lossText = (loss: number): string => (loss === 0 ? '0' : `${Number((100 * loss).toPrecision(6))} %`)

function presetOf(flags: Flags): Preset {
  const name = text(flags, 'preset')
  const losses = text(flags, 'loss')
  if (name !== undefined && losses !== undefined)
    throw new UsageError('--preset and --loss exclude each other')
  if (name !== undefined) {
    if (!Object.hasOwn(presets, name))
      throw new UsageError(
        `--preset takes ${Object.keys(presets).join(', ')}, not ${name}.${hint(name, Object.keys(presets))}`,
      )
    return presets[name]
  }
  const list = (losses ?? '0,0.005,0.04').split(',').map(value => share(value, '--loss'))
  return { losses: list.toSorted((a, b) => a - b), relative: 0.01, absolute: 0, source: 'as given' }
}

async function open(
  file: string,
  store: PacketStore,
  flags: Flags,
  io: Io,
  signal: AbortSignal,
): Promise<Bench> {
  const inLab = isSet(flags, 'lab')
  const agent = text(flags, 'agent')
  if (inLab && agent !== undefined) throw new UsageError('--lab and --agent exclude each other')
  const inKernel = inLab || agent !== undefined
  for (const name of inKernel ? ['strategy', 'cores', 'queue'] : [])
    if (flags.values[name] !== undefined)
      throw new UsageError(`--${name} is for memory, not ${inLab ? '--lab' : '--agent'}`)
  for (const [name, other] of [
    ['closed-loop', 'lab'],
    ['iface', 'agent'],
    ['token-file', 'agent'],
  ])
    if (flags.values[name] !== undefined && flags.values[other] === undefined)
      throw new UsageError(`--${name} goes with --${other}`)
  const compiled = await compileProgram(file, io, { hybrid: true })
  const { artifact } = compiled
  const { rules, settings, seed } = optionsOf(flags, artifact)
  const kernelOptions = {
    settings: settings ?? new Map<string, bigint>(),
    seed: seed ?? 1n,
    ...(rules && { rules }),
  }
  if (agent !== undefined) return remote(agent, compiled, kernelOptions, store, flags, signal)
  if (inLab) {
    const packets = Array.from({ length: store.count }, (_, k) => {
      const bytes = new Uint8Array(Math.max(60, store.packet(k).bytes.length))
      bytes.set(store.packet(k).bytes)
      return bytes
    })
    const trials = await withKernelAsync(() =>
      vethTrials(compiled, kernelOptions, packets, isSet(flags, 'closed-loop')),
    )
    return { ...trials, where: `XDP (${trials.mode}) on a veth pair` }
  }
  const [name, ...others] = texts(flags, 'strategy')
  if (others.length > 0) throw new UsageError('mlffr takes one --strategy')
  const cores =
    integer(flags, 'cores', { least: 1, most: 16 }) ??
    (name === undefined || strategyOf(name).name === 'single' ? 1 : availableParallelism())
  const chosen = strategyOf(name ?? 'single')
  const form = artifact.sharing.forms[0]
  const strategy = strategyWith(chosen.name, form === undefined ? {} : { sharing: form }) ?? chosen
  const queue = integer(flags, 'queue', { least: 256, most: 10_000_000 }) ?? 4096
  const subject = { artifact, ...(rules && { rules }), ...(settings && { settings }) }
  try {
    const trials = memoryTrials(subject, await idleSubject(), store, strategy, cores, queue)
    const plural = cores === 1 ? 'one worker' : `${cores} workers`
    return {
      ...trials,
      closedLoop: false,
      where: `${strategy.name}, ${plural}, in memory with a queue of ${queue} packets`,
      close() {},
    }
  } catch (error) {
    throw new Failure((error as Error).message, exit.program)
  }
}

/** Trials with packets from an agent on another machine. */
async function remote(
  given: string,
  program: Loadable,
  options: LoadOptions,
  store: PacketStore,
  flags: Flags,
  signal: AbortSignal,
): Promise<Bench> {
  const { host, port } = endOf(given, '--agent')
  const name = required(flags, 'iface', 'IF')
  const device = withKernel(() => findInterface(name))
  if (device === undefined) throw new Failure(`there is no interface ${name} in this namespace`, exit.input)
  if (store.count > mostPackets) throw new UsageError(`--packets takes at most ${mostPackets} with --agent`)
  const trace = traceNamed(text(flags, 'trace') ?? 'uniform')
  const asked = <T>(answer: Promise<T>): Promise<T> =>
    answer.catch((error: unknown) => {
      if (signal.aborted) throw new Failure('interrupted', exit.interrupted)
      throw error instanceof AgentFailure ? new Failure(error.message, exit.input) : error
    })
  const agent = await asked(connectAgent(host, port, tokenIn(flags)))
  // A trial may take an hour: Ctrl-C does not wait for it. It may have come while connecting.
  signal.addEventListener('abort', () => agent.close())
  if (signal.aborted) agent.close()
  const trials = await asked(
    withKernelAsync(() => remoteTrials(program, options, device, agent, trace, store.count)),
  )
  return {
    ...trials,
    run: (rate, seconds) => asked(trials.run(rate, seconds)),
    calibrate: seconds => asked(trials.calibrate(seconds)),
  }
}

function resultOf(
  loss: number,
  searches: readonly SearchResult[],
  about: {
    readonly file: string
    readonly bench: Bench
    readonly flags: Flags
    readonly trace: string
    readonly seconds: number
    readonly trials: number
    readonly rounds: number
    readonly environment: BenchmarkRecord['environment']
    readonly disturbed: number
  },
): Found {
  const { bench, trace, seconds, trials, environment, disturbed } = about
  const criterion = `≤ ${lossText(loss)}`
  return {
    criterion,
    generatorLimited: searches.filter(s => s.generatorLimited).length * 2 > searches.length,
    searches,
    record: makeRecord({
      name: bench.closedLoop ? 'service rate' : 'mlffr',
      unit: 'Mpps',
      better: 'higher',
      parameters: {
        program: about.file.replace(/^.*\//, '').replace(/\.ts$/, ''),
        where: bench.where,
        trace,
        trialSeconds: seconds,
        trials,
      },
      environment,
      samples: searches.map(s => s.rate / 1e6),
      disturbed: { rejected: 0, kept: disturbed },
      lossCriterion: criterion,
    }),
  }
}

interface About {
  readonly calibrated: number
  readonly most: number
  readonly bench: Bench
  readonly preset: Preset
  readonly seconds: number
  readonly trials: number
  readonly environment: BenchmarkRecord['environment']
}

function report(found: readonly Found[], about: About, flags: Flags, io: Io): number {
  const records = found.map(f => f.record)
  const { bench, calibrated, most, preset } = about
  const json = {
    records,
    where: bench.where,
    closedLoop: bench.closedLoop,
    generator: { calibrated, most },
    results: found.map(({ criterion, generatorLimited, searches, record }) => ({
      lossCriterion: criterion,
      packetsPerSecond: record.summary.median * 1e6,
      unstable: record.unstable,
      generatorLimited,
      searches,
    })),
  }
  const out = text(flags, 'out')
  if (out !== undefined)
    try {
      writeFileSync(out, `${JSON.stringify(json)}\n`)
    } catch (error) {
      throw new Failure(`${out}: ${(error as Error).message}`, exit.input)
    }
  if (isSet(flags, 'json')) io.out(`${JSON.stringify(json)}\n`)
  else io.out(textOf(found, about, preset))
  return exit.ok
}

function textOf(
  found: readonly Found[],
  { bench, calibrated, seconds, trials, environment }: About,
  preset: Preset,
): string {
  const rows = found.map(({ criterion, generatorLimited, searches, record }) => {
    const { median, min, max, spread, interval } = record.summary
    const all = searches.flatMap(s => s.trials).length
    const short = searches.reduce((sum, s) => sum + s.discarded, 0)
    const notes = [
      ...(record.unstable ? ['unstable'] : []),
      ...(generatorLimited ? ['generator-limited'] : []),
      ...(median === 0 ? ['loses that much at any rate tried'] : []),
    ]
    return [
      criterion,
      `${generatorLimited ? '≥ ' : ''}${median.toFixed(3)}`,
      `${min.toFixed(3)}–${max.toFixed(3)}`,
      `${(100 * spread).toFixed(1)} %`,
      `${interval.low.toFixed(3)}–${interval.high.toFixed(3)} (${Math.floor(100 * interval.level)} %)`,
      String(all),
      String(short),
      notes.join(', '),
    ]
  })
  const disturbed = found[0]?.record.disturbed?.kept ?? 0
  return [
    formatEnvironment(environment),
    `${bench.where}; criteria ${preset.source}; trials of ${seconds} s, ${trials} a rate, ${found[0]?.searches.length ?? 0} searches`,
    `the generator offers ${(calibrated / 1e6).toFixed(2)} Mpps at most`,
    ...(disturbed ? [`${disturbed} searches were disturbed by other processes`] : []),
    '',
    grid(
      [
        { title: 'loss' },
        { title: bench.closedLoop ? 'service rate, Mpps' : 'MLFFR, Mpps', right: true },
        { title: 'range', right: true },
        { title: 'spread', right: true },
        { title: 'interval', right: true },
        { title: 'trials', right: true },
        { title: 'short', right: true },
        { title: '' },
      ],
      rows,
    ),
    ...(bench.closedLoop
      ? [
          '',
          'Sender and program ran on one CPU and waited for each other: this is how fast packets are served,',
          'not a rate up to which none is lost.',
        ]
      : []),
    '',
  ].join('\n')
}
