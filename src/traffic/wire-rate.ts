/**
 * Rates on an Ethernet wire (IEEE 802.3): layer 2 counts frames with their check sequence, layer 1 also preamble,
 * start delimiter and the gap between frames, 20 bytes in all. A frame in memory lacks the 4 bytes of the check
 * sequence, and is at least 60 bytes long on a wire.
 */

const CHECK_SEQUENCE = 4
const BETWEEN_FRAMES = 20
const SHORTEST = 60

/** Bits of one frame of `bytes` bytes (without check sequence) at each layer. */
export function wireBits(bytes: number): { readonly layer1: number; readonly layer2: number } {
  const layer2 = 8 * (Math.max(SHORTEST, bytes) + CHECK_SEQUENCE)
  return { layer1: layer2 + 8 * BETWEEN_FRAMES, layer2 }
}

/** The mean over frames that are sent in turn. */
export function meanWireBits(frames: readonly { readonly length: number }[]): ReturnType<typeof wireBits> {
  let layer2 = 0
  for (const { length } of frames) layer2 += wireBits(length).layer2
  layer2 /= Math.max(1, frames.length)
  return { layer1: layer2 + 8 * BETWEEN_FRAMES, layer2 }
}
