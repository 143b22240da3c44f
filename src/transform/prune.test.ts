import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseFunction } from '../ir/parse.js'
import { printFunction } from '../ir/print.js'
import { verifyFunction } from '../ir/verify.js'
import { prune } from './prune.js'

function pruned(body: string): string[] {
  const func = parseFunction(`func f(%x: i32, %y: i32) -> void {\n${body}\n}`)
  prune(func, i => i.op === 'pool.give')
  assert.deepEqual(verifyFunction(func), [])
  return printFunction(func)
    .split('\n')
    .slice(1, -1)
    .map(l => l.trim())
}

test('a branch that decides nothing that is left goes', () => {
  const body = `b0:
  %c = ltu.i1 %x, %y
  branch %c, b1, b2
b1:
  %s = add.i32 %x, %y
  jump b3
b2:
  jump b3
b3:
  %p = phi.i32 b1: %s, b2: %x
  pool.give %x object="p"
  return`
  assert.deepEqual(pruned(body), ['b0:', 'jump b1', 'b1:', 'pool.give %p0 object="p"', 'return'])
})

test('a branch that chooses what a root gets stays', () => {
  const body = `b0:
  %c = ltu.i1 %x, %y
  branch %c, b1, b2
b1:
  jump b3
b2:
  jump b3
b3:
  %p = phi.i32 b1: %y, b2: %x
  pool.give %p object="p"
  return`
  assert.equal(pruned(body).filter(l => l.startsWith('branch')).length, 1)
})

test('a loop that nothing needs goes, one around a root stays', () => {
  const loop = (inside: string): string => `b0:
  %0 = const.i32 value=0
  jump b1
b1:
  %i = phi.i32 b0: %0, b2: %j
  %c = ltu.i1 %i, %x
  branch %c, b2, b3
b2:
  %1 = const.i32 value=1
  %j = add.i32 %i, %1
${inside}  jump b1
b3:
  pool.give %y object="p"
  return`
  assert.ok(!pruned(loop('')).some(l => l.includes('phi')))
  assert.ok(pruned(loop('  pool.give %i object="p"\n')).some(l => l.includes('phi')))
})
