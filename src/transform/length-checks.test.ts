import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Func } from '../ir/types.js'
import { parseFunction } from '../ir/parse.js'
import { verifyFunction } from '../ir/verify.js'
import { mergeLengthChecks } from './length-checks.js'
import { runPass } from './optimise.js'

/** Branches on the packet's length that are left, as what they compare it with. */
function checksLeft(body: string): string[] {
  const func = parseFunction(`func main() -> i32 {\n${body}\n}`)
  mergeLengthChecks(func)
  assert.deepEqual(verifyFunction(func), [])
  for (const pass of ['dce', 'cse', 'fold', 'simplify-cfg', 'dce']) runPass(func, pass)
  return checksOf(func)
}

const checksOf = (func: Func): string[] =>
  func.blocks.flatMap(({ term }) => {
    if (term.op !== 'branch' || term.cond.op !== 'leu') return []
    const [at] = term.cond.args
    return [at.op === 'const' ? String(at.attrs.value) : `x + ${at.args[1].attrs.value}`]
  })

const start = `b0:
  %m = packet.mem
  %0 = const.i32 value=0
  %l = input.i32 name="length"`

/** Asks for 14 bytes, for a type, then for 34; what ends too short goes to b4, or to \`other\` the second time. */
const twice = (other: string, between = ''): string => `${start}
  %14 = const.i32 value=14
  %c = leu.i1 %14, %l
  branch %c, b1, b4
b1:
  %t = load.i32 %m, %0 width=2 offset=12 checked=false
  %8 = const.i32 value=8
  %e = eq.i1 %t, %8
${between}  branch %e, b2, b4
b2:
  %34 = const.i32 value=34
  %d = leu.i1 %34, %l
  branch %d, b3, ${other}
b3:
  %p = load.i32 %m, %0 width=1 offset=23 checked=false
  return %p
b4:
  return %0${
    other === 'b4'
      ? ''
      : `
b5:
  %7 = const.i32 value=7
  return %7`
  }`

test('a check takes over what one below asks for, if both end in the same place', () => {
  assert.deepEqual(checksLeft(twice('b4')), ['34'])
})

test('not if they end in different places', () => {
  assert.deepEqual(checksLeft(twice('b5')), ['14', '34'])
})

test('not if something is done in between', () => {
  const count = '  %1 = const.i64 value=1\n  count %1 counter="seen"\n'
  assert.deepEqual(checksLeft(twice('b4', count)), ['14', '34'])
})

test('a check that one of more bytes answers on the usual way is made on the others', () => {
  const body = `${start}
  %34 = const.i32 value=34
  %c = leu.i1 %34, %l
  branch %c, b1, b6
b1:
  %x = load.i32 %m, %0 width=1 offset=14 checked=false
  %20 = const.i32 value=20
  %y = add.i32 %x, %20
  %d = leu.i1 %y, %l
  branch %d, b2, b6
b2:
  %p = load.i32 %m, %0 width=1 offset=23 checked=false
  %6 = const.i32 value=6
  %e = eq.i1 %p, %6
  branch %e, b3, b5
b3:
  %40 = const.i32 value=40
  %z = add.i32 %x, %40
  %f = leu.i1 %z, %l
  branch %f, b4, b5
b4:
  %q = load.i32 %m, %x width=1 offset=32 checked=false
  return %q
b5:
  return %6
b6:
  return %0`
  assert.deepEqual(checksLeft(body), ['34', 'x + 40', 'x + 20'])
})
