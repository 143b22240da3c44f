// The null device: takes the packets it is asked to take and keeps nothing but their number.

import { everyPacket, type Selection, type Sink } from './device.js'
import { selects } from './memory.js'
import { descriptor, descriptorBytes, type Slab } from './slab.js'

/** A sink that forgets; `packets` counts what it took. */
export function nullSink(memory: WebAssembly.Memory): Sink & { readonly packets: number } {
  let packets = 0
  const write = (slab: Slab, count: number, selection: Selection): number => {
    const taken = selection === everyPacket ? count : countSelected(memory, slab, count, selection)
    packets += taken
    return taken
  }
  return {
    name: 'null',
    fault: undefined,
    get packets() {
      return packets
    },
    write,
    close() {},
  }
}

function countSelected(memory: WebAssembly.Memory, slab: Slab, count: number, selection: Selection): number {
  const view = new DataView(memory.buffer)
  let taken = 0
  for (let index = 0; index < count; index++) {
    const at = slab.descriptors + index * descriptorBytes + descriptor.verdict
    if (selects(selection, view.getUint32(at, true))) taken++
  }
  return taken
}
