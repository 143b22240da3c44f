/** Loss recovery in the kernel: states are the serial run's over what survived, or a worker says that it gave up. */

import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { columnAt, copyAt, logStride, logsMap, recoveryMap } from '../../src/backend/ebpf/logs.js'
import { entryBytes, log } from '../../src/backend/wasm/log.js'
import { frameFigures, loadReplicated, replicaCode } from '../../src/engine/kernel/replicated.js'
import { recoveryFigures, workerRecovery } from '../../src/engine/kernel/recovery.js'
import { programInfo } from '../../src/sys/info.js'
import { mapMemory } from '../../src/sys/map-memory.js'
import { bundledProgram, trialNames } from '../programs.js'
import type { BundledProgram } from '../programs.js'
import { Draw } from '../property/draw.js'
import { randomLosses } from '../property/losses.js'
import { LossyWorkers, anyTurn, entries, packetsOf } from './lossy.js'
import type { LossyCase, Turn } from './lossy.js'
import { withoutPrograms } from './machine.js'
import { runFrame } from './replicas.js'

const skip = withoutPrograms
const seed = 1n
const settings = new Map<string, bigint>()
const compiled = new Map<string, BundledProgram>()
const programOf = (name: string): BundledProgram => {
  const found = compiled.get(name) ?? bundledProgram(name)
  compiled.set(name, found)
  return found
}
const lost =
  (first: bigint, ...ranges: readonly (readonly [from: number, to: number])[]): LossyCase['loss'] =>
  sequence => {
    const k = Number(sequence - first)
    return ranges.some(([from, to]) => from <= k && k <= to)
  }
/** One worker after the other, as far as there are frames. */
const evenly: Turn = waiting => waiting.indexOf(Math.max(...waiting))

const total = { cases: 0, detected: 0, recovered: 0, lostEverywhere: 0, recovering: 0, verdicts: 0 }

/** Instructions that the verifier walks with recovery, 7 workers: a little above what was last measured. */
const mostVerified = (name: string): number => (name === 'connection-tracker' ? 440_000 : 45_000)

/** The verifier takes its time for the connection tracker's. */
const workersOf = (name: string, p: number): number => (name === 'connection-tracker' ? 2 : 2 + (p % 6))

trialNames.forEach((name, p) => {
  const workers = workersOf(name, p)
  test(`${name}: random losses in random order, ${workers} workers`, { skip }, () => {
    const replicas = new LossyWorkers(programOf(name), {
      workers,
      seed,
      outer: p % 2 === 0,
      slots: workers - 1 + (p % 3 === 0 ? 5 : 0),
    })
    try {
      const { verifiedInstructions } = programInfo(replicas.workers[0].program)
      assert.ok(verifiedInstructions <= mostVerified(name), `${verifiedInstructions} instructions walked`)
      for (let k = 0; k < 4; k++) {
        const draw = new Draw(1000 * p + k)
        const last = draw.pick([0n, 2n ** 32n - BigInt(draw.below(60)), 2n ** 40n])
        const packets = packetsOf(60 + draw.below(40))
        const { what, loss } = randomLosses(draw, last + 1n, packets.length, workers)
        const found = replicas.run({ packets, loss, last, turn: anyTurn(draw) }, what)
        assert.deepEqual(found.stopped, [], what)
        total.cases++
        for (const column of ['detected', 'recovered', 'lostEverywhere', 'verdicts'] as const)
          total[column] += found[column]
        total.recovering += found.drops.recovering
      }
    } finally {
      replicas.close()
    }
  })
})

test('enough was lost, and both recovered and lost everywhere', { skip }, t => {
  t.diagnostic(JSON.stringify(total))
  assert.ok(total.recovered > 100 && total.lostEverywhere > 100 && total.recovering > 50)
})

