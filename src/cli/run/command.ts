// hairpin run: a capture through a program. README.md beside this file is the help.

import { availableParallelism } from 'node:os'
import { openCapture } from '../../device/capture.js'
import type { CaptureReader } from '../../device/capture.js'
import { everyPacket } from '../../device/device.js'
import type { Selection } from '../../device/device.js'
import { faultText } from '../../device/fault.js'
import { descriptor, descriptorBytes, verdictNumber } from '../../device/slab.js'
import { compiledWalkers } from '../../device/walker.js'
import { openOutput } from '../../device/writer.js'
import type { Artifact } from '../../engine/artifact.js'
import { WorkerFailure } from '../../engine/crew.js'
import { Unreachable } from '../../engine/messages.js'
import { mostWorkers, plan } from '../../engine/plan.js'
import { start } from '../../engine/run.js'
import type { Epoch } from '../../engine/rebalance.js'
import type { Input, RunResult } from '../../engine/run.js'
import { historyForms, lossyStrategies, strategyWith } from '../../strategy/strategies.js'
import { PauseTooLong } from '../../strategy/replicated-by-value.js'
import type { Strategy } from '../../strategy/strategy.js'
import { Failure, UsageError } from '../command.js'
import type { Command, Flags } from '../command.js'
import { exit } from '../exit.js'
import { integer, isSet, onlyArgument, share, text, texts } from '../flags.js'
import { changesOf } from '../changes.js'
import { captureOf, lossOf, lossRefusal, optionsOf, runFlags, strategyOf } from '../inputs.js'
import { fieldsOf, shardedBy } from '../fields.js'
import { paragraph } from '../grid.js'
import { compileProgram, loadArtifact } from '../program.js'
import { progressLine } from '../progress.js'
import { refusal, suitable } from '../refusal.js'
import { inForm, sharingOf } from '../sharing.js'
import { reportJson, reportText, unaccounted } from './report.js'
import type { Report } from './report.js'
import { finalState } from './state.js'

