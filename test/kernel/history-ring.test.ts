/** History in shared memory: what a sequencer in the kernel writes there, its workers read, and all is as in the serial run. */

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { ringEntriesFor, ringMap, ringStride } from '../../src/backend/ebpf/ring.js'
import { mapNames, runtime } from '../../src/backend/ebpf/target.js'
import { openCapture } from '../../src/device/capture.js'
import { frameFigures, loadReplicated } from '../../src/engine/kernel/replicated.js'
import { creditOf, loadSequencer } from '../../src/engine/kernel/sequencer.js'
import { loadPackets } from '../../src/engine/packets.js'
import { Serial } from '../../src/engine/serial.js'
import { programInfo } from '../../src/sys/info.js'
import { createMap } from '../../src/sys/map.js'
import { mapMemory } from '../../src/sys/map-memory.js'
import { testRun } from '../../src/sys/test-run.js'
import { bundledProgram, trialNames } from '../programs.js'
import type { BundledProgram } from '../programs.js'
import { withoutPrograms } from './machine.js'
import { assertState, runFrame, stateOf } from './replicas.js'
import { root } from '../../tools/sources.js'

const skip = withoutPrograms
const seed = 1n
const settings = new Map<string, bigint>()
const queueSize = 64

const store = loadPackets((memory, workspace) =>
  openCapture(join(root, 'programs/demo/knocking.pcap'), { memory, workspace }),
)
const packets = Array.from({ length: store.count + 100 }, (_, k) => {
  const packet = store.packet(k % store.count)
  const round = BigInt(Math.floor(k / store.count)) * 3_600_000_000_000n
  return { ...packet, timestamp: packet.timestamp + round }
}).filter(p => p.bytes.length >= 14 && p.bytes.length < 1600)

function stationOf(
  subject: BundledProgram,
  workers: number,
  ring = ringEntriesFor(workers, creditOf(workers, queueSize)),
) {
  const { rules } = subject
  const common = { seed, settings, ...(rules && { rules }) }
  const replicas = loadReplicated(subject, { ...common, workers, ring })
  const spray = createMap({ type: 'cpumap', name: 'spray', keySize: 4, valueSize: 8, maxEntries: 1 })
  const sequencer = loadSequencer(subject, replicas, {
    ...common,
    spray: replicas.workers.map(() => ({ cpu: 0, layer: 0 })),
    maps: [spray],
    queueSize,
    stamps: 'given',
  })
  const [own, entries] = [
    sequencer.packets.maps.get(mapNames.runtime)!,
    replicas.workers[0].maps.get(ringMap)!,
  ].map(map => mapMemory(map))
  const view = new DataView(own.bytes.buffer, own.bytes.byteOffset)
  const frame = (which: 'packets' | 'flush', bytes: Uint8Array): Uint8Array =>
    testRun(sequencer[which].program, { data: Uint8Array.from(bytes), capacity: 4096 }).data
  return {
    replicas,
    sequencer,
    entries: new DataView(entries.bytes.buffer, entries.bytes.byteOffset, entries.bytes.length),
    sequence: (packet: (typeof packets)[number]): Uint8Array => {
      view.setBigUint64(runtime.timestamp, packet.timestamp, true)
      view.setUint32(runtime.device, packet.device, true)
      view.setUint32(runtime.originalLength, packet.originalLength, true)
      return frame('packets', packet.bytes)
    },
    flush: () => frame('flush', new Uint8Array(46)),
    serial: () => {
      const { stateLayout, rulesLayout } = subject.artifact
      return new Serial(subject.program, { stateLayout, rulesLayout, ...common })
    },
    close() {
      own.unmap()
      entries.unmap()
      sequencer.close()
      replicas.close()
      spray.close()
    },
  }
}

for (const [p, name] of trialNames.entries()) {
  const crews = name === 'connection-tracker' ? [7, 14] : [2 + (p % 13)]
  for (const workers of crews)
    test(`${name}: ${workers} workers and the serial run, packet by packet`, { skip }, t => {
      const subject = bundledProgram(name)
      const station = stationOf(subject, workers)
      try {
        const { replicas } = station
        const serial = station.serial()
        packets.forEach((packet, k) => {
          const frame = station.sequence(packet)
          // A number, version, slots and index; and what the program reads of a packet besides its bytes.
          assert.ok(frame.length - packet.bytes.length <= 7 + 6 + 2 + 4)
          const found = runFrame(replicas.workers[k % workers], frame)
          const copy = { ...packet, bytes: packet.bytes.slice(), sequence: BigInt(k + 1) }
          assert.equal(found.verdict, serial.process(copy) & 0xff, `verdict of packet ${k}`)
          assert.deepEqual(Buffer.from(found.bytes), Buffer.from(copy.bytes), `bytes of packet ${k}`)
        })
        replicas.workers.forEach((worker, w) => {
          runFrame(worker, station.flush())
          const { stateLayout } = subject.artifact
          assertState(stateOf(worker, stateLayout), serial.memory, stateLayout, `worker ${w}`)
        })
        const { verifiedInstructions } = programInfo(replicas.workers[0].program)
        t.diagnostic(`${verifiedInstructions} instructions walked`)
        assert.ok(verifiedInstructions < (name === 'connection-tracker' ? 300_000 : 20_000))
      } finally {
        station.close()
      }
    })
}

test(
  'a lost frame takes no history with it; an entry that is written again stops its worker',
  { skip },
  () => {
    const subject = bundledProgram('ddos-mitigator')
    const station = stationOf(subject, 2, 64)
    try {
      const { replicas, entries } = station
      const [first, second] = replicas.workers
      const serial = station.serial()
      const { stateLayout } = subject.artifact
      // Worker 0 gets its first packet and its 21st; all 40 numbers are within the ring's 64.
      for (let k = 0; k < 41; k++) {
        const frame = station.sequence(packets[k])
        const copy = { ...packets[k], bytes: packets[k].bytes.slice(), sequence: BigInt(k + 1) }
        serial.process(copy)
        if (k === 0 || k === 40) runFrame(first, frame)
      }
      assertState(stateOf(first, stateLayout), serial.memory, stateLayout, 'after 39 frames that were lost')
      assert.equal(frameFigures(first).get('gaps'), 0n)
      // Worker 1 got none: the entry of number 5 is another's when it comes to it.
      const changing = new DataView(
        entries.buffer,
        entries.byteOffset + 5 * ringStride({ entries: 64, itemBytes: subject.artifact.item!.itemBytes }),
      )
      const tag = changing.getBigUint64(0, true)
      assert.equal(tag >> 1n, 5n)
      changing.setBigUint64(0, BigInt(5 + 64) << 1n, true)
      const verdict = runFrame(second, station.sequence(packets[41])).verdict
      assert.equal(verdict, 1)
      assert.equal(frameFigures(second).get('gaps'), 1n)
      const behind = station.serial()
      for (let k = 0; k < 4; k++)
        behind.process({ ...packets[k], bytes: packets[k].bytes.slice(), sequence: BigInt(k + 1) })
      assertState(stateOf(second, stateLayout), behind.memory, stateLayout, 'a worker that stopped')
      changing.setBigUint64(0, tag, true)
      // More is missing than the ring has: nothing more here either.
      for (let k = 0; k < 80; k++) station.sequence(packets[k])
      runFrame(second, station.sequence(packets[80]))
      assert.equal(frameFigures(second).get('recovering'), 1n)
    } finally {
      station.close()
    }
  },
)