test('without recovery there is no log and no code for it', () => {
  for (const name of ['port-knocking', 'token-bucket', 'prefix-forwarder']) {
    const program = programOf(name)
    const options = { workers: 7, seed, settings, outer: true }
    const off = replicaCode(program, { ...options, recovery: false })
    assert.deepEqual(off.encoded.bytes, replicaCode(program, options).encoded.bytes)
    const names = (code: typeof off): string[] => code.maps.map(m => m.name)
    const on = replicaCode(program, { ...options, recovery: true })
    assert.deepEqual(
      names(on).filter(n => !names(off).includes(n)),
      [logsMap, recoveryMap],
    )
    assert.ok(off.encoded.bytes.length < on.encoded.bytes.length)
  }
})

test('the log has a length that wraps', () => {
  for (const logEntries of [0, 512, 1000, 3000])
    assert.throws(
      () => replicaCode(programOf('forwarder'), { workers: 2, seed, settings, recovery: true, logEntries }),
      /1024 or more, a power of two/,
    )
})

let knocking: LossyWorkers | undefined
after(() => knocking?.close())
/** Three workers of a small program, for the tests below. */
const three = (): LossyWorkers =>
  (knocking ??= new LossyWorkers(programOf('port-knocking'), { workers: 3, seed }))

test('log and sequence space wrap, with losses all along', { skip }, () => {
  const draw = new Draw(7)
  const packets = packetsOf(2400)
  const set = new Set(
    packets.flatMap((_, k) => (draw.chance(1, 12) ? [k, k + 1, k + 2].slice(draw.below(3)) : [])),
  )
  const last = 2n ** 32n - 1200n
  const loss: LossyCase['loss'] = sequence => set.has(Number(sequence - last - 1n))
  // Workers take turns, but up to 20 frames in a row.
  let current = 0
  const turn: Turn = waiting => {
    if (waiting[current] === 0 || waiting[current] <= Math.max(...waiting) - 20 || draw.chance(1, 6))
      current = evenly(waiting)
    return current
  }
  const found = three().run({ packets, loss, last, turn }, 'wrap')
  assert.deepEqual(found.stopped, [])
  assert.ok(found.recovered > 200 && found.lostEverywhere > 10)
})

test('a burst at one worker: it is resolved a part at each frame, and then verdicts go on', { skip }, () => {
  const packets = packetsOf(1500)
  const workers = new LossyWorkers(programOf('port-knocking'), { workers: 3, seed, logEntries: 4096 })
  try {
    // Of 0, 3, 6 … worker 0 gets nothing between 100 and 1300; its other packets are all there.
    const loss: LossyCase['loss'] = s => Number(s - 1n) % 3 === 0 && s > 100n && s < 1300n
    const found = workers.run({ packets, loss, last: 0n, turn: evenly }, 'burst')
    assert.deepEqual(found.stopped, [])
    // The frame after the gap brings 256 of its 1,200 numbers, as do the next ones, each of which adds three.
    assert.equal(found.drops.recovering, 4)
    assert.equal(found.recovered, found.detected)
    assert.ok(found.recovered > 1190)
  } finally {
    workers.close()
  }
})

test('a gap that nobody can fill yet is parked, and goes on at the next frame', { skip }, () => {
  const replicas = three()
  const packets = packetsOf(12)
  const which: LossyCase = { packets, loss: lost(1n, [3, 3]), last: 0n, turn: evenly }
  replicas.reset(0n)
  const { frames, survived } = replicas.prepare(which)
  const [first] = replicas.workers
  const give = (k: number) => runFrame(replicas.workers[k % 3], frames[k])
  give(0)
  // Frame 3 is lost; frame 6 of the same worker arrives before others have anything: it waits for nobody.
  give(6)
  assert.deepEqual(workerRecovery(first).drops.recovering, 1)
  assert.deepEqual([workerRecovery(first).last, workerRecovery(first).logged], [1n, 7n])
  for (const k of [1, 4, 2]) give(k)
  // Worker 1 has 2 to 4 now, but worker 0 looks only when it has a frame again.
  assert.equal(workerRecovery(first).last, 1n)
  give(9)
  assert.equal(workerRecovery(first).last, 10n)
  for (const k of [5, 7, 8, 10, 11]) give(k)
  for (const w of replicas.workers) runFrame(w, frames[12])
  const found = replicas.assertRight(which, survived, 'parked')
  assert.equal(found.drops.recovering, 1)
  assert.equal(found.detected, 3)
})

