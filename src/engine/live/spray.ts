// The CPU maps that a sequencer sprays through: one entry for each worker, a queue and the worker's program on a CPU.
//
// A map has one entry for each CPU, so where there are more workers than CPUs there are several maps (layers). Workers of
// one CPU then take turns on it, each on tables of its own: right, and of no use but to see that it is right.

import { createMap } from '../../sys/map.js'
import type { BpfMap } from '../../sys/map.js'
import type { BpfProgram } from '../../sys/program.js'

/** Where a worker runs. */
export interface Seat {
  readonly cpu: number
  readonly layer: number
}

/** Seats of so many workers on these CPUs, in turn. */
export const seatsOn = (cpus: readonly number[], workers: number): Seat[] =>
  Array.from({ length: workers }, (_, w) => ({
    cpu: cpus[w % cpus.length],
    layer: Math.floor(w / cpus.length),
  }))

/** Frames that a worker's queue takes: fewer are lost in a stall, more leave the cache. */
export const defaultQueueSize = 2048

/** One map for each layer, still empty. */
export function sprayMaps(seats: readonly Seat[]): BpfMap[] {
  const layers = Math.max(...seats.map(s => s.layer)) + 1
  const maxEntries = Math.max(...seats.map(s => s.cpu)) + 1
  const maps: BpfMap[] = []
  try {
    while (maps.length < layers)
      maps.push(
        createMap({ type: 'cpumap', name: `spray${maps.length}`, keySize: 4, valueSize: 8, maxEntries }),
      )
  } catch (error) {
    for (const map of maps) map.close()
    throw error
  }
  return maps
}

/** Gives a CPU its queue, and the program that handles what is in it. */
export function seat(map: BpfMap, cpu: number, queueSize: number, program: BpfProgram): void {
  const words = (...values: number[]): Uint8Array<ArrayBuffer> =>
    new Uint8Array(new Uint32Array(values).buffer)
  map.update(words(cpu), words(queueSize, program.fd))
}
