// What tests of live runs have in common: one wire, the frames of a capture that go over it, and what the interpreter
// comes to after them.

import { join } from 'node:path'
import { openCapture } from '../../src/device/capture.js'
import { loadPackets } from '../../src/engine/packets.js'
import { Serial } from '../../src/engine/serial.js'
import { up } from '../../src/lab/lab.js'
import type { Lab } from '../../src/lab/lab.js'
import type { StateMemory } from '../../src/state/memory.js'
import { root } from '../../tools/sources.js'
import type { BundledProgram } from '../programs.js'

/** A lab in which `a` of `gen`, the sender, is joined with `b` of `box`. */
export const oneWire = (queues = 1): Lab =>
  up({
    namespaces: { gen: {}, box: {} },
    pairs: [
      {
        queues,
        ends: [
          { namespace: 'gen', device: 'a', xdp: 'drop' },
          { namespace: 'box', device: 'b' },
        ],
      },
    ],
  })

/** Of the first packets of a capture, those that Ethernet carries whole. */
export function framesOf(path: string, most = Infinity): Uint8Array[] {
  const store = loadPackets((memory, workspace) => openCapture(path, { memory, workspace }), most)
  return Array.from({ length: store.count }, (_, k) => store.packet(k).bytes).filter(
    ({ length }) => length >= 14 && length <= 1500,
  )
}

/** Those of the capture that is in programs/. */
export const knockingFrames = (): Uint8Array[] => framesOf(join(root, 'programs/demo/knocking.pcap'))

/** The interpreter's state after packets from a device, numbered from 1; they have no time. Those that are false were lost. */
export function stateAfter(
  { artifact, program, rules }: BundledProgram,
  packets: readonly (Uint8Array | false)[],
  device: number,
  seed: bigint,
): StateMemory {
  const { stateLayout, rulesLayout } = artifact
  const options = { stateLayout, rulesLayout, seed, settings: new Map<string, bigint>() }
  const serial = new Serial(program, { ...options, ...(rules && { rules }) })
  packets.forEach((packet, k) => {
    if (!packet) return
    const common = { timestamp: 0n, originalLength: packet.length, device, sequence: BigInt(k + 1) }
    serial.process({ ...common, bytes: packet.slice() })
  })
  return serial.memory
}
