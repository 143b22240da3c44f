// The record wrapper: everything that comes through a device is also written to a capture file.

import { everyPacket, type Sink, type Source } from './device.js'
import { wrap } from './wrap.js'

/**
 * Wraps a device so that `file`, usually a capture writer, gets every packet that a source gives, before it is processed,
 * and every packet that a sink is asked to take, after it was. Closing the device closes the file.
 */
export function record<D extends Source | Sink>(device: D, file: Sink): D {
  return wrap(device, {
    name: 'record',
    read(slab, batch) {
      file.write(slab, batch.count, everyPacket)
      return batch
    },
    write(slab, count, selection, write) {
      file.write(slab, count, selection)
      return write(slab, count, selection)
    },
    fault: () => file.fault,
    close: () => file.close(),
  })
}
