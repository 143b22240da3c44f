import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Occupancy } from '../../engine/kernel/reading.js'
import { Watch } from './warnings.js'

const source = `import { table, pool } from 'hairpin'

const flows = table({ key: u32, value: u8, capacity: 100 })
`
const flows = (count: number, failures: number): Occupancy => ({
  name: 'flows',
  kind: 'table',
  capacity: 100,
  count,
  failures,
  evictions: 0,
  expiries: 0,
  displacements: 0,
})

test('refused updates are told once a look, with the line of the declaration', () => {
  const watch = new Watch('p.ts', source)
  assert.deepEqual(watch.look([flows(99, 0)]), [])
  const [full] = watch.look([flows(100, 1203)])
  assert.equal(
    full.text,
    'p.ts:3: warning: table flows is full (100 of 100 entries): 1,203 updates are lost; give it a larger capacity, evict or expire',
  )
  assert.deepEqual(watch.look([flows(100, 1203)]), [])
  assert.equal(watch.look([flows(100, 1204)])[0].refused, 1)
})

test('crowded keys, pools, and counts that wrap', () => {
  const watch = new Watch('p.ts', source)
  assert.match(
    watch.look([flows(90, 2)])[0].text,
    /90 of 100 entries\) refused 2 updates, because their keys crowd/,
  )
  const ports = (exhausted: number): Occupancy => ({
    name: 'ports',
    kind: 'pool',
    capacity: 3,
    count: 3,
    exhausted,
    rejected: 0,
  })
  assert.match(
    watch.look([ports(0xffff_fffe)])[0].text,
    /^p\.ts: warning: pool ports has no number left \(3 of 3/,
  )
  assert.equal(watch.look([ports(1)])[0].refused, 3)
})
