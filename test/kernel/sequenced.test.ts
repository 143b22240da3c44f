/** The sequencer in the kernel: its frames are, byte for byte, those of the sequencer in plain TypeScript. */

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { sequencerMap } from '../../src/backend/ebpf/sequencer-map.js'
import { mapNames, runtime, runtimeBytes } from '../../src/backend/ebpf/target.js'
import { openCapture } from '../../src/device/capture.js'
import { frameFormat } from '../../src/engine/kernel/replicated.js'
import { creditOf, loadSequencer, sequencerDrops } from '../../src/engine/kernel/sequencer.js'
import type { LoadedSequencer } from '../../src/engine/kernel/sequencer.js'
import { loadPackets } from '../../src/engine/packets.js'
import { createMap, mapFlags } from '../../src/sys/map.js'
import type { BpfMap } from '../../src/sys/map.js'
import { mapMemory } from '../../src/sys/map-memory.js'
import { testRun } from '../../src/sys/test-run.js'
import { outerBytes, parseHistory } from '../../src/wire/history.js'
import type { HistoryFormat } from '../../src/wire/history.js'
import { root } from '../../tools/sources.js'
import { bundledProgram, trialNames } from '../programs.js'
import type { BundledProgram } from '../programs.js'
import { withoutPrograms } from './machine.js'
import { Sequencer } from './sequencer.js'

const skip = withoutPrograms
const seed = 1n
const [dropped, redirected] = [1, 4]
const queueSize = 64

interface Subject {
  readonly sequencer: LoadedSequencer
  readonly format: HistoryFormat
  /** The runtime's map of the sequencer, and of each worker. */
  readonly own: DataView
  readonly workers: readonly DataView[]
  run(bytes: Uint8Array): { verdict: number; bytes: Buffer }
  flush(): Buffer
  close(): void
}

/** A sequencer with workers that say what they have handled, and do nothing else. */
function sequencerOf(subject: BundledProgram, workers: number, outer: boolean): Subject {
  const format = frameFormat(subject.artifact, workers - 1)!
  const array = { type: 'array', keySize: 4, maxEntries: 1, flags: mapFlags.MMAPABLE } as const
  const maps = Array.from({ length: workers }, () =>
    createMap({ ...array, name: 'progress', valueSize: runtimeBytes }),
  )
  const spray = createMap({ type: 'cpumap', name: 'spray', keySize: 4, valueSize: 8, maxEntries: 1 })
  const sequencer = loadSequencer(
    subject,
    { workers: maps.map(map => ({ maps: new Map([[mapNames.runtime, map]]) })), format, outer },
    {
      seed,
      settings: new Map(),
      ...(subject.rules && { rules: subject.rules }),
      spray: maps.map(() => ({ cpu: 0, layer: 0 })),
      maps: [spray],
      queueSize,
      stamps: 'given',
    },
  )
  const memory = [sequencer.packets.maps.get(mapNames.runtime)!, ...maps].map((map: BpfMap) => mapMemory(map))
  const [own, ...others] = memory.map(({ bytes }) => new DataView(bytes.buffer, bytes.byteOffset))
  const run = (program: 'packets' | 'flush', bytes: Uint8Array) => {
    const { verdict, data } = testRun(sequencer[program].program, {
      data: Uint8Array.from(bytes),
      capacity: 4096,
    })
    return { verdict, bytes: Buffer.from(data) }
  }
  return {
    sequencer,
    format,
    own,
    workers: others,
    run: bytes => run('packets', bytes),
    flush: () => run('flush', new Uint8Array(46)).bytes,
    close() {
      for (const m of memory) m.unmap()
      sequencer.close()
      for (const map of [spray, ...maps]) map.close()
    },
  }
}

/** What a frame says: the bytes of items without effect mean nothing. */
function meaning(frame: Uint8Array, { itemBytes }: HistoryFormat, outer: boolean): object {
  const { history, next, fields } = parseHistory(frame, outer ? outerBytes : 0, itemBytes)!
  return {
    ...history,
    index: fields.index,
    // The last byte of the source address is the worker's number.
    outer: outer && [...frame.subarray(0, outerBytes)].map((b, k) => (k === outerBytes - 3 ? '' : b)),
    items: history.items.map(({ effect, bytes }) => effect && Buffer.from(bytes)),
    packet: Buffer.from(frame.subarray(next)),
  }
}

