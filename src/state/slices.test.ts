import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sliceCapacity, sliceOf } from './slices.js'
import type { TableDecl } from './declaration.js'

test('a slice has room for what chance gives it, and never for more than the whole', () => {
  for (const capacity of [1, 10, 100, 1024, 65_536, 1_000_000]) {
    const slice = sliceCapacity(capacity, 128)
    assert.ok(slice <= capacity && slice * 128 >= capacity, `${slice} of ${capacity}`)
  }
  // 512 on average: throw 65,536 keys into 128 buckets, again and again.
  const room = sliceCapacity(65_536, 128)
  let state = 1
  for (let round = 0; round < 20; round++) {
    const buckets = new Uint32Array(128)
    for (let k = 0; k < 65_536; k++) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
      buckets[state >>> 25]++
    }
    assert.ok(Math.max(...buckets) <= room)
  }
})

test('tables are divided, nothing else', () => {
  const table: TableDecl = {
    kind: 'table',
    name: 't',
    key: [{ name: 'k', type: 'u32', bytes: 4 }],
    value: [],
    capacity: 65_536,
    evict: 'none',
    scalarKey: true,
    scalarValue: false,
  }
  const rules = { ...table, kind: 'rules', rules: 'hash' } as const
  const [divided, ...others] = sliceOf([table, rules], 128)
  assert.equal((divided as TableDecl).capacity, sliceCapacity(65_536, 128))
  assert.deepEqual(others, [rules])
})
