import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Value } from './machine.js'
import { Pairs } from './pairs.js'
import { slotsOf } from './slots.js'

const names = ['a', 'b', 'c', 'd'] as const
const values: readonly Value[] = names.map((name, id) => ({ id, name }))
const [a, b, c, d] = values

/** Slots of all four, where these pairs are alive together and those are joined by copies. */
function slots(together: readonly (readonly [Value, Value])[], copies: readonly (readonly [Value, Value])[]) {
  const meet = new Pairs(values.length)
  for (const [x, y] of together) meet.add(x.id, y.id)
  const nodes = values.map(v => v.id)
  const neighbours = nodes.map(x => nodes.filter(y => meet.has(x, y)))
  const pairs = copies.map(([x, y]) => ({ a: x, b: y, weight: 1 }))
  const found = slotsOf({ nodes, nodeOf: v => v.id, neighbours, meet }, nodes, pairs)
  return nodes.map(v => found.get(v))
}

test('values that are alive together have slots of their own', () => {
  const everyPair = values.flatMap(x => values.filter(y => y !== x).map(y => [x, y] as const))
  assert.deepEqual(slots(everyPair, []), [0, 1, 2, 3])
})

test('a copy joins slots along a chain, though another slot were free before', () => {
  assert.deepEqual(
    slots(
      [
        [a, b],
        [b, c],
      ],
      [
        [d, b],
        [c, a],
      ],
    ),
    [0, 1, 0, 1],
  )
})

test('a copy joins nothing that would bring two together that are alive at once', () => {
  assert.deepEqual(
    slots(
      [[a, c]],
      [
        [a, b],
        [b, c],
      ],
    ),
    [0, 0, 1, 0],
  )
})
