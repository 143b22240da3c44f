// What lies between the sequencer and the workers: a wire that delivers every frame, or one that
// loses some. For tests and measurements of loss recovery; without a rule for losses nothing here runs.

import { draw } from '../device/lossy.js'
import { frameHeaderBytes } from '../backend/wasm/loops/value.js'
import { descriptor, descriptorBytes } from '../device/slab.js'
import { dropWord } from '../backend/wasm/memory.js'
import type { EngineSlab } from './memory.js'
import type { Stage, Strategy } from '../strategy/strategy.js'

/** True if the frame with this sequence number is lost. Must answer alike whenever it is asked. */
export type Loss = (sequence: bigint) => boolean

/** Loses each frame with probability `rate` (0..1), by seed and sequence number. */
export const randomLoss = (seed: number, rate: number): Loss =>
  rate === 0 ? () => false : sequence => draw(seed, Number(sequence)) < Math.round(rate * 0x1_0000_0000)

/**
 * Marks the frames that are lost, after the sequencer has made them: their packets are dropped as `lost`, and no
 * worker looks at them. Answers how many. Where packets are handed out by lists, a frame is a place in one.
 */
export function loseFrames(
  { words, history, workers }: Stage,
  strategy: Strategy,
  slab: EngineSlab,
  count: number,
  first: bigint,
  loss: Loss,
): number {
  const header = strategy.history === 'value' ? frameHeaderBytes(history!.layout, workers) : 0
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
  if (lost > 0 && !strategy.recovery) for (let w = 0; w < workers; w++) thin(words, slab, w)
  return lost
}

/** Takes lost packets out of a worker's list. */
function thin(words: Uint32Array, slab: EngineSlab, worker: number): void {
  const list = (slab.lists + worker * slab.listBytes) >>> 2
  const length = words[list]
  let left = 0
  for (let n = 1; n <= length; n++) {
    const verdict = (slab.descriptors + words[list + n] * descriptorBytes + descriptor.verdict) >>> 2
    if (words[verdict] !== dropWord.lost) words[list + ++left] = words[list + n]
  }
  words[list] = left
}
