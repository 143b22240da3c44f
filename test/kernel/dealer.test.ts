/** The dealer and the workers of strategy hybrid by test runs, frame by frame: who is late is said here, and not by chance. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bucketEntry, bucketsMap } from '../../src/backend/ebpf/buckets-map.js'
import { dealt, kinds, placesMap } from '../../src/backend/ebpf/places-map.js'
import { slicesMap } from '../../src/backend/ebpf/slices.js'
import { compile } from '../../src/compile.js'
import { readBuckets } from '../../src/engine/kernel/buckets.js'
import { loadDealer, loadHeavyWorkers } from '../../src/engine/kernel/hybrid.js'
import { everybody, isSettled, sliceOf } from '../../src/engine/kernel/places.js'
import { HeavyControl } from '../../src/engine/live/heavy-control.js'
import { MappedMaps } from '../../src/engine/live/workers.js'
import { dumpState, dumpToJson } from '../../src/state/dump.js'
import { stateMemory } from '../../src/state/memory.js'
import { indirectionEntries } from '../../src/strategy/toeplitz.js'
import { createMap } from '../../src/sys/map.js'
import { testRun } from '../../src/sys/test-run.js'
import { withoutPrograms } from './machine.js'

const skip = withoutPrograms
const workers = 2

const program = (body: string): string => `
import { type Packet, ipv4, random, table, u32, u64, Verdict } from 'hairpin'
const sources = table({ key: ipv4, value: { last: u32, packets: u64 }, capacity: 4096 })
export default function main(packet: Packet): Verdict {
  const ip = packet.ipv4
  if (!ip) return Verdict.Pass
  const number = u32(ip.destination)
  ${body}
  source.packets += 1n
  return Verdict.Drop
}
`
const take = 'const source = sources.upsert(ip.source)\n  if (!source) return Verdict.Pass'
const counting = program(`${take}\n  if (number > source.last) source.last = number`)
/** Whether a packet has an effect is for its draw to say, and what it leaves there too. */
const drawing = program(
  `if (random(256) > number * 3) return Verdict.Pass\n  ${take}\n  source.last = random(number + 1000)`,
)

/** The packet of one flow with this number. */
function packet(number: number): Uint8Array<ArrayBuffer> {
  const frame = new Uint8Array(new ArrayBuffer(60))
  const view = new DataView(frame.buffer)
  view.setUint16(12, 0x0800)
  frame[14] = 0x45
  view.setUint16(16, 46)
  frame[22] = 64
  frame[23] = 17
  view.setUint32(26, 0x0a00_0007)
  view.setUint32(30, number)
  return frame
}

function stationOf(source: string) {
  const { compiled, diagnostics } = compile('main.ts', source, {
    ways: ['sharded', 'replicated'],
    hybrid: true,
    slices: indirectionEntries,
  })
  assert.ok(compiled?.kernel.steer, diagnostics.map(d => d.message).join())
  const { steer } = compiled.kernel
  const subject = { ...compiled, kernel: { ...compiled.kernel, steer } }
  const { stateLayout } = compiled.artifact
  const options = {
    workers,
    seed: 1n,
    settings: new Map<string, bigint>(),
    queueSize: 64,
    attachType: 'xdp' as const,
  }
  const loaded = loadHeavyWorkers(
    subject,
    Array.from({ length: workers }, () => ({ cpu: 0, layer: 0 })),
    options,
  )
  const spray = createMap({ type: 'cpumap', name: 'spray', keySize: 4, valueSize: 8, maxEntries: 1 })
  const dealer = loadDealer(subject, loaded, [spray], { ...options, isQueued: false })
  const memory = new MappedMaps(loaded[0].maps)
  const [buckets, places, slices] = [bucketsMap, placesMap, slicesMap].map(name => memory.bytes(name)!)
  const maps = { buckets, places, workers }
  let number = 0
  return {
    maps,
    control: new HeavyControl(maps, { replay: 0.5 }),
    /** The frame that a worker gets for the next packet. */
    next: () => testRun(dealer.program, { data: packet(++number), capacity: 4096 }).data,
    work: (worker: number, frame: Uint8Array) =>
      testRun(loaded[worker].program, { data: Uint8Array.from(frame) }).verdict,
    /** The flow's bucket. */
    bucket: () => readBuckets(buckets).findIndex(b => b.packets > 0n),
    owner: (bucket: number) => readBuckets(buckets)[bucket].owner,
    entry(bucket: number): unknown {
      const block = stateMemory(new ArrayBuffer(stateLayout.size))
      const at = sliceOf(maps, bucket) * stateLayout.size
      block.bytes.set(slices.subarray(at, at + stateLayout.size))
      const [dump] = dumpState(block, 0, stateLayout, 0n).map(dumpToJson)
      return 'entries' in dump ? dump.entries : undefined
    },
    close() {
      memory.close()
      dealer.close()
      spray.close()
      for (const w of loaded) w.close()
    },
  }
}

