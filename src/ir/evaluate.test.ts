import assert from 'node:assert/strict'
import { test } from 'node:test'
import { evaluatorOf, tableEvaluator, valueOf } from './evaluate.js'
import { ops } from './ops.js'
import type { Type } from './types.js'

const edges: readonly bigint[] = [
  0n,
  1n,
  2n,
  3n,
  7n,
  31n,
  32n,
  33n,
  63n,
  64n,
  65n,
  0x7fn,
  0xffn,
  0x1234n,
  0xffffn,
  0x12345678n,
  0x7fffffffn,
  0x80000000n,
  0x80000001n,
  0xfffffffen,
  0xffffffffn,
  0x100000000n,
  0x0123456789abcdefn,
  0x7fffffffffffffffn,
  0x8000000000000000n,
  0xffffffffffffffffn,
]
const valuesOf = (type: Type): readonly bigint[] => [...new Set(edges.map(v => BigInt(valueOf(type, v))))]

/** All type assignments of an operation: its type and its first operand's. */
function typings(op: string): [Type, Type][] {
  const info = ops[op]
  const scalars: Type[] = ['i1', 'i32', 'i64']
  return info.result.flatMap(result =>
    scalars
      .filter(arg => info.args[0] === 'U' || (info.args[0] === 'T' ? arg === result : arg === info.args[0]))
      .map((arg): [Type, Type] => [result, arg]),
  )
}

test('machine arithmetic and the op table agree on edge values of every operation and type', () => {
  for (const [op, info] of Object.entries(ops)) {
    if (!info.fold || op === 'select') continue
    for (const [type, argType] of typings(op)) {
      const [fast, table] = [evaluatorOf(op, type, argType, {}), tableEvaluator(op, type, argType, {})]
      const operands = valuesOf(argType).map(v => valueOf(argType, v))
      for (const a of operands)
        for (const b of info.args.length > 1 ? operands : [0])
          assert.equal(fast(a, b, 0), table(a, b, 0), `${op}.${type} of ${argType} ${a}, ${b}`)
    }
  }
})

const of = (op: string, a: number, b: number): unknown => evaluatorOf(op, 'i32', 'i32', {})(a, b, 0)

test('the corner cases the language promises', () => {
  const min = 0x80000000
  assert.equal(of('divu', 7, 0), 0)
  assert.equal(of('divs', 7, 0), 0)
  assert.equal(of('remu', 7, 0), 7)
  assert.equal(of('rems', 7, 0), 7)
  assert.equal(of('divs', min, 0xffffffff), min)
  assert.equal(of('rems', min, 0xffffffff), 0)
  assert.equal(of('divs', 0xfffffff9, 2), 0xfffffffd)
  assert.equal(of('rems', 0xfffffff9, 2), 0xffffffff)
  assert.equal(of('shl', 1, 33), 2)
  assert.equal(of('shrs', min, 31), 0xffffffff)
})
