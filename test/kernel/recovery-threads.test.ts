/** Loss recovery with workers on CPUs of their own: logs are read while they are written. */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { workerRecovery } from '../../src/engine/kernel/recovery.js'
import { onlineCpus } from '../../src/sys/cpus.js'
import { builtFile } from '../../tools/sources.js'
import { bundledProgram } from '../programs.js'
import { Draw } from '../property/draw.js'
import { LossyWorkers, packetsOf } from './lossy.js'
import type { LossyCase } from './lossy.js'
import { withoutPrograms } from './machine.js'

const skip = withoutPrograms || (onlineCpus().length < 2 && 'one CPU')
const drop = 1
const notRun = 0xff

/** Each thread has workers of its own, which take their frames in turns. */
const script = `
  const { parentPort, workerData } = require('node:worker_threads')
  const { cpu, queues, fds, verdicts, waiting, threads, me, skew, progress } = workerData
  Promise.all([${['src/sys/test-run.ts', 'src/sys/program.ts', 'src/sys/cpus.ts'].map(f => `import(${JSON.stringify(builtFile(f))})`).join(', ')}])
    .then(([{ testRun }, { BpfProgram }, { pinThread }]) => {
      pinThread([cpu])
      const programs = fds.map(fd => new BpfProgram(fd, 'xdp', 'worker'))
      const at = queues.map(() => 0)
      Atomics.add(waiting, 0, 1)
      while (Atomics.load(waiting, 0) < threads);
      for (let left = true; left;) {
        left = false
        queues.forEach((queue, w) => {
          if (at[w] === queue.length) return
          left = true
          const { k, frame } = queue[at[w]++]
          Atomics.store(progress, me, k)
          Atomics.notify(progress, me)
          const other = 1 - me
          for (let p; (p = Atomics.load(progress, other)) < k - skew;) Atomics.wait(progress, other, p, 100)
          verdicts[k] = testRun(programs[w], { data: frame }).verdict
        })
      }
      Atomics.store(progress, me, 0x7fffffff)
      Atomics.notify(progress, me)
      parentPort.postMessage('done')
    })`

/** Has two threads deliver everything that is not lost, at most `skew` packets apart, and looks at what came of it. */
async function together(replicas: LossyWorkers, which: LossyCase, skew: number, where: string) {
  replicas.reset(which.last)
  const { frames, survived, queues } = replicas.prepare(which)
  const end = which.last + BigInt(which.packets.length)
  const expected = replicas.serially(which, survived, end).verdicts
  const verdicts = new Uint8Array(new SharedArrayBuffer(frames.length)).fill(notRun)
  const waiting = new Int32Array(new SharedArrayBuffer(4))
  const progress = new Int32Array(new SharedArrayBuffer(8))
  const cpus = onlineCpus()
  const threads = 2
  const each = Array.from({ length: threads }, (_, t) => {
    const mine = queues.map((_, w) => w).filter(w => w % threads === t)
    return new Worker(script, {
      eval: true,
      workerData: {
        cpu: cpus[t % cpus.length],
        queues: mine.map(w => queues[w].map(k => ({ k, frame: Uint8Array.from(frames[k]) }))),
        fds: mine.map(w => replicas.workers[w].program.fd),
        verdicts,
        waiting,
        threads,
        me: t,
        skew,
        progress,
      },
    })
  })
  await Promise.all(each.map(w => once(w, 'message')))
  await Promise.all(each.map(w => w.terminate()))
  const { pending } = replicas.finish()
  assert.equal(pending, 0, where)
  queues.forEach((queue, w) => {
    const { recovering, unrecoverable, late } = workerRecovery(replicas.workers[w]).drops
    const other = queue.filter(k => k < which.packets.length && verdicts[k] !== expected[k]!.verdict)
    assert.ok(
      other.every(k => verdicts[k] === drop),
      `${where}: a verdict of worker ${w}`,
    )
    assert.ok(other.length <= recovering + unrecoverable + late, `${where}: drops of worker ${w}`)
  })
  return replicas.assertRight(which, survived, where)
}

/** Packets that a test runs, and how far workers may be apart. */
interface Load {
  readonly name: string
  readonly workers: number
  readonly logEntries: number
  readonly count: number
  readonly skew: number
}

const loads: readonly Load[] = [
  { name: 'token-bucket', workers: 2, logEntries: 8192, count: 4000, skew: Infinity },
  { name: 'port-knocking', workers: 4, logEntries: 8192, count: 4000, skew: 60 },
  // Logs are written again all the time, and nobody is so far behind that it matters.
  { name: 'port-knocking', workers: 2, logEntries: 1024, count: 6000, skew: 60 },
  // A worker may give up, but is never wrong.
  { name: 'port-knocking', workers: 2, logEntries: 1024, count: 6000, skew: 1500 },
]

for (const { name, workers, logEntries, count, skew } of loads)
  test(
    `${name}: ${workers} workers on two CPUs, logs of ${logEntries}, ${skew} packets apart`,
    { skip },
    async t => {
      const replicas = new LossyWorkers(bundledProgram(name), { workers, seed: 1n, logEntries })
      try {
        const draw = new Draw(workers * logEntries + count)
        const lost = new Set<number>()
        for (let k = 0; k < count; k++)
          if (draw.chance(1, 15)) for (let n = draw.below(2 * workers); n >= 0; n--) lost.add(k + n)
        const which = {
          packets: packetsOf(count),
          loss: (s: bigint) => lost.has(Number(s - 1n)),
          last: 0n,
          turn: () => 0,
        }
        const found = await together(replicas, which, skew, name)
        t.diagnostic(JSON.stringify(found, (_, v: unknown) => (typeof v === 'bigint' ? Number(v) : v)))
        if (skew > 60 && count > logEntries - 512) return
        assert.deepEqual(found.stopped, [])
        assert.ok(found.recovered > 100 && found.lostEverywhere > 100)
      } finally {
        replicas.close()
      }
    },
  )
