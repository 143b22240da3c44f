import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FunctionBuilder } from './builder.js'
import { IrSyntaxError, parseFunction, parseFunctions } from './parse.js'
import { printFunction } from './print.js'

const loop = `func main(%p0: i32, %p1: i64) -> i32 {
b0:
  %0 = packet.mem
  %1 = const.i32 value=4294967295
  %2 = load.i32 %0, %p0 width=2 offset=12 checked=true  ; etherType; "quoted"
  table.store %2, %p1 object="a b, \\"c\\"; d" field="count" part=0
  count %p1 counter="malformed"
  jump b1
b1:
  %3 = phi.i32 b1: %4, b0: %2
  %4 = add.i32 %3, %1
  %5 = eq.i1 %4, %1
  branch %5, b2, b1
b2:
  return %4
}`

test('what was printed is read back', () => {
  const func = parseFunction(loop)
  assert.equal(printFunction(func), loop)
  assert.equal(func.blocks[0].instrs[2].name, 'etherType; "quoted"')
  assert.equal(func.blocks[0].instrs[1].attrs.value, 0xffffffffn)
  assert.deepEqual(func.blocks[0].instrs[2].attrs, { width: 2, offset: 12, checked: true })
  assert.equal(func.blocks[0].instrs[3].attrs.object, 'a b, "c"; d')
})

test('predecessors stand in the order of the first phi, other phis follow', () => {
  const text = loop
    .replace('%5 = eq', '%6 = phi.i32 b0: %1, b1: %6\n  %5 = eq')
    .replace(/(%4 = add.*\n)(.*phi.*\n)/, '$2$1')
  const func = parseFunction(text)
  const [first, second] = func.blocks[1].instrs
  assert.deepEqual(func.blocks[1].preds, [func.blocks[1], func.blocks[0]])
  assert.equal(first.args[1], func.blocks[0].instrs[2])
  assert.equal(second.args[0], second)
})

test('a built function survives the round trip', () => {
  const b = new FunctionBuilder('main', ['i32'], 'i32')
  const [then, join] = [b.block(), b.block()]
  const v = b.variable('i32', 'best')
  b.write(v, b.const('i32', 3))
  b.branch(b.emit('ltu', [b.func.params[0], b.const('i32', 9)]), then, join)
  b.seal(then)
  b.at(then)
  b.write(v, b.emit('bswap16', [b.func.params[0]]))
  b.jump(join)
  b.seal(join)
  b.at(join)
  b.return([b.read(v)])
  const text = printFunction(b.finish())
  assert.equal(printFunction(parseFunction(text)), text)
})

test('several functions, comments and empty lines', () => {
  const text = `; two\nfunc a() -> void {\nb0:\n\n  ; nothing\n  return\n}\n\nfunc b() -> void {\nb0:\n  unreachable\n}\n`
  assert.deepEqual(
    parseFunctions(text).map(f => f.name),
    ['a', 'b'],
  )
})

const wrong: readonly (readonly [name: string, body: string, line: number, message: RegExp])[] = [
  ['unknown operation', 'b0:\n  %0 = frob.i32\n  return', 3, /unknown operation frob/],
  ['undefined value', 'b0:\n  return %9', 3, /%9 is not defined/],
  ['undefined block', 'b0:\n  jump b7', 3, /b7 is not defined/],
  ['value defined twice', 'b0:\n  %0 = packet.mem\n  %0 = packet.mem\n  return', 4, /defined twice/],
  ['block defined twice', 'b0:\n  return\nb0:\n  return', 4, /b0 is defined twice/],
  ['no label', '  return', 2, /label/],
  ['no terminator', 'b0:\n  %0 = packet.mem\nb1:\n  return', 4, /no terminator/],
  ['text after the terminator', 'b0:\n  return\n  return', 4, /nothing may follow/],
  ['attribute of the wrong type', 'b0:\n  %0 = const.i32 value="3"\n  return', 3, /attribute of type bigint/],
  ['phi without a predecessor', 'b0:\n  jump b1\nb1:\n  %0 = phi.i32\n  return', 0, /every predecessor/],
  ['branch with two operands', 'b0:\n  %0 = const.i1 value=1\n  branch %0, b0', 4, /branch takes 3/],
]
for (const [name, body, line, message] of wrong)
  test(`error with its line: ${name}`, () => {
    assert.throws(
      () => parseFunction(`func f() -> void {\n${body}\n}`),
      (e: unknown) => e instanceof IrSyntaxError && e.line === line && message.test(e.message),
    )
  })

test('a missing brace is reported', () => {
  assert.throws(() => parseFunction('func f() -> void {\nb0:\n  return'), /missing }/)
})
