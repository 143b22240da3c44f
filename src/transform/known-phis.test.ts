import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseFunction } from '../ir/parse.js'
import { printFunction } from '../ir/print.js'
import { verifyFunction } from '../ir/verify.js'
import { foldKnownPhis } from './known-phis.js'

/**
 * `%a` asks whether there are 20 bytes and is kept for later by two ways, one of which `condition` led to. What it is
 * there, if that is a constant now.
 */
function keptAs(condition: string, ends: string): string | undefined {
  const func = parseFunction(`func main() -> i32 {
b0:
  %0 = const.i32 value=0
  %20 = const.i32 value=20
  %no = const.i1 value=0
  %l = input.i32 name="length"
  %a = leu.i1 %20, %l
  %b = eq.i1 %l, %20
  branch %b, b1, b3
b1:
  %c = ${condition}
  branch %c, ${ends}
b2:
  jump b4
b3:
  jump b4
b4:
  %p = phi.i1 b2: %a, b3: %no
  %s = select.i32 %p, %0, %20
  return %s
}`)
  const before = printFunction(func)
  const changed = foldKnownPhis(func)
  assert.deepEqual(verifyFunction(func), [])
  assert.equal(changed, printFunction(func) !== before)
  const [arg] = func.blocks.flatMap(b => b.instrs).find(i => i.op === 'phi')!.args
  return arg.op === 'const' ? String(arg.attrs.value) : undefined
}

test('what was branched on is known behind the branch', () => {
  assert.equal(keptAs('not.i1 %a', 'b3, b2'), '1')
  assert.equal(keptAs('not.i1 %a', 'b2, b3'), '0')
})

test('a conjunction that holds says so of its parts, one that fails nothing', () => {
  assert.equal(keptAs('and.i1 %b, %a', 'b2, b3'), '1')
  assert.equal(keptAs('and.i1 %b, %a', 'b3, b2'), undefined)
})

test('a disjunction that fails says so of its parts, one that holds nothing', () => {
  assert.equal(keptAs('or.i1 %b, %a', 'b3, b2'), '0')
  assert.equal(keptAs('or.i1 %b, %a', 'b2, b3'), undefined)
})
