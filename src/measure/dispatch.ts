/**
 * What it costs a worker of the replicated strategy to be handed a packet that it does nothing with: `d` of the model.
 *
 * Measured with a program that drops everything, in the same loop as every other program.
 */

import { replicatedByValue } from '../strategy/replicated-by-value.js'
import type { TraceKey } from './repetition.js'
import type { Repetitions } from './repetitions.js'
import type { Subject } from './scaling.js'
import { median } from './statistics.js'

/** Nanoseconds a packet; `idle` is a program that drops everything. */
export async function dispatchCost(
  idle: Subject,
  trace: TraceKey,
  repetitions: Repetitions,
): Promise<number> {
  const [found] = await repetitions.project(idle, trace, [{ strategy: replicatedByValue, workers: 1 }])
  return 1e3 / median(found.hardware)
}