export const command: Command = {
  name: 'run',
  flags: {
    ...runFlags,
    out: { type: 'string', short: 'o', multiple: true },
    strategy: { type: 'string', short: 's' },
    cores: { type: 'string', short: 'c' },
    history: { type: 'string' },
    recovery: { type: 'boolean' },
    loss: { type: 'string' },
    fields: { type: 'string' },
    sharing: { type: 'string' },
    virtual: { type: 'boolean' },
    explain: { type: 'boolean' },
    epoch: { type: 'string' },
    change: { type: 'string', multiple: true },
    state: { type: 'boolean' },
    plan: { type: 'boolean' },
    iface: { type: 'string', multiple: true },
    backend: { type: 'string' },
    address: { type: 'string' },
    seconds: { type: 'string' },
    mode: { type: 'string', short: 'm' },
    queue: { type: 'string' },
    record: { type: 'string' },
    slots: { type: 'string' },
    to: { type: 'string' },
    sequenced: { type: 'boolean' },
    steer: { type: 'string' },
    groups: { type: 'string' },
    'no-recovery': { type: 'boolean' },
  },
  async run(flags, io) {
    if (texts(flags, 'iface').length > 0) return (await import('./live.js')).runLive(flags, io)
    const live = [
      'backend',
      'address',
      'seconds',
      'mode',
      'queue',
      'record',
      'no-recovery',
      'steer',
      'groups',
    ].find(name => flags.values[name] !== undefined)
    if (live !== undefined) throw new UsageError(`--${live} is of live runs, with --iface`)
    const file = onlyArgument(flags, 'PROGRAM')
    const wanted = integer(flags, 'cores', { least: 1, most: mostWorkers }) ?? 1
    const auto =
      text(flags, 'strategy') === 'auto'
        ? await (await import('./auto.js')).chooseStrategy(file, wanted, flags, io)
        : undefined
    if (isSet(flags, 'explain') && !auto)
      throw new UsageError('--explain is of --strategy auto: it says why that chose what it chose')
    const cores = auto?.workers ?? wanted
    const named = chosenStrategy(flags, cores, auto?.strategy)
    const sharing = sharingOf(flags, [named])
    if (auto && !isSet(flags, 'json'))
      io.err(
        `strategy ${auto.strategy} on ${auto.workers} worker${auto.workers === 1 ? '' : 's'}${isSet(flags, 'explain') ? '' : '; --explain says why'}\n`,
      )
    if (auto && isSet(flags, 'explain')) io.err(`${paragraph(auto.why, 0, 92).join('\n')}\n\n`)
    const fields = await fieldsOf(flags, [named])
    const outputs = outputsOf(flags)
    const path = captureOf(flags)
    const artifact = fields
      ? (await shardedBy(fields, file, io)).artifact
      : named.recovery || named.rebalances
        ? (
            await compileProgram(file, io, {
              recovery: named.recovery === true,
              hybrid: named.rebalances === true,
            })
          ).artifact
        : await loadArtifact(file, io, named.ways)
    const strategy = await inForm(named, sharing, artifact, () => compileProgram(file, io))
    const options = optionsOf(flags, artifact)
    const virtual = isSet(flags, 'virtual')
    const revisions = changesOf(flags, artifact)
    const planned = plan(artifact, { ...options, strategy, cores, virtual, sinks: outputs.length, revisions })
    if ('error' in planned) {
      const compiled = await compileProgram(file, io)
      const why = refusal(compiled, strategy.name)
      const others = suitable(compiled).join(' or ')
      throw new Failure(why ? `${why}\nIt runs with --strategy ${others}.` : planned.error, exit.program)
    }
    if (isSet(flags, 'plan')) {
      io.out(`${JSON.stringify(planned, (_, v: unknown) => (typeof v === 'bigint' ? Number(v) : v), 2)}\n`)
      return exit.ok
    }
    const progress = progressLine(io, 'running')
    let last = 0n
    let interrupted = false
    const onInterrupt = (): void => {
      interrupted = true
    }
    process.once('SIGINT', onInterrupt)
    const rate = text(flags, 'loss')
    const epoch = epochOf(flags, strategy)
    const input: Input = {
      revisions,
      ...(epoch && { epoch }),
      ...(rate !== undefined && { loss: lossOf(share(rate, '--loss'), planned.seed) }),
      open: (memory, workspace) => openCapture(path, { memory, workspace, walkers: compiledWalkers(memory) }),
      sinks: outputs.map(({ to, selection }) => ({
        selection,
        make: (memory, workspace, origin) => openOutput(to, { memory, workspace, origin }),
      })),
      collect(slab, count, _, { buffer }) {
        const at = slab.descriptors + (count - 1) * descriptorBytes + descriptor.timestamp
        last = new DataView(buffer).getBigUint64(at, true)
      },
      stopped: () => interrupted,
      progress: (packets, source) => {
        const { bytes, size } = (source as CaptureReader).progress
        progress.update(packets, bytes, size)
      },
    }
    let result: RunResult
    try {
      result = await start(artifact, planned, strategy, input, options.rules)
    } catch (error) {
      if (error instanceof WorkerFailure) throw new Failure(error.message, exit.failure)
      if (error instanceof Unreachable) throw new Failure(error.message, exit.failure)
      if (error instanceof PauseTooLong) throw new Failure(error.message, exit.program)
      throw error
    } finally {
      progress.clear()
      process.removeListener('SIGINT', onInterrupt)
    }
    const { clamped, notes } = result.source as CaptureReader
    const cpus = availableParallelism()
    const faults = [result.source, ...result.sinks].flatMap(({ fault }) => fault ?? [])
    // A table of noughts above the reason would only hide it.
    if (result.source.fault && result.received === 0 && !isSet(flags, 'json'))
      throw new Failure(faultText(result.source.fault), exit.input)
    const state = isSet(flags, 'state') ? finalState(artifact, planned, result, last) : undefined
    const report: Report = {
      artifact,
      plan: planned,
      result,
      clamped,
      notes: [...notes, ...unfilled(flags, artifact), ...untaken(revisions.length - result.revisions)],
      cpus,
      faults,
      state,
      interrupted,
      ...(revisions.length > 0 && { changes: result.revisions }),
      ...(auto && { auto }),
    }
    // Packets have standard output for themselves.
    const print = outputs.some(o => o.to === '-') ? io.err : io.out
    print(isSet(flags, 'json') ? `${JSON.stringify(reportJson(report))}\n` : reportText(report))
    for (const { worker, last } of result.recovery?.stopped ?? [])
      io.err(
        `hairpin run: worker ${worker} gave up after ${planned.strategy === 'hybrid' ? 'heavy ' : ''}packet ${last}: what it misses is in no log any more. Its state ` +
          'is right up to there; it gave no verdict since. Losses were longer than a log.\n',
      )
    for (const fault of faults) io.err(`hairpin run: ${faultText(fault)}\n`)
    if (interrupted)
      io.err('hairpin run: interrupted; the figures above cover what was processed until then\n')
    return interrupted
      ? exit.interrupted
      : faults.length
        ? exit.input
        : unaccounted(result) || result.recovery?.stopped.length
          ? exit.no
          : exit.ok
  },
}

