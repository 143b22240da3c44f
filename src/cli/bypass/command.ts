// hairpin bypass: a program in user space on chosen receive queues of an interface. README.md beside this file is the help.

import { Bypass } from '../../engine/queue/bypass.js'
import { cpuLoads, cpuWarnings } from '../../engine/queue/cpu.js'
import { networkOf, parseMatch } from '../../engine/queue/match.js'
import type { Match } from '../../engine/queue/match.js'
import { mostWorkers } from '../../engine/plan.js'
import { mostQueues } from '../../engine/queue/steering.js'
import { onlineCpus } from '../../sys/cpus.js'
import { strategyNamed } from '../../strategy/strategies.js'
import type { Strategy } from '../../strategy/strategy.js'
import { Failure, UsageError } from '../command.js'
import type { Command, Flags, Io } from '../command.js'
import { exit } from '../exit.js'
import { integer, isSet, numberList, required, text } from '../flags.js'
import { optionsOf, rowsOf } from '../inputs.js'
import { interfaceNames, withKernelAsync } from '../kernel.js'
import { hint } from '../nearest.js'
import { compileProgram, loadArtifact } from '../program.js'
import { inForm, sharingOf } from '../sharing.js'
import { ask } from './control.js'
import { foreground } from './foreground.js'

export const command: Command = {
  name: 'bypass',
  flags: {
    queue: { type: 'string', short: 'q' },
    steer: { type: 'string' },
    isolate: { type: 'boolean' },
    strategy: { type: 'string', short: 's' },
    sharing: { type: 'string' },
    cores: { type: 'string', short: 'c' },
    cpu: { type: 'string' },
    address: { type: 'string' },
    copy: { type: 'string' },
    mode: { type: 'string', short: 'm' },
    'busy-poll': { type: 'string' },
    'no-wakeup': { type: 'boolean' },
    frames: { type: 'string' },
    batch: { type: 'string' },
    set: { type: 'string', multiple: true },
    table: { type: 'string', multiple: true },
    seed: { type: 'string' },
    json: { type: 'boolean' },
  },
  async run(flags, io) {
    const [first, ...rest] = flags.positionals
    if (first === 'add' || first === 'remove') return change(first, rest, isSet(flags, 'json'), io)
    if (first === undefined) throw new UsageError('IF is missing: the interface; there is no default')
    if (rest.length !== 1)
      throw new UsageError(rest.length ? `one PROGRAM is expected, not ${rest.length}` : 'PROGRAM is missing')
    const queues = numberList(required(flags, 'queue', 'N[,M]'), '--queue', {
      least: 0,
      most: mostQueues - 1,
    })
    const match = matchOf(flags)
    const given = text(flags, 'address')
    const address = given === undefined ? undefined : networkOf(given, false)
    if (given !== undefined && address === undefined)
      throw new UsageError(`--address takes an address with its prefix, 10.0.0.1/24, not ${given}`)
    const cores = integer(flags, 'cores', { least: 1, most: mostWorkers }) ?? 1
    const asked = strategyOf(flags, cores)
    const artifact = await loadArtifact(rest[0], io, [...asked.ways])
    const strategy = await inForm(asked, sharingOf(flags, [asked]), artifact, () =>
      compileProgram(rest[0], io, { ways: asked.ways }),
    )
    const busyPoll = integer(flags, 'busy-poll', { least: 0, most: 100_000 }) ?? 0
    const frames = integer(flags, 'frames', { least: 64, most: 65_536 }) ?? 4096
    const batch = integer(flags, 'batch', { least: 1, most: 4096 }) ?? 256
    return withKernelAsync(async () => {
      const rows = rowsOf(flags, artifact, interfaceNames())
      const cpus = await cpusOf(flags, cores, first, io)
      try {
        const bypass = await Bypass.start({
          device: first,
          queues,
          match,
          artifact,
          run: { strategy, cores, ...optionsOf(flags, artifact, rows) },
          mode: choice(flags, 'copy', { either: 'either', yes: 'copy', no: 'zeroCopy' }),
          xdp: choice(flags, 'mode', { auto: 'auto', native: 'native', generic: 'generic' }),
          isolate: isSet(flags, 'isolate'),
          cpus,
          ...(address && { address }),
          frames,
          batch,
          needWakeup: !isSet(flags, 'no-wakeup'),
          busyPoll,
        })
        return await foreground(bypass, isSet(flags, 'json'), io)
      } catch (error) {
        // What an interface or a queue is not, in words for the user.
        if (error instanceof RangeError) throw new Failure(error.message, exit.program)
        throw error
      }
    })
  },
}