const kindOf = (frame: Uint8Array): string => kinds[frame[dealt.kind]]
const expected = (n: number): unknown => [{ key: '10.0.0.7', value: { last: n, packets: String(n) } }]

for (const isDivided of [false, true])
  test(
    `a bucket ${isDivided ? 'that all have goes home' : 'moves'} while its old owner still has packets of it`,
    { skip },
    () => {
      const station = stationOf(counting)
      try {
        const { next, work, control } = station
        const first = next()
        const bucket = station.bucket()
        const owner = station.owner(bucket)
        const other = 1 - owner
        work(owner, first)
        const underWay = next()
        assert.ok(control.order(bucket, isDivided ? everybody : other))
        const asked = Array.from({ length: 5 }, next)
        assert.deepEqual(asked.map(kindOf), ['copy', 'plain', 'plain', 'plain', 'plain'])
        const queues = [[], []] as Uint8Array[][]
        queues[owner].push(...asked.slice(1))
        work(owner, underWay)
        work(owner, asked[0])
        // The copy is there, and the owner is busy. The other one works at once.
        const seen: string[] = []
        const deal = (count: number): void => {
          for (let k = 0; k < count; k++) {
            const frame = next()
            const isShared = station.owner(bucket) === everybody
            const number = new DataView(frame.buffer, frame.byteOffset).getBigUint64(dealt.number, true)
            const worker = isShared ? Number(number) % workers : other
            seen.push(kindOf(frame))
            if (worker === other) work(other, frame)
            else queues[worker].push(frame)
          }
        }
        if (isDivided) {
          deal(4)
          assert.ok(control.order(bucket, other))
        }
        deal(6)
        for (const frame of queues[owner].splice(0)) work(owner, frame)
        deal(6)
        assert.deepEqual(seen.slice(-3), ['plain', 'plain', 'plain'], seen.join())
        assert.deepEqual(station.entry(bucket), expected(isDivided ? 23 : 19), seen.join())
      } finally {
        station.close()
      }
    },
  )

test('what a packet draws is the same in the program and in its item', { skip }, () => {
  const entries = [false, true].map(isDivided => {
    const station = stationOf(drawing)
    try {
      const first = station.next()
      const bucket = station.bucket()
      const owner = station.owner(bucket)
      station.work(owner, first)
      if (isDivided) assert.ok(station.control.order(bucket, everybody))
      const seen = new Set<string>()
      for (let n = 2; n <= 70; n++) {
        const frame = station.next()
        seen.add(kindOf(frame))
        station.work(station.owner(bucket) === everybody ? n % workers : owner, frame)
      }
      assert.equal(seen.has('spread'), isDivided)
      return station.entry(bucket)
    } finally {
      station.close()
    }
  })
  assert.deepEqual(entries[1], entries[0])
})

test('a bucket that is never at rest has no order that only one at rest could follow', { skip }, () => {
  const station = stationOf(counting)
  try {
    const { control, maps } = station
    const before = station.next()
    const bucket = station.bucket()
    const owner = station.owner(bucket)
    const busy = Array.from({ length: indirectionEntries }, (_, b) => b).filter(b => b !== bucket)
    const view = new DataView(maps.buckets.buffer, maps.buckets.byteOffset)
    // Others that are to move, with packets under way: they have the places that there are for it.
    for (const b of busy.slice(0, 4)) {
      view.setBigUint64(b * bucketEntry.stride + bucketEntry.since, 1000n, true)
      assert.ok(control.order(b, 1 - station.owner(b)))
    }
    assert.equal(control.order(bucket, 1 - owner), false)
    let late = before
    for (let k = 0; k < 20; k++) {
      const frame = station.next()
      station.work(owner, late)
      late = frame
    }
    assert.ok(isSettled(maps, bucket))
    assert.ok(control.order(bucket, everybody))
  } finally {
    station.close()
  }
})