/** Rule tables that nothing was put into: a program that finds nothing in them is easily taken for broken. */
function unfilled(flags: Flags, artifact: Artifact): string[] {
  const filled = texts(flags, 'table').map(t => t.split('=')[0])
  const empty = artifact.rules.map(r => r.name).filter(name => !filled.includes(name))
  if (empty.length === 0) return []
  const which =
    empty.length === 1 ? `rule table ${empty[0]} is empty` : `rule tables ${empty.join(', ')} are empty`
  return [`${which}; --table NAME=FILE fills ${empty.length === 1 ? 'it' : 'them'}`]
}

/** Changes whose packets never came. */
const untaken = (changes: number): string[] =>
  changes > 0
    ? [`${changes} change${changes === 1 ? '' : 's'} did not take place: the capture ended before`]
    : []

function chosenStrategy(flags: Flags, cores: number, auto: string | undefined): Strategy {
  const named = strategyOf(auto ?? text(flags, 'strategy') ?? (cores === 1 ? 'single' : 'replicated'))
  const history = text(flags, 'history')
  if (isSet(flags, 'recovery') || text(flags, 'loss') !== undefined) {
    if (!lossyStrategies.some(s => s.name === named.name)) throw new UsageError(lossRefusal(named.name))
    const recovers = named.name === 'replicated' || named.name === 'hybrid'
    if (isSet(flags, 'recovery') && !recovers)
      throw new UsageError(
        `--recovery is of strategies replicated and hybrid; ${named.name} sends no history that could be recovered`,
      )
    if (history !== undefined && named.name !== 'replicated')
      throw new UsageError(`--history is of strategy replicated, not of ${named.name}`)
    if (history === 'reference')
      throw new UsageError(
        'frames can only be lost where they carry the history: leave out --history reference',
      )
    return strategyWith(named.name, { recovery: true })!
  }
  if (history === undefined) return named
  const form = historyForms.find(f => f === history)
  if (!form) throw new UsageError(`--history takes ${historyForms.join(' or ')}, not ${history}`)
  if (named.name !== 'replicated')
    throw new UsageError(`--history is of strategy replicated; strategy ${named.name} has none`)
  return strategyWith(named.name, { history: form })!
}

/** `--epoch 65536` in packets, or `100ms`. */
function epochOf(flags: Flags, strategy: Strategy): Epoch | undefined {
  const given = text(flags, 'epoch')
  if (given === undefined) return undefined
  if (!strategy.rebalances)
    throw new UsageError(`--epoch is of strategy rebalanced; strategy ${strategy.name} has none`)
  const match = /^([1-9]\d*)(ms)?$/.exec(given.replaceAll('_', ''))
  if (!match)
    throw new UsageError(`--epoch takes a number of packets, or of milliseconds like 100ms, not ${given}`)
  return match[2] ? { milliseconds: Number(match[1]) } : { packets: Number(match[1]) }
}

interface Output {
  readonly to: string
  readonly selection: Selection
}

const kept = (1 << verdictNumber.pass) | (1 << verdictNumber.transmit) | (1 << verdictNumber.redirect)

/** `--out FILE` takes everything that was not dropped, `--out VERDICT=FILE` one verdict, `--out all=FILE` all. */
function outputsOf(flags: Flags): Output[] {
  return texts(flags, 'out').map(value => {
    const match = /^(\w+)=(.+)$/.exec(value)
    if (!match) return { to: value, selection: { verdicts: kept } }
    const [, name, to] = match
    if (name === 'all') return { to, selection: everyPacket }
    if (!(name in verdictNumber))
      throw new UsageError(
        `--out takes FILE or VERDICT=FILE with drop, pass, transmit, redirect, aborted or all, not ${value}`,
      )
    return { to, selection: { verdicts: 1 << verdictNumber[name as keyof typeof verdictNumber] } }
  })
}
