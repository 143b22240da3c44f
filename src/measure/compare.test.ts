import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compare, formatComparison } from './compare.js'
import { readEnvironment } from './environment.js'
import type { LoadSnapshot } from './foreign.js'
import { formatQuantity, formatTable } from './table.js'

const environment = readEnvironment()
const idle: LoadSnapshot = { processes: new Map(), stolen: 0 }
const quiet = () => idle

test('candidates take turns, warm-up does not count', async () => {
  const calls: string[] = []
  const candidate = (name: string, sample: number) => ({
    name,
    run: () => {
      calls.push(name)
      return sample + calls.length
    },
  })
  const { records, ratios } = await compare([candidate('A', 100), candidate('B', 200)], {
    rounds: 3,
    warmup: 1,
    unit: 'Mpps',
    better: 'higher',
    environment,
    load: quiet,
  })
  assert.equal(calls.join(''), 'ABABABAB')
  assert.deepEqual(records[0].samples, [103, 105, 107])
  assert.deepEqual(records[1].samples, [204, 206, 208])
  assert.equal(records[1].unit, 'Mpps')
  assert.deepEqual(records[0].disturbed, { rejected: 0, kept: 0 })
  assert.equal(ratios.length, 1)
  assert.equal(ratios[0].ratio.summary.median, 206 / 105)
})

function sleep(ms: number): Promise<void> {
  return new Promise(resolve => void setTimeout(resolve, ms))
}

test('without a sample the time counts, promises are awaited', async () => {
  const { records } = await compare(
    [
      { name: 'long', run: () => sleep(20) },
      { name: 'short', run: () => {} },
    ],
    { rounds: 2, warmup: 0, environment, load: quiet },
  )
  assert.ok(records[0].summary.min > 15e6 && records[1].summary.max < 15e6)
  assert.equal(records[0].unit, 'ns')
})

test('disturbed rounds are run again, and kept when that does not help', async () => {
  let stolen = 0
  let disturb = 2
  let runs = 0
  const load = () => ({ processes: new Map(), stolen })
  const run = () => {
    if (disturb-- > 0) stolen += 50
    return ++runs
  }
  const some = await compare([{ name: 'A', run }], { rounds: 3, warmup: 0, environment, load })
  assert.deepEqual(some.records[0].disturbed, { rejected: 2, kept: 0 })
  assert.deepEqual(some.records[0].samples, [3, 4, 5])
  disturb = Infinity
  const all = await compare([{ name: 'A', run }], { rounds: 3, warmup: 0, environment, load })
  assert.deepEqual(all.records[0].disturbed, { rejected: 3, kept: 3 })
  const unknown = await compare([{ name: 'A', run }], {
    rounds: 1,
    warmup: 0,
    environment,
    load: () => undefined,
  })
  assert.equal(unknown.records[0].disturbed, null)
  assert.match(formatComparison(unknown), /foreign load unknown/)
})

test('the table begins with the environment and names ratio and doubt', async () => {
  let i = 0
  const { ratios, ...rest } = await compare(
    [
      { name: 'ours', run: () => 100 + (i++ % 3) },
      { name: 'theirs', run: () => 125 },
      { name: 'same', run: () => 101 },
    ],
    { rounds: 9, environment, load: quiet, unit: 'ns/packet', parameters: { flows: 10 }, lossCriterion: '0' },
  )
  const text = formatComparison({ ratios, ...rest })
  assert.ok(text.startsWith(environment.cpu))
  assert.match(text, /median of 9 interleaved rounds, lower is better, flows=10, loss 0/)
  assert.match(text, /theirs +125 +125 to 125 \(96 %\) +0.0 % +125 +125 +1.238 \(/)
  assert.match(text, /same .*no difference shown/)
  assert.equal(ratios.length, 3)
})

test('what makes no sense is refused', async () => {
  await assert.rejects(compare([], {}), RangeError)
  await assert.rejects(compare([{ name: 'A', run: () => 1 }], { rounds: 0 }), RangeError)
  const twice = { name: 'A', run: () => 1 }
  await assert.rejects(compare([twice, twice]), /different names/)
})

test('tables align, quantities keep four digits', () => {
  assert.equal(formatTable([['a', '1'], ['bcd', '100']], 'lr'), 'a      1\nbcd  100') // prettier-ignore
  assert.equal(formatQuantity(1234567.8), '1,234,568')
  assert.equal(formatQuantity(2.56789), '2.568')
  assert.equal(formatQuantity(0.00012346), '0.0001235')
  assert.equal(formatQuantity(NaN), 'NaN')
})