for (const name of trialNames)
  test(`${name}: frames for 1 to 14 workers are those of the model`, { skip }, () => {
    const subject = bundledProgram(name)
    const store = loadPackets((memory, workspace) =>
      openCapture(join(root, 'programs/demo/knocking.pcap'), { memory, workspace }),
    )
    for (const workers of [1, 2, 7, 14]) {
      const outer = workers === 7
      const { format, own, workers: progress, run, flush, close } = sequencerOf(subject, workers, outer)
      // What a test run has in front of a packet; more than that is refused, and counted (below).
      if (format.slots * format.itemBytes > 190) continue
      try {
        const { rules } = subject
        const model = new Sequencer(subject, { format, outer, seed, ...(rules && { rules }) })
        let sequence = 0n
        for (let k = 0; k < store.count; k++) {
          const packet = { ...store.packet(k), sequence: sequence + 1n }
          if (packet.bytes.length < 14 || packet.bytes.length > 1600) continue
          sequence++
          own.setBigUint64(runtime.timestamp, packet.timestamp, true)
          own.setUint32(runtime.device, packet.device, true)
          own.setUint32(runtime.originalLength, packet.originalLength, true)
          for (const view of progress) view.setBigUint64(runtime.sequence, sequence - 1n, true)
          const found = run(packet.bytes)
          assert.ok([dropped, redirected].includes(found.verdict))
          assert.deepEqual(
            meaning(found.bytes, format, outer),
            meaning(model.frame(packet), format, outer),
            `${workers} workers, packet ${sequence}`,
          )
        }
        assert.ok(sequence > 100n)
        const { items, ...rest } = meaning(flush(), format, outer) as { items: unknown; timestamp: unknown }
        const expected = meaning(model.flush(), format, outer) as { items: unknown }
        assert.deepEqual(items, expected.items)
        assert.ok('flush' in rest && rest.flush)
      } finally {
        close()
      }
    }
  })

test('a packet that finds no room gets no number: neither in a queue nor in front of it', { skip }, () => {
  const workers = 3
  const {
    sequencer,
    own,
    workers: progress,
    run,
    close,
  } = sequencerOf(bundledProgram('ddos-mitigator'), workers, false)
  try {
    const credit = creditOf(workers, queueSize)
    const packet = new Uint8Array(60)
    for (let k = 0; k < credit; k++) run(packet)
    assert.equal(own.getBigUint64(runtime.sequence, true), BigInt(credit))
    for (let k = 0; k < 10; k++) assert.equal(run(packet).verdict, dropped)
    assert.equal(own.getBigUint64(runtime.sequence, true), BigInt(credit))
    for (const view of progress) view.setBigUint64(runtime.sequence, 5n, true)
    run(packet)
    assert.equal(own.getBigUint64(runtime.sequence, true), BigInt(credit + 1))
    const memory = mapMemory(sequencer.packets.maps.get(sequencerMap)!)
    assert.deepEqual(
      [...sequencerDrops(memory.bytes)],
      [
        ['workerQueue', 10n],
        ['headroom', 0n],
        ['otherQueue', 0n],
      ],
    )
    memory.unmap()
  } finally {
    close()
  }
})

test('a history longer than the room in front of a packet is refused whole', { skip }, () => {
  const { sequencer, own, run, close } = sequencerOf(bundledProgram('connection-tracker'), 14, false)
  try {
    for (let k = 0; k < 3; k++) assert.equal(run(new Uint8Array(60)).verdict, dropped)
    assert.equal(own.getBigUint64(runtime.sequence, true), 0n)
    const memory = mapMemory(sequencer.packets.maps.get(sequencerMap)!)
    assert.equal(sequencerDrops(memory.bytes).get('headroom'), 3n)
    memory.unmap()
  } finally {
    close()
  }
})
