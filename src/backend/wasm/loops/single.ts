// The serial loop.

import { Loop } from './loop.js'
import type { LoopParts } from './loop.js'

/** single(ctx, desc, count, seq): every packet, in order. */
export function single(parts: LoopParts): void {
  const loop = new Loop(parts, 'single')
  loop.each(loop.process(), loop.nextPacket())
}
