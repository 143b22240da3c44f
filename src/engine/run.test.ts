// Runs over many small slabs, with real threads, by every strategy; and how runs end when something goes wrong.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { compile } from '../compile.js'
import { openCapture } from '../device/capture.js'
import { FunctionBuilder } from '../ir/builder.js'
import { batchModule } from '../backend/wasm/batch.js'
import { allStrategies, strategyNamed } from '../strategy/strategies.js'
import { WorkerFailure } from './crew.js'
import { loadPackets, storeSource } from './packets.js'
import { plan } from './plan.js'
import type { Plan } from './plan.js'
import { start } from './run.js'
import { verify } from './verify.js'

const root = new URL('../../../', import.meta.url)
const path = new URL('programs/demo/knocking.pcap', root).pathname
const store = loadPackets((memory, workspace) => openCapture(path, { memory, workspace }))
const compiled = (name: string) => {
  const file = new URL(`programs/${name}.ts`, root)
  const { compiled: c } = compile(`${name}.ts`, readFileSync(file, 'utf8'))
  assert.ok(c)
  return c
}
const knocking = compiled('port-knocking')
const { artifact } = knocking
const single = strategyNamed('single')!
const replicated = strategyNamed('scr')!
const planned = (options: Parameters<typeof plan>[1]): Plan => {
  const p = plan(artifact, options)
  assert.ok(!('error' in p), 'error' in p ? p.error : '')
  return p
}

test('slabs of 64 packets: every strategy on two threads, the ring going round many times', async () => {
  for (const subject of [knocking, compiled('token-bucket'), compiled('source-nat')]) {
    const strategies = allStrategies.filter(s => s.name !== 'sharded' || subject.artifact.steering)
    const { exact, cases } = await verify(subject, store, {
      strategies,
      cores: [2],
      threads: true,
      slabPackets: 64,
    })
    assert.ok(exact, JSON.stringify(cases.filter(c => c.divergent > 0)))
  }
})

test('virtual workers in another order give the same', async () => {
  for (const seed of [1n, 2n]) {
    const { exact, cases } = await verify(knocking, store, {
      strategies: allStrategies,
      cores: [1, 5, 16],
      seed,
      slabPackets: 33,
    })
    assert.ok(exact, JSON.stringify(cases.filter(c => c.divergent > 0)))
  }
})

test('received is the sum of verdicts, and of what the workers had', async () => {
  const p = planned({ strategy: replicated, cores: 3, virtual: true, slabPackets: 10 })
  const result = await start(artifact, p, replicated, { open: storeSource(store) })
  assert.equal(result.received, store.count)
  assert.equal(
    result.verdicts.reduce((sum, v) => sum + v.packets, 0),
    store.count,
  )
  assert.equal(
    result.workers.reduce((sum, w) => sum + w.packets, 0),
    store.count,
  )
})

test('asked to stop, a run ends with everything collected that it took in', async () => {
  let slabs = 0
  const p = planned({ strategy: replicated, cores: 2, slabPackets: 50 })
  const stopped = (): boolean => slabs++ === 5
  const result = await start(artifact, p, replicated, { open: storeSource(store), stopped })
  assert.equal(result.received, 250)
  assert.equal(
    result.verdicts.reduce((sum, v) => sum + v.packets, 0),
    250,
  )
})

test("a worker's trap ends the run with its reason and leaves no thread", async () => {
  const b = new FunctionBuilder('main', [], 'i32')
  // A load far outside the memory: compiled code traps, as a fault of ours would make it.
  const at = b.const('i32', 0)
  b.return([
    b.emit('load', [b.emit('packet', []), at], { width: 4, offset: 0xfffffff0, checked: false }, 'i32'),
  ])
  const main = b.finish()
  const placement = { objects: new Map(), settings: ['a', 'b', 'c'], counters: ['d', 'e'] }
  const wasm = batchModule({ name: 'trap', placement, callees: [], main })
  const strategy = strategyNamed('shared')!
  const p = planned({ strategy, cores: 2 })
  await assert.rejects(
    start({ ...artifact, wasm }, p, strategy, { open: storeSource(store) }),
    (error: unknown) => {
      assert.ok(error instanceof WorkerFailure)
      assert.match(error.message, /worker \d crashed: memory access out of bounds/)
      return true
    },
  )
})

test('what cannot be planned is refused with the reason', () => {
  const refused = (options: Parameters<typeof plan>[1]): string => {
    const p = plan(artifact, options)
    assert.ok('error' in p)
    return p.error
  }
  assert.match(refused({ strategy: single, cores: 2 }), /single has one worker/)
  assert.match(refused({ strategy: replicated, cores: 17 }), /1 to 16, not 17/)
  assert.match(
    refused({ strategy: single, cores: 1, settings: new Map([['x', 1n]]) }),
    /no parameter x; it has first/,
  )
  const large = { ...artifact, stateLayout: { ...artifact.stateLayout, size: 400 * 2 ** 20 } }
  const tooLarge = plan(large, { strategy: replicated, cores: 16 })
  assert.ok('error' in tooLarge)
  assert.match(tooLarge.error, /state 6400.0 MiB .*one WebAssembly memory holds 4095.9 MiB/)
})

test('two plans of the same options are equal, and plain data', () => {
  const options = { strategy: replicated, cores: 4 }
  assert.deepEqual(planned(options), planned(options))
  const text = JSON.stringify(planned(options), (_, v: unknown) => (typeof v === 'bigint' ? String(v) : v))
  assert.match(text, /"strategy":"replicated"/)
})
