import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Evidence, commitOrder } from './commit-order.js'

type Row = readonly [begin: number, end: number, place?: number, before?: number, amount?: number]

function order(rows: readonly Row[], bits = 64) {
  const e = new Evidence(rows.length, bits)
  rows.forEach(([begin, end, place = 0, before = 0, amount = 0], n) => {
    e.begin[n] = begin
    e.end[n] = end
    e.place[n] = place
    e.before[n] = BigInt(before)
    e.amount[n] = BigInt.asUintN(bits, BigInt(amount))
  })
  const { order, problem } = commitOrder(e)
  return { order, what: problem?.what }
}

test('packets that drew one number are in its order', () => {
  assert.deepEqual(
    order([
      [3, 3],
      [1, 1],
      [2, 2],
    ]),
    { order: [1, 2, 0], what: undefined },
  )
  assert.match(
    order([
      [1, 1],
      [2, 2],
      [1, 1],
    ]).what!,
    /commit number 1 was given twice/,
  )
})

test('sums order additions whose packets overlap, whatever their numbers', () => {
  assert.deepEqual(
    order([
      [1, 6, 8, 5, 1],
      [2, 5, 8, 0, 5],
      [3, 4, 8, 6, 9],
    ]),
    {
      order: [1, 0, 2],
      what: undefined,
    },
  )
  // Different numbers say nothing about each other.
  assert.deepEqual(
    order([
      [1, 6, 8, 0, 1],
      [2, 5, 16, 0, 1],
    ]).order,
    [0, 1],
  )
})

test('a lost addition is found', () => {
  assert.match(
    order([
      [1, 4, 8, 0, 1],
      [2, 3, 8, 0, 1],
    ]).what!,
    /it found 0, which no addition left/,
  )
  assert.match(
    order([
      [1, 4, 8, 0, 1],
      [2, 3, 8, 7, 1],
    ]).what!,
    /which no addition left/,
  )
})

test('a sum that was there only later is found', () => {
  assert.match(
    order([
      [1, 2, 8, 1, 1],
      [3, 4, 8, 0, 1],
    ]).what!,
    /it found 1, which was there only after/,
  )
})

test('whoever was alone parts what came before from what came after', () => {
  // The place held another number before packet 1 was alone.
  assert.deepEqual(
    order([
      [1, 2, 8, 3, 1],
      [3, 3, 8, 0, 1],
      [4, 5, 8, 3, 1],
    ]),
    {
      order: [0, 1, 2],
      what: undefined,
    },
  )
})

test('additions of nothing stand where their value is; numbers wrap and come back', () => {
  assert.deepEqual(
    order([
      [1, 6, 8, 2, 0],
      [2, 7, 8, 0, 2],
      [3, 8, 8, 2, 2],
      [4, 9, 8, 0, 0],
    ]).order,
    [3, 1, 0, 2],
  )
  assert.equal(
    order(
      [
        [1, 9, 8, 200, 56],
        [2, 9, 8, 0, 200],
        [3, 9, 8, 200, 56],
        [4, 9, 8, 0, 200],
      ],
      8,
    ).what,
    undefined,
  )
  assert.equal(
    order(
      [
        [1, 9, 8, 1, -1],
        [2, 9, 8, 0, 1],
        [3, 9, 8, 1, 3],
      ],
      32,
    ).what,
    undefined,
  )
})
