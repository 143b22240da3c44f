// Live runs of strategy replicated in groups (--groups): flows are split by a hash, and each part has a sequencer and workers
// of its own. For programs that can be sharded; docs/live.md says how.

import { frameFormat } from '../../engine/kernel/replicated.js'
import { GroupedRun } from '../../engine/live/grouped-run.js'
import { planLive } from '../../engine/live/plan.js'
import { onlineCpus } from '../../sys/cpus.js'
import { Failure, UsageError } from '../command.js'
import type { Flags } from '../command.js'
import { exit } from '../exit.js'
import { integer, isSet } from '../flags.js'
import { historyOf, replicated, requireLogs } from './live-replicated.js'
import { look } from './live-steer.js'
import { queueSizeOf, startedAs } from './live-wish.js'
import type { Begun, Wish } from './live-wish.js'

/** What there is one sequencer for, or none here. */
const ofOne = ['to', 'sequenced', 'record', 'steer']

const groupsOf = (flags: Flags): number => integer(flags, 'groups', { least: 1, most: 64 }) ?? 1

/** Strategy replicated, in as many groups as are asked for. */
export function replicatedInGroups(wish: Wish): Begun {
  const groups = groupsOf(wish.flags)
  return groups === 1 ? replicated(wish) : grouped(wish, groups)
}

function grouped(wish: Wish, groups: number): Begun {
  const { expanded, cores, names: interfaces, mode, flags, common } = wish
  const { artifact, kernel } = expanded
  const wrong = ofOne.find(name => flags.values[name] !== undefined)
  if (wrong !== undefined)
    throw new UsageError(`--${wrong} is of one sequencer, and --groups ${groups} asks for ${groups}`)
  if (cores % groups !== 0)
    throw new UsageError(
      `--cores ${cores} cannot be shared out over --groups ${groups}: each has as many workers, so take a multiple of ${groups}`,
    )
  const { slice, steer } = kernel
  if (!steer)
    throw new Failure(
      `${artifact.name} cannot be split into groups, because it cannot be sharded: packets of one entry would come to ` +
        `several; hairpin check ${artifact.file} says why. Without --groups one sequencer has all packets`,
      exit.program,
    )
  const workers = cores / groups
  const slots = integer(flags, 'slots', { least: workers - 1, most: 63 }) ?? workers - 1
  const format = frameFormat(artifact, slots)
  if (!slice || !format)
    throw new Failure(
      `${artifact.name} cannot be replicated; hairpin check ${artifact.file} says why. --strategy sharded runs it`,
      exit.program,
    )
  const online = onlineCpus()
  const planned = planLive(
    { interfaces: interfaces.map(look), mode, online },
    format,
    workers,
    historyOf(flags),
  )
  if ('error' in planned) throw new Failure(planned.error, exit.program)
  const { cpus, history, headerBytes } = planned
  const queueSize = queueSizeOf(flags)
  const recovery = isSet(flags, 'recovery') && history === 'value'
  if (recovery) requireLogs(workers, queueSize, format)
  const subject = { ...expanded, batch: { slice }, kernel: { ...kernel, steer } }
  const run = new GroupedRun(subject, {
    ...common,
    interfaces,
    groups,
    workers,
    cpus,
    sequencerCpus: online,
    slots,
    queueSize,
    clock: 'exact',
    history,
    recovery,
    mode,
  })
  return {
    run,
    started: {
      ...startedAs(run, wish),
      sequencers: run.sequencers.map(s => s.cpu),
      headerBytes,
      history,
      workers: run.groups.flatMap(g => g.cpus),
      recovery,
    },
  }
}
