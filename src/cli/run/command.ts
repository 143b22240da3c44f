// hairpin run: a capture through a program. README.md beside this file is the help.

import { availableParallelism } from 'node:os'
import { openCapture } from '../../device/capture.js'
import type { CaptureReader } from '../../device/capture.js'
import { everyPacket } from '../../device/device.js'
import type { Selection } from '../../device/device.js'
import { faultText } from '../../device/fault.js'
import { verdictNumber } from '../../device/slab.js'
import { compiledWalkers } from '../../device/walker.js'
import { openOutput } from '../../device/writer.js'
import { WorkerFailure } from '../../engine/crew.js'
import { mostWorkers, plan } from '../../engine/plan.js'
import { start } from '../../engine/run.js'
import type { Input, RunResult } from '../../engine/run.js'
import { Failure, UsageError } from '../command.js'
import type { Command, Flags } from '../command.js'
import { exit } from '../exit.js'
import { integer, isSet, onlyArgument, required, text, texts } from '../flags.js'
import { optionsOf, runFlags, strategyOf } from '../inputs.js'
import { loadArtifact } from '../program.js'
import { progressLine } from '../progress.js'
import { reportJson, reportText } from './report.js'
import type { Report } from './report.js'
import { stateText } from './state.js'

export const command: Command = {
  name: 'run',
  summary: 'run a program on a capture, on one worker or many',
  flags: {
    ...runFlags,
    out: { type: 'string', short: 'o', multiple: true },
    strategy: { type: 'string', short: 's' },
    cores: { type: 'string', short: 'c' },
    virtual: { type: 'boolean' },
    state: { type: 'boolean' },
    plan: { type: 'boolean' },
  },
  async run(flags, io) {
    const file = onlyArgument(flags, 'PROGRAM')
    const path = required(flags, 'in', 'FILE')
    const cores = integer(flags, 'cores', { least: 1, most: mostWorkers }) ?? 1
    const strategy = strategyOf(text(flags, 'strategy') ?? (cores === 1 ? 'single' : 'replicated'))
    const outputs = outputsOf(flags)
    const artifact = await loadArtifact(file, io)
    const options = optionsOf(flags, artifact)
    const virtual = isSet(flags, 'virtual')
    const planned = plan(artifact, { ...options, strategy, cores, virtual, sinks: outputs.length })
    if ('error' in planned) throw new Failure(planned.error, exit.program)
    if (isSet(flags, 'plan')) {
      io.out(`${JSON.stringify(planned, (_, v: unknown) => (typeof v === 'bigint' ? Number(v) : v), 2)}\n`)
      return exit.ok
    }
    const progress = progressLine(io, 'running')
    let interrupted = false
    const onInterrupt = (): void => {
      interrupted = true
    }
    process.once('SIGINT', onInterrupt)
    const input: Input = {
      open: (memory, workspace) => openCapture(path, { memory, workspace, walkers: compiledWalkers(memory) }),
      sinks: outputs.map(({ to, selection }) => ({
        selection,
        make: (memory, workspace, origin) => openOutput(to, { memory, workspace, origin }),
      })),
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
      throw error
    } finally {
      progress.clear()
      process.removeListener('SIGINT', onInterrupt)
    }
    const { clamped } = result.source as CaptureReader
    const cpus = availableParallelism()
    const report: Report = { artifact, plan: planned, result, clamped, cpus, interrupted }
    io.out(isSet(flags, 'json') ? `${JSON.stringify(reportJson(report))}\n` : reportText(report))
    if (isSet(flags, 'state') && !isSet(flags, 'json')) io.out(stateText(artifact, planned, result))
    return finish(report, io.err)
  },
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
        `--out takes FILE or VERDICT=FILE with drop, pass, transmit, redirect or all, not ${value}`,
      )
    return { to, selection: { verdicts: 1 << verdictNumber[name as keyof typeof verdictNumber] } }
  })
}

/** Says what went wrong with files, and picks the exit code. */
function finish({ result, interrupted }: Report, err: (text: string) => void): number {
  let code: number = exit.ok
  for (const device of [result.source, ...result.sinks]) {
    if (!device.fault) continue
    err(`hairpin run: ${faultText(device.fault)}\n`)
    code = exit.input
  }
  if (!interrupted) return code
  err('hairpin run: interrupted; the figures above cover what was processed until then\n')
  return exit.interrupted
}
