// What each strategy costs on some packets, measured part by part: the front (reading, sequencing or steering) and each
// worker's stream by itself, as if on a core of its own.
//
// Workers take whole slabs in turn on this thread, so contention between cores is not in the figures: they are a basis
// for choosing, not a measurement of a parallel run. Nothing is projected for `shared`, where contention is everything.

import { replicated } from '../strategy/replicated.js'
import { sharded } from '../strategy/sharded.js'
import { single } from '../strategy/single.js'
import type { Strategy } from '../strategy/strategy.js'
import type { Estimate } from '../strategy/auto.js'
import type { Artifact } from './artifact.js'
import type { PacketStore } from './packets.js'
import { storeSource } from './packets.js'
import { plan } from './plan.js'
import type { RunOptions } from './plan.js'
import { start } from './run.js'

/** Packets that are run before V8 has optimised the loops; the fastest round counts. */
const enough = 160_000
const slabPackets = 2_048

type Options = Pick<RunOptions, 'settings' | 'rules' | 'seed'>

/** Estimates of `single` and of what the program allows on `cores` workers. `read` is ns per packet, measured by itself. */
export async function estimate(
  artifact: Artifact,
  store: PacketStore,
  cores: number,
  read: number,
  options: Options,
): Promise<Estimate[]> {
  const found = [await measure(artifact, store, single, 1, read, options)]
  if (cores === 1 || store.count === 0) return found
  if (artifact.steering) found.push(await measure(artifact, store, sharded, cores, read, options))
  if (artifact.item) found.push(await measure(artifact, store, replicated, cores, read, options))
  return found
}

async function measure(
  artifact: Artifact,
  store: PacketStore,
  strategy: Strategy,
  cores: number,
  read: number,
  options: Options,
): Promise<Estimate> {
  const planned = plan(artifact, {
    ...options,
    strategy,
    cores,
    virtual: true,
    wholeSlabs: true,
    slabPackets,
  })
  if ('error' in planned) throw new Error(planned.error)
  const perPacket = (milliseconds: number): number => (1e6 * milliseconds) / Math.max(store.count, 1)
  let best: Estimate | undefined
  const rounds = Math.min(60, Math.max(4, Math.ceil(enough / Math.max(store.count, 1))))
  for (let round = 0; round < rounds; round++) {
    const result = await start(artifact, planned, strategy, { open: storeSource(store) }, options.rules)
    const now: Estimate = {
      strategy: strategy.name as Estimate['strategy'],
      workers: cores,
      front: read + perPacket(result.sequencerMilliseconds),
      slowest: perPacket(Math.max(...result.workers.map(w => w.busyMilliseconds))),
      largestShare: Math.max(...result.workers.map(w => w.packets)) / Math.max(store.count, 1),
    }
    if (!best || now.front + now.slowest < best.front + best.slowest) best = now
  }
  return best!
}
