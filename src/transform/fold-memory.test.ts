import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseFunction } from '../ir/parse.js'
import { constOf } from './edit.js'
import { fold } from './fold.js'

/** A function long enough to be remembered, in which nothing is to be folded: x * x * x and so on. */
function chain() {
  const rows = Array.from({ length: 300 }, (_, k) => `  %${k + 1} = mul.i32 %${k}, %0`)
  const text = `func main() -> i32 {\nb0:\n  %0 = input.i32 name="length"\n${rows.join('\n')}\n  return %300\n}\n`
  const func = parseFunction(text)
  assert.equal(fold(func), false)
  return func
}

test('folding finds what was changed since it last looked, and all that follows from it', () => {
  const func = chain()
  const [{ instrs }] = func.blocks
  const zero = { ...instrs[0], id: func.nextId++, op: 'const', args: [], attrs: { value: 0n } }
  instrs.splice(1, 0, zero)
  instrs[150].args = [instrs[149], zero]
  assert.equal(fold(func), true)
  const { term } = func.blocks[0]
  assert.equal(term.op === 'return' && constOf(term.args[0]), 0n)
  assert.equal(fold(func), false)
})

test('it sees that an operand has fewer users', () => {
  const func = chain()
  const [{ instrs }] = func.blocks
  // A swap of a masked swap is one mask, if nobody else needs the inner swap.
  const make = (op: string, args: (typeof instrs)[number][]) => {
    const i = { ...instrs[0], id: func.nextId++, op, args, attrs: {} }
    instrs.push(i)
    return i
  }
  const inner = make('bswap32', [instrs[200]])
  const joined = make('xor', [inner, instrs[201]])
  const outer = make('bswap32', [joined])
  const other = make('add', [joined, outer])
  func.blocks[0].term = { op: 'return', args: [other], targets: [] }
  assert.equal(fold(func), false)
  other.args = [outer, outer]
  assert.equal(fold(func), true)
})
