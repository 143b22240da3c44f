/** The frames of the development captures that the kernel's test run takes, and why it does not take the others. */

import { openCapture } from '../../src/device/capture.js'
import { indexedCaptures } from '../../src/device/development.js'
import { PacketStore, loadPackets } from '../../src/engine/packets.js'

/** An Ethernet header; the kernel takes nothing shorter. */
export const shortest = 14
/** A page of 4096 bytes less the headroom of XDP and struct skb_shared_info: all a test run has room for. */
export const longest = 4096 - 256 - 320

const second = 1_000_000_000n

export interface Frames {
  /** In the order of the index, one capture after the other, and time goes on from one to the next. */
  readonly store: PacketStore
  /** Captures that gave frames. */
  readonly captures: number
  /** What was left out: how many packets for which reason. */
  readonly left: ReadonlyMap<string, number>
  /** The capture that frame n comes from, and its number there. */
  readonly origin: (n: number) => string
}

/** Frames of every Ethernet capture; up to `most` of each. */
export function ethernetFrames(most = Infinity): Frames {
  const store = new PacketStore('Ethernet frames of every development capture')
  const left = new Map<string, number>()
  const ends: { readonly file: string; readonly begin: number; readonly end: number }[] = []
  const leave = (reason: string, n = 1): void => void left.set(reason, (left.get(reason) ?? 0) + n)
  let start = 0n
  for (const { path, file, links, packets } of indexedCaptures()) {
    if (links !== '1') {
      leave(links === '' ? 'no packets' : 'other link types than Ethernet', packets)
      continue
    }
    const found = loadPackets((memory, workspace) => openCapture(path, { memory, workspace }), most)
    const begin = store.count
    let last = start
    for (let n = 0; n < found.count; n++) {
      const { bytes, originalLength, timestamp, device } = found.packet(n)
      if (start + timestamp > last) last = start + timestamp
      if (bytes.length < shortest) leave(`shorter than ${shortest} bytes`)
      else if (bytes.length > longest) leave(`longer than ${longest} bytes`)
      else store.add(bytes, originalLength, last, device)
    }
    start = last + second
    if (store.count > begin) ends.push({ file, begin, end: store.count })
  }
  const origin = (n: number): string => {
    const from = ends.find(({ end }) => n < end)
    return from ? `${from.file}, frame ${n - from.begin} of those taken` : 'nowhere'
  }
  return { store, captures: ends.length, left, origin }
}
