// Live runs of strategy hybrid: one program has all packets, as with replicated, and buckets of flows, as with rebalanced.

import { headerBytesOf } from '../../engine/kernel/hybrid.js'
import type { Dividable } from '../../engine/kernel/hybrid.js'
import { HybridRun } from '../../engine/live/hybrid-run.js'
import { onlineCpus } from '../../sys/cpus.js'
import { Failure } from '../command.js'
import { exit } from '../exit.js'
import { look, restoring, steer, steeringText, wayOf } from './live-steer.js'
import { epochOf, queueSizeOf, startedAs } from './live-wish.js'
import type { Begun, Wish } from './live-wish.js'

/** What can be steered by a hash of its fields, and has items to keep of what is steered. */
function dividable({ expanded }: Wish): Dividable {
  const { artifact, kernel } = expanded
  const { steer: byHash, slice } = kernel
  const cannot = (what: string, instead: string): Failure =>
    new Failure(
      `${artifact.name} ${what}; hairpin check ${artifact.file} says more. --strategy ${instead} runs it`,
      exit.program,
    )
  if (!byHash) throw cannot('cannot be sharded, and hybrid divides what sharding steers', 'replicated')
  if (artifact.stateLayout.size === 0) throw cannot('keeps no state that could be divided', 'sharded')
  if (!slice || !artifact.item)
    throw cannot('cannot be replicated, and hybrid replicates what is heavy', 'rebalanced')
  return { ...expanded, batch: { slice }, kernel: { ...kernel, steer: byHash } }
}

export function hybrid(wish: Wish): Begun {
  const { names, cores: workers, mode, flags, common } = wish
  const subject = dividable(wish)
  const [online, interfaces, epoch] = [onlineCpus(), names.map(look), epochOf(flags)]
  // What cannot be was refused before the table of a card is touched.
  const steered = steer(wayOf(flags), interfaces, mode)
  const { table } = steered
  const isOne = mode === 'native' && interfaces.length === 1 && (table || interfaces[0].queues === 1)
  const funnelCpu = online[0]
  const options = {
    ...common,
    interfaces: names,
    workers,
    cpus: online.toReversed(),
    queueSize: queueSizeOf(flags),
    mode,
    epoch,
    ...(isOne ? {} : { funnelCpu }),
    ...(table && { table }),
  }
  const sources = steeringText(interfaces, steered, funnelCpu, true)
  const run = restoring(table, () => new HybridRun(subject, options))
  return {
    run,
    started: {
      ...startedAs(run, wish),
      ...(sources !== undefined && { sources }),
      ...(table && { steered: table.queue }),
      ...(isOne ? {} : { funnel: funnelCpu }),
      headerBytes: headerBytesOf(subject, options),
      workers: run.seats.map(s => s.cpu),
      epoch,
    },
  }
}