test(
  'a log that is too short: the worker says so, gives no verdict, and is behind but not wrong',
  { skip },
  () => {
    const packets = packetsOf(1400)
    // Worker 0 misses one frame, and runs ahead of all others.
    const ahead: Turn = waiting => waiting.findIndex(n => n > 0)
    const found = three().run({ packets, loss: lost(1n, [300, 300]), last: 0n, turn: ahead }, 'ahead')
    assert.deepEqual(found.stopped, [{ worker: 0, last: 298n }])
    assert.equal(found.unrecoverable, 3)
    assert.ok(found.drops.unrecoverable > 20)
    // A worker that comes too late: the others have written over what it misses.
    const late: Turn = waiting => waiting.findLastIndex(n => n > 0)
    const other = three().run({ packets, loss: lost(1n, [300, 300]), last: 0n, turn: late }, 'late')
    assert.deepEqual(other.stopped, [{ worker: 0, last: 298n }])
    // More is lost in a row than a log has entries.
    const gap = (s: bigint): boolean => s > 50n && s < 50n + BigInt(entries) + 20n
    const all = three().run({ packets, loss: gap, last: 0n, turn: evenly }, 'gap')
    assert.equal(all.stopped.length, 3)
    assert.equal(all.recovered, 0)
  },
)

test('at the end numbers are worked off to the last one, whatever their count', { skip }, () => {
  const workers = new LossyWorkers(programOf('ddos-mitigator'), { workers: 3, seed, logEntries: 4096 })
  try {
    const ahead: Turn = waiting => waiting.findIndex(n => n > 0)
    // Worker 0 waits for what comes after packet 1: 256 numbers are looked at in a run, and then one or two are left.
    for (const count of [513, 514, 515])
      workers.run({ packets: packetsOf(count), loss: lost(1n, [3, 3]), last: 0n, turn: ahead }, `${count}`)
  } finally {
    workers.close()
  }
})

test('workers that did not get the flush end where the others do', { skip }, () => {
  const replicas = three()
  const packets = packetsOf(100)
  for (const [without, lastLost] of [
    [[0], 100],
    [[0, 2], 97],
    [[0, 1, 2], 95],
    [[0, 1, 2], 100],
  ] as const) {
    const loss = lost(1n, [20, 24], [lastLost, 99])
    const which: LossyCase = { packets, loss, last: 0n, turn: evenly }
    replicas.reset(0n)
    const { frames, queues, survived } = replicas.prepare(which)
    queues.forEach((queue, w) =>
      queue.forEach(k => {
        if (k < packets.length || !without.some(o => o === w)) runFrame(replicas.workers[w], frames[k])
      }),
    )
    const flushes = frameFigures(replicas.workers[0]).get('flushes')
    assert.equal(replicas.finish().pending, 0)
    assert.equal(frameFigures(replicas.workers[0]).get('flushes'), flushes)
    const known = replicas.workers.map(w => workerRecovery(w).last)
    assert.deepEqual(new Set(known).size, 1)
    // With no flush at all, nobody knows of packets behind the last frame that came.
    const end = Number(known[0])
    assert.equal(end, without.length < 3 ? 100 : lastLost)
    replicas.assertRight(
      { ...which, packets: packets.slice(0, end) },
      survived,
      `no flush at ${String(without)}`,
    )
  }
})

