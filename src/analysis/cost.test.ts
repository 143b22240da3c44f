import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseFunction } from '../ir/parse.js'
import { longestWay, replayShare } from './cost.js'

const branching = parseFunction(`func f(%x: i32, %c: i1) -> i32 {
b0:
  branch %c, b1, b2
b1:
  %a = add.i32 %x, %x
  %b = add.i32 %a, %x
  %d = add.i32 %b, %x
  jump b3
b2:
  %7 = const.i32 value=7
  %e = add.i32 %x, %7
  jump b3
b3:
  %p = phi.i32 b1: %d, b2: %e
  return %p
}`)

const looping = parseFunction(`func f(%x: i32, %c: i1) -> void {
b0:
  jump b1
b1:
  %a = add.i32 %x, %x
  branch %c, b1, b2
b2:
  return
}`)

test('the longest way counts instructions and ends of blocks; constants and phis are free, loops go round once', () => {
  assert.equal(longestWay(branching), 1 + 4 + 1)
  assert.equal(longestWay(looping), 1 + 2 + 1)
})

test('an item costs no more than its packet', () => {
  assert.equal(replayShare(branching, looping), 1)
  assert.equal(replayShare(looping, branching), 13 / 16)
})
