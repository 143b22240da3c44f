import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bundledProgram } from '../../test/programs.js'
import { plan } from '../engine/plan.js'
import { replicated } from '../strategy/replicated.js'
import { falseSharing, objectShapes, writtenRegions } from './memory-layout.js'
import { foldPerf, foldV8 } from './stacks.js'
import { touchedLines } from './touched.js'
import { standardTrace, traceStore } from './traces.js'

test('shapes add up to what the layout says', () => {
  const { artifact } = bundledProgram('connection-tracker')
  for (const shape of objectShapes(artifact.stateLayout)) {
    assert.equal(shape.payload + shape.padding, shape.stride)
    assert.ok(shape.straddling >= 0 && shape.straddling < 1)
    assert.ok(shape.entries * shape.stride <= shape.bytes)
    // Four entries take no fewer lines than their bytes, and one more at most for where they begin.
    assert.ok(
      shape.bucketLines >= (4 * shape.stride) / 64 && shape.bucketLines <= (4 * shape.stride) / 64 + 1,
    )
  }
})

test('no two workers write one line', () => {
  const { artifact } = bundledProgram('heavy-hitter')
  const planned = plan(artifact, { strategy: replicated, cores: 7 })
  assert.ok(!('error' in planned))
  const regions = writtenRegions(planned, artifact.stateLayout.size, 8 * artifact.counters.length)
  assert.deepEqual(falseSharing(regions), [])
  const close = [
    { name: 'a', at: 0, bytes: 8, writer: 0 },
    { name: 'b', at: 60, bytes: 8, writer: 1 },
    { name: 'c', at: 128, bytes: 8, writer: 2 },
  ]
  assert.deepEqual(falseSharing(close), ['a and b'])
})

test('a packet of one flow touches the header and its bucket, and writes one entry', () => {
  const { artifact, program } = bundledProgram('ddos-mitigator')
  const store = traceStore('single flow', standardTrace('single flow', 2000), 2000)
  const { objects, packets } = touchedLines(
    program,
    { stateLayout: artifact.stateLayout, rulesLayout: artifact.rulesLayout, seed: 1n },
    store,
    2000,
  )
  assert.equal(packets, 2000)
  const [table] = objects
  assert.ok(table.lines >= 1 && table.lines <= 5, `${table.lines} lines`)
  assert.ok(table.written >= 0.5 && table.written <= 3, `${table.written} written`)
  assert.ok(table.most >= table.lines)
})

test('stacks fold from the root', () => {
  const perf = [
    'node 12/13',
    '\t  7f01 leaf+0x1 (lib)',
    '\t  7f02 JS:*start file:///x/src/engine/run.js:12:3',
    '',
    'node 12/13',
    '\t  7f01 leaf+0x1 (lib)',
    '\t  7f02 JS:*start file:///x/src/engine/run.js:12:3',
    '',
  ].join('\n')
  const { counts, samples } = foldPerf(perf)
  assert.equal(samples, 2)
  assert.deepEqual([...counts], [['node;start (engine/run.js:12);leaf+0x1 (lib)', 2]])
  const frame = (functionName: string) => ({ functionName, url: '', lineNumber: 0 })
  const v8 = new Map<string, number>()
  const nodes = [
    { id: 1, callFrame: frame('(root)'), children: [2, 3] },
    { id: 2, callFrame: frame('a;b'), hitCount: 5 },
    { id: 3, callFrame: frame('(idle)'), hitCount: 9 },
  ]
  assert.equal(foldV8(nodes, v8), 5)
  assert.deepEqual([...v8], [['(root);a,b', 5]])
})
