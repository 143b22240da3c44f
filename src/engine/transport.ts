// What lies between the sequencer and the workers of a replicated run: a wire that delivers every frame, or one that
// loses some. For tests and measurements of loss recovery; without a rule for losses nothing here runs.

import { draw } from '../device/lossy.js'
import { frameHeaderBytes } from '../backend/wasm/loops/value.js'
import { descriptor, descriptorBytes } from '../device/slab.js'
import { dropWord } from '../backend/wasm/memory.js'
import type { EngineSlab } from './memory.js'
import type { Stage } from '../strategy/strategy.js'

/** True if the frame with this sequence number is lost. Must answer alike whenever it is asked. */
export type Loss = (sequence: bigint) => boolean

/** Loses each frame with probability `rate` (0..1), by seed and sequence number. */
export const randomLoss = (seed: number, rate: number): Loss =>
  rate === 0 ? () => false : sequence => draw(seed, Number(sequence)) < Math.round(rate * 0x1_0000_0000)

/**
 * Marks the frames that are lost, after the sequencer has made them: their packets are dropped as `lost`, and no
 * worker looks at them. Answers how many.
 */
export function loseFrames(
  { words, history, workers }: Stage,
  slab: EngineSlab,
  count: number,
  first: bigint,
  loss: Loss,
): number {
  const header = frameHeaderBytes(history!.layout, workers)
  let lost = 0
  for (let i = 0; i < count; i++) {
    const at = (slab.descriptors + i * descriptorBytes) >>> 2
    const gone = loss(first + BigInt(i))
    words[at + descriptor.verdict / 4] = gone ? dropWord.lost : 0
    if (!gone) continue
    lost++
    // As a worker leaves a packet: without what was put in front of it.
    words[at + descriptor.address / 4] += header
    words[at + descriptor.length / 4] -= header
  }
  return lost
}
