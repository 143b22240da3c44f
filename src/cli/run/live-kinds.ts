// The kinds of live runs in the kernel, a function each: from what was asked to a run that has begun, or why there is
// none. Nothing stays attached if it is not begun.

import { kernelForm } from '../../engine/kernel/form.js'
import type { Shardable } from '../../engine/kernel/sharded.js'
import { kernelSharing } from '../../engine/kernel/sharing.js'
import { RebalancedRun } from '../../engine/live/rebalanced-run.js'
import { ShardedRun } from '../../engine/live/sharded-run.js'
import { SoloRun } from '../../engine/live/solo-run.js'
import { onlineCpus } from '../../sys/cpus.js'
import { deviceNamed, requireSerial } from '../attach/devices.js'
import { Failure, UsageError } from '../command.js'
import { exit } from '../exit.js'
import { replicatedInGroups } from './live-groups.js'
import { hybrid } from './live-hybrid.js'
import { look, restoring, steer, steeringText, wayOf } from './live-steer.js'
import type { Steered } from './live-steer.js'
import { epochOf, queueSizeOf, startedAs } from './live-wish.js'
import type { Begun, LiveStrategy, Wish } from './live-wish.js'

/** Flags that are of strategy replicated only. */
const ofReplicated = ['record', 'to', 'sequenced', 'slots', 'recovery', 'no-recovery', 'history', 'groups']

/** Which have all packets come to one program. */
const steered: readonly LiveStrategy[] = ['replicated', 'hybrid']

const kinds: Readonly<Record<LiveStrategy, (wish: Wish) => Begun>> = {
  single,
  shared,
  sharded,
  rebalanced,
  hybrid,
  replicated: replicatedInGroups,
}

export function begin(wish: Wish): Begun {
  const { strategy, flags } = wish
  const wrong = ofReplicated.find(name => flags.values[name] !== undefined)
  if (strategy !== 'replicated' && wrong !== undefined)
    throw new UsageError(`--${wrong} is of strategy replicated, which has a sequencer and a history`)
  if (strategy !== 'rebalanced' && strategy !== 'hybrid' && flags.values.epoch !== undefined)
    throw new UsageError(`--epoch is of strategies rebalanced and hybrid; strategy ${strategy} has none`)
  if (flags.values.steer !== undefined && !steered.includes(strategy) && !isSerial(wish))
    throw new UsageError('--steer is of strategies replicated and hybrid, or single of a program with state')
  return kinds[strategy](wish)
}

/** Whether packets must come one after the other. */
const isSerial = ({ strategy, expanded: { artifact } }: Wish): boolean =>
  strategy === 'single' && artifact.stateLayout.objects.length > 0

/** How they do: by one queue, which there is or a card's table makes. */
function serially({ names, mode, flags }: Wish): Steered {
  if (wayOf(flags) === 'funnel')
    throw new UsageError(
      '--steer funnel is of strategies replicated and hybrid: single runs on the CPU of its queue',
    )
  if (mode === 'generic')
    throw new Failure(
      'in generic mode packets of one queue come on any CPU, and several would change the state at the same time: ' +
        '--strategy replicated sends them through one CPU first, --strategy shared keeps them apart',
      exit.program,
    )
  const steered = steer('auto', names.map(look), mode)
  if (!steered.table) requireSerial(names.map(deviceNamed), steered.why)
  return steered
}

/** The program on the interfaces; one CPU at a time, if it has state. */
function single(wish: Wish): Begun {
  const { expanded, names: interfaces, mode, common } = wish
  const way: Steered = isSerial(wish) ? serially(wish) : {}
  const { table } = way
  const options = { ...common, interfaces, mode, ...(table && { table }) }
  const sources = table && steeringText(interfaces.map(look), way, 0, false)
  const run = restoring(table, () => new SoloRun(expanded, options))
  const told = { ...(table && { steered: table.queue }), ...(sources && { sources }) }
  return { run, started: { ...startedAs(run, wish), ...told } }
}

/** The program on the interfaces, on the driver's CPUs, which share its state. */
function shared(wish: Wish): Begun {
  const { expanded, names: interfaces, mode, common } = wish
  const sharing = kernelSharing(expanded, kernelForm())
  const run = new SoloRun(expanded, { ...common, interfaces, mode, sharing })
  return { run, started: { ...startedAs(run, wish), sharing } }
}

/** What can be steered by a hash of its fields. */
function shardable({ expanded }: Wish): Shardable {
  const { artifact, kernel } = expanded
  const { steer } = kernel
  if (!steer)
    throw new Failure(
      `${artifact.name} cannot be sharded; hairpin check ${artifact.file} says why. --strategy replicated runs it`,
      exit.program,
    )
  return { ...expanded, kernel: { ...kernel, steer } }
}

const shardedOptions = ({ names: interfaces, cores: workers, mode, flags, common }: Wish) => {
  const cpus = onlineCpus().toReversed()
  return { ...common, interfaces, workers, cpus, queueSize: queueSizeOf(flags), mode }
}

function sharded(wish: Wish): Begun {
  const run = new ShardedRun(shardable(wish), shardedOptions(wish))
  return { run, started: { ...startedAs(run, wish), workers: run.seats.map(s => s.cpu) } }
}

/** As sharded, and buckets of flows follow the load. */
function rebalanced(wish: Wish): Begun {
  const epoch = epochOf(wish.flags)
  const run = new RebalancedRun(shardable(wish), { ...shardedOptions(wish), epoch })
  return { run, started: { ...startedAs(run, wish), workers: run.seats.map(s => s.cpu), epoch } }
}
