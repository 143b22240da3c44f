/**
 * What it costs a worker of the replicated strategy to be handed a packet that it does nothing with: `d` of the model.
 *
 * Measured with a program that drops everything, in the same loop as every other program.
 */

import type { PacketStore } from '../engine/packets.js'
import { replicatedByValue } from '../strategy/replicated-by-value.js'
import { project } from './scaling.js'
import type { Effort, Subject } from './scaling.js'
import { median } from './statistics.js'

/** Nanoseconds a packet; `idle` is a program that drops everything. */
export async function dispatchCost(idle: Subject, store: PacketStore, effort: Effort): Promise<number> {
  const [found] = await project(idle, store, [{ strategy: replicatedByValue, workers: 1 }], effort)
  return 1e3 / median(found.hardware)
}