test('an entry counts only if it is the one and nobody may be writing it', { skip }, () => {
  const replicas = three()
  const [worker, source] = replicas.workers
  const itemBytes = 5
  const bytesOf = (name: string, of = source) => mapMemory(of.maps.get(name)!)
  const packets = packetsOf(9)
  const which: LossyCase = { packets, loss: lost(1n, [3, 3]), last: 0n, turn: evenly }
  /** Worker 0 misses 3 numbers, which worker 1 has; its log is changed before worker 0 looks. */
  const looking = (change: (their: DataView, tagAt: (k: number) => number) => void) => {
    replicas.reset(0n)
    const { frames } = replicas.prepare(which)
    const give = (k: number): void => void runFrame(replicas.workers[k % 3], frames[k])
    for (const k of [0, 1, 2, 4, 5, 7, 8]) give(k)
    const { bytes, unmap } = bytesOf(logsMap)
    const stride = logStride({ workers: 3, entries, itemBytes: artifact.item!.itemBytes })
    const their = new DataView(bytes.buffer, bytes.byteOffset + stride, stride)
    const size = entryBytes(artifact.item!.itemBytes)
    change(their, k => log.entries + (k & (entries - 1)) * size)
    // And worker 2 knows nothing.
    new DataView(bytes.buffer, bytes.byteOffset + 2 * stride).setBigUint64(log.progress, 0n, true)
    unmap()
    give(6)
    return workerRecovery(worker)
  }
  const { artifact } = programOf('port-knocking')
  assert.ok(artifact.item!.itemBytes <= itemBytes && copyAt > columnAt('fence'))
  const fine = looking(() => undefined)
  assert.deepEqual([fine.recovered, fine.last, fine.stopped], [3, 7n, false])
  // Not there yet.
  const early = looking(their => their.setBigUint64(log.progress, 2n, true))
  assert.deepEqual([early.recovered, early.last, early.stopped], [1, 2n, false])
  // Another number's: nobody else could have it but worker 2, so it is still open.
  const wrong = looking((their, at) => their.setBigUint64(at(3), BigInt(3 + entries) << 2n, true))
  assert.deepEqual([wrong.recovered, wrong.last, wrong.stopped], [1, 2n, false])
  // So far on that the entry may be in the middle of being written again: 512 from the log's end.
  const near = looking(their => their.setBigUint64(log.progress, BigInt(entries + 2 - 512), true))
  assert.deepEqual([near.recovered, near.last], [0, 1n])
  const enough = looking(their => their.setBigUint64(log.progress, BigInt(entries + 1 - 512), true))
  assert.deepEqual([enough.recovered, enough.last], [3, 7n])
})

test('entries of a CPU map: what is parked at the end is finished too', { skip }, () => {
  const program = programOf('port-knocking')
  const options = { workers: 3, seed, settings, recovery: true, logEntries: entries } as const
  const replicas = three()
  const packets = packetsOf(40)
  const which: LossyCase = { packets, loss: lost(1n, [6, 6], [20, 24]), last: 0n, turn: evenly }
  replicas.reset(0n)
  const { frames, queues, survived } = replicas.prepare(which)
  // One worker has everything, flush included, before the next one begins.
  queues.forEach((queue, w) => queue.forEach(k => runFrame(replicas.workers[w], frames[k])))
  assert.ok(recoveryFigures(replicas.workers).pending > 0)
  const mapped = loadReplicated(program, { ...options, attachType: 'xdp_cpumap' })
  try {
    const both = (act: (from: Uint8Array, to: Uint8Array) => void): void =>
      mapped.workers.forEach(({ maps }, w) => {
        for (const [name, map] of maps) {
          const twin = replicas.workers[w].maps.get(name)!
          if (name === 'hairpin') continue
          const [here, there] = [mapMemory(twin), mapMemory(map)]
          act(here.bytes, there.bytes)
          here.unmap()
          there.unmap()
        }
      })
    both((from, to) => to.set(from))
    const { pending, detected, recovered, lostEverywhere } = mapped.finish()
    assert.deepEqual([pending, detected], [0, recovered + lostEverywhere])
    assert.ok(recovered > 0 && lostEverywhere > 0)
    both((to, from) => to.set(from))
    replicas.assertRight(which, survived, 'CPU map')
  } finally {
    mapped.close()
  }
})