function matchOf(flags: Flags): Match {
  const given = required(flags, 'steer', "'EXPRESSION'")
  const match = parseMatch(given)
  if ('error' in match) throw new UsageError(`--steer '${given}': ${match.error}`)
  return match
}

function strategyOf(flags: Flags, cores: number): Strategy {
  const given = text(flags, 'strategy') ?? (cores > 1 ? 'shared' : 'single')
  const names = ['single', 'shared']
  if (!names.includes(given))
    throw new UsageError(
      `--strategy takes ${names.join(' or ')} here, not ${given}.${hint(given, names)} ` +
        'Queues get their packets by a rule, not by a hash of ours.',
    )
  if (given === 'single' && cores > 1)
    throw new UsageError(`strategy single has one worker; for ${cores} use --strategy shared`)
  return strategyNamed(given)!
}

function choice<T extends string>(flags: Flags, name: string, values: Readonly<Record<string, T>>): T {
  const given = text(flags, name) ?? Object.keys(values)[0]
  if (Object.hasOwn(values, given)) return values[given]
  throw new UsageError(`--${name} takes ${Object.keys(values).join(', ')}, not ${given}`)
}

/** CPUs of the workers: those asked for, or the idlest; with warnings about what else runs there. */
async function cpusOf(flags: Flags, cores: number, device: string, io: Io): Promise<(number | undefined)[]> {
  const given = text(flags, 'cpu')
  const online = onlineCpus()
  const asked =
    given === undefined || given === 'any' ? undefined : numberList(given, '--cpu', { least: 0, most: 4095 })
  if (asked && asked.length !== cores)
    throw new UsageError(`--cpu names one CPU for each of the ${cores} workers, not ${asked.length}`)
  const absent = asked?.find(cpu => !online.includes(cpu))
  if (absent !== undefined)
    throw new UsageError(`there is no CPU ${absent} online; there are ${online.join(', ')}`)
  if (given === 'any') return Array.from({ length: cores }, () => undefined)
  const loads = await cpuLoads()
  if (!asked && cores > online.length) {
    io.err(`${cores} workers on ${online.length} CPUs: for correctness only, they are not pinned\n`)
    return Array.from({ length: cores }, () => undefined)
  }
  const cpus = asked ?? loads.slice(0, cores).map(load => load.cpu)
  for (const cpu of cpus)
    for (const warning of cpuWarnings(
      loads.find(load => load.cpu === cpu),
      cpu,
      device,
    ))
      io.err(`${warning}\n`)
  return cpus
}

/** bypass add IF Q, bypass remove IF Q. */
async function change(
  action: 'add' | 'remove',
  args: readonly string[],
  json: boolean,
  io: Io,
): Promise<number> {
  const [device, queue] = args
  if (args.length !== 2 || !/^\d{1,4}$/.test(queue))
    throw new UsageError(`bypass ${action} takes IF and one queue number`)
  const answer = await ask(device, { action, queue: Number(queue) })
  if ('error' in answer) throw new Failure(answer.error, exit.program)
  if (json) io.out(`${JSON.stringify({ interface: device, queues: answer.queues })}\n`)
  else
    io.out(`${device}: bypassed ${answer.queues.length ? `queue ${answer.queues.join(', ')}` : 'no queue'}\n`)
  return exit.ok
}
