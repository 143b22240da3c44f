// Live runs of strategy replicated: sequencer and workers here, a sequencer for workers elsewhere (--to), or workers
// of a sequencer elsewhere (--sequenced). Several sequencers are in live-groups.ts.

import { kernelForm } from '../../engine/kernel/form.js'
import { frameFormat, logEntriesFor, logsFit } from '../../engine/kernel/replicated.js'
import type { Replicable } from '../../engine/kernel/replicated.js'
import { planLive } from '../../engine/live/plan.js'
import type { LiveHistory, LivePlan } from '../../engine/live/plan.js'
import { ReplicatedRun } from '../../engine/live/replicated-run.js'
import { SequencedRun } from '../../engine/live/sequenced-run.js'
import { WireRun } from '../../engine/live/wire-run.js'
import { onlineCpus } from '../../sys/cpus.js'
import type { HistoryFormat } from '../../wire/history.js'
import { deviceNamed, queuesOf } from '../attach/devices.js'
import { Failure, UsageError } from '../command.js'
import type { Flags } from '../command.js'
import { exit } from '../exit.js'
import { integer, isSet, text } from '../flags.js'
import { hint } from '../nearest.js'
import { look, restoring, steer, steeringText, wayOf } from './live-steer.js'
import { queueSizeOf, startedAs } from './live-wish.js'
import type { Begun, Wish } from './live-wish.js'

export function replicated(wish: Wish): Begun {
  const { expanded, cores, flags } = wish
  const { artifact, kernel } = expanded
  const slots = integer(flags, 'slots', { least: cores - 1, most: 63 }) ?? cores - 1
  const format = frameFormat(artifact, slots)
  if (!kernel.slice || !format)
    throw new Failure(
      `${artifact.name} cannot be replicated; hairpin check ${artifact.file} says why. --strategy shared runs it`,
      exit.program,
    )
  const subject = { ...expanded, batch: { slice: kernel.slice } }
  const history = historyOf(flags)
  if (text(flags, 'to') !== undefined && isSet(flags, 'recovery'))
    throw new UsageError('--recovery is of workers, and --to says that they are elsewhere')
  return isSet(flags, 'sequenced')
    ? sequenced(wish, subject, slots)
    : sequencing(wish, subject, format, history)
}

/** Workers of frames that come sequenced. */
function sequenced(wish: Wish, subject: Replicable, slots: number): Begun {
  const { names: interfaces, cores: workers, mode, flags, common } = wish
  if (['to', 'record', 'steer'].some(name => text(flags, name) !== undefined))
    throw new UsageError(
      '--to, --record and --steer are of a sequencer, and --sequenced says that it is elsewhere',
    )
  for (const device of interfaces.map(deviceNamed)) {
    const queues = queuesOf(device)
    if (queues < workers)
      throw new Failure(
        `${device.name} has ${queues} receive queue${queues === 1 ? '' : 's'}, and each of the ${workers} workers needs ` +
          `one: ethtool -L ${device.name} rx ${workers} (or combined ${workers}), or fewer --cores`,
        exit.program,
      )
  }
  // Frames come over a wire, and wires lose some. Kernels before 6.9 cannot help it.
  const canRecover = kernelForm().loops !== 'bounded' && !isSet(flags, 'no-recovery')
  const recovery = isSet(flags, 'recovery') || canRecover
  const run = new SequencedRun(subject, { ...common, interfaces, workers, slots, mode, recovery })
  return { run, started: { ...startedAs(run, wish), queues: workers, recovery } }
}

/** A sequencer, and workers here or elsewhere. */
function sequencing(
  wish: Wish,
  subject: Replicable,
  format: HistoryFormat,
  history: LiveHistory | undefined,
): Begun {
  const { names, cores, mode, flags, common } = wish
  const to = text(flags, 'to')
  const out = to === undefined ? undefined : look(to)
  const interfaces = names.map(look)
  const place = { interfaces, mode, online: onlineCpus(), ...(out && { out }) }
  const possible = planLive(place, format, cores, history)
  if ('error' in possible) throw new Failure(possible.error, exit.program)
  const queueSize = queueSizeOf(flags)
  const recovery = isSet(flags, 'recovery') && possible.history === 'value'
  if (recovery) requireLogs(cores, queueSize, format)
  // What cannot be was refused before the table of a card is touched.
  const steered = steer(wayOf(flags), interfaces, mode)
  const { table } = steered
  const planned: LivePlan = table ? { ...possible, queue: table.queue } : possible
  const canShard = wish.expanded.artifact.steering !== undefined && to === undefined
  const sources = steeringText(interfaces, steered, planned.funnelCpu, canShard)
  const { headerBytes, queue, funnelCpu } = planned
  const told = {
    ...(sources !== undefined && { sources }),
    ...(table && { steered: table.queue }),
    headerBytes,
  }
  const { slots } = format
  const parts = { ...common, ...planned, interfaces: names, workers: cores, slots, mode, queueSize }
  const options = { ...parts, ...(table && { table }) }
  if (to !== undefined) {
    const leaving = deviceNamed(to).index
    const run = restoring(table, () => new WireRun(subject, { ...options, out: leaving }))
    return { run, started: { ...startedAs(run, wish), ...told, to } }
  }
  const record = text(flags, 'record')
  const recorded = record !== undefined && { record }
  const here = { ...options, ...recorded, recovery, clock: 'exact' as const }
  const run = restoring(table, () => new ReplicatedRun(subject, here))
  const funnelled = queue === undefined && { funnel: funnelCpu }
  const workers = run.seats.map(s => s.cpu)
  const { history: form } = planned
  return {
    run,
    started: {
      ...startedAs(run, wish),
      ...told,
      ...recorded,
      ...funnelled,
      history: form,
      workers,
      recovery,
    },
  }
}

export function requireLogs(workers: number, queueSize: number, { itemBytes }: HistoryFormat): void {
  const entries = logEntriesFor(workers, queueSize)
  if (logsFit({ workers, entries, itemBytes })) return
  throw new Failure(
    `${workers} logs of ${entries} entries, for queues of ${queueSize} frames, are more than a program reaches: ` +
      'a smaller --queue, or fewer --cores',
    exit.program,
  )
}

/** What was asked for; frames for workers elsewhere carry their history. */
export function historyOf(flags: Flags): LiveHistory | undefined {
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
