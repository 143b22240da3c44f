/**
 * Trials in memory: a program by any strategy on threads, fed by a device with a clock and a finite queue.
 *
 * The reading and sequencing thread is part of what is measured, as a driver is on a machine; no network is. One worker
 * runs on the reading thread. Packets that found the queue full are the loss.
 */

import type { PacketStore } from '../engine/packets.js'
import { plan } from '../engine/plan.js'
import { start } from '../engine/run.js'
import { single } from '../strategy/single.js'
import type { Strategy } from '../strategy/strategy.js'
import { PacedDevice } from './paced-source.js'
import type { Subject } from './scaling.js'
import type { Trial } from './search.js'

export interface MemoryTrials {
  /** One trial of so many seconds. */
  run(rate: number, seconds: number): Promise<Trial>
  /** Packets a second that the device offers when nothing but reading happens. */
  calibrate(seconds: number): Promise<number>
}

const slabPackets = 256

/** @param queue packets that wait at most. */
export function memoryTrials(
  subject: Subject,
  idle: Subject,
  store: PacketStore,
  strategy: Strategy,
  workers: number,
  queue: number,
): MemoryTrials {
  const slabDataBytes = 2 ** 17
  const planned = plan(subject.artifact, {
    strategy,
    cores: workers,
    slabPackets,
    slabDataBytes,
    ...(subject.settings && { settings: subject.settings }),
  })
  if ('error' in planned) throw new Error(planned.error)
  const device = new PacedDevice(store)
  const held = new WebAssembly.Module(subject.artifact.wasm)
  return {
    async run(rate, seconds) {
      const packets = Math.ceil(rate * seconds)
      const input = { open: device.open({ rate, packets, queue }) }
      const { received } = await start(subject.artifact, planned, strategy, input, subject.rules)
      const { arrived, lost, seconds: took } = device.counts
      if (received + lost !== arrived || WebAssembly.Module.exports(held).length === 0)
        throw new Error(`${received} received and ${lost} lost of ${arrived}`)
      return { requested: rate, offered: arrived / took, sent: arrived, lost }
    },
    async calibrate(seconds) {
      const plain = plan(idle.artifact, { strategy: single, cores: 1, slabPackets, slabDataBytes })
      if ('error' in plain) throw new Error(plain.error)
      let packets = 400_000
      for (let round = 0; ; round++) {
        const input = { open: device.open({ rate: undefined, packets, queue }) }
        await start(idle.artifact, plain, single, input)
        const { arrived, seconds: took } = device.counts
        // The first round lays the chunks out and lets V8 optimise.
        if (round > 0 && (took >= seconds || packets >= 4e8)) return arrived / took
        packets = Math.ceil(packets * Math.min(20, Math.max(1.5, (1.2 * seconds) / Math.max(took, 1e-4))))
      }
    },
  }
}
