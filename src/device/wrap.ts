// What wrappers share: a device around a device, with something done to each batch on its way. A wrapper of a source
// is a source, of a sink a sink, of a device that is both it is both.

import type { Batch, Selection, Sink, Source } from './device.js'
import type { Fault } from './fault.js'
import type { Slab } from './slab.js'

/** What a wrapper does. Both are called with packets 0..count-1 of the slab. */
export interface Wrapping {
  readonly name: string
  /** After a source has read: may change the slab; answers the batch to deliver. */
  read?(slab: Slab, batch: Batch): Batch
  /** Instead of the sink's write; `write` is the sink's. */
  write?(slab: Slab, count: number, selection: Selection, write: Sink['write']): number
  /** The wrapper's own trouble. */
  fault?(): Fault | undefined
  close?(): void
}

/** A device that is like `device`, except for what the wrapping does. */
export function wrap<D extends Source | Sink>(device: D, wrapping: Wrapping): D {
  const wrapped = {
    name: `${wrapping.name}(${device.name})`,
    get fault() {
      return device.fault ?? wrapping.fault?.()
    },
    close() {
      device.close()
      wrapping.close?.()
    },
  }
  const parts: PropertyDescriptorMap = Object.getOwnPropertyDescriptors(wrapped)
  if ('read' in device) Object.assign(parts, sourceParts(device, wrapping))
  if ('write' in device) Object.assign(parts, sinkParts(device, wrapping))
  return Object.defineProperties({}, parts) as D
}

function sourceParts(source: Source, wrapping: Wrapping): PropertyDescriptorMap {
  return Object.getOwnPropertyDescriptors({
    get interfaces() {
      return source.interfaces
    },
    get start() {
      return source.start
    },
    read(slab: Slab): Batch {
      const batch = source.read(slab)
      return wrapping.read?.(slab, batch) ?? batch
    },
  })
}

function sinkParts(sink: Sink, wrapping: Wrapping): PropertyDescriptorMap {
  const write: Sink['write'] = (slab, count, selection) => sink.write(slab, count, selection)
  return Object.getOwnPropertyDescriptors({
    write(slab: Slab, count: number, selection: Selection): number {
      return wrapping.write?.(slab, count, selection, write) ?? write(slab, count, selection)
    },
  })
}
