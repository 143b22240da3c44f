import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseFunction, parseFunctions } from './parse.js'
import type { Program } from './types.js'
import { verifyFunction, verifyProgram } from './verify.js'

const header = 'func f(%a: i32, %c: i1) -> i32 {\n'
const messages = (body: string): string => verifyFunction(parseFunction(`${header}${body}\n}`)).join('\n')

test('a sound function gives no messages', () => {
  const body = `b0:
    %m = packet.mem
    %l = input.i32 name="length"
    %n = const.i32 value=14
    %ok = leu.i1 %n, %l
    branch %ok, b1, b3
  b1:
    %t = load.i32 %m, %a width=2 offset=0 checked=false
    %s = store.mem %m, %a, %t width=1 offset=3
    branch %c, b2, b3
  b2:
    %u = load.i32 %s, %a width=4 offset=0 checked=true
    jump b3
  b3:
    %r = phi.i32 b0: %a, b1: %t, b2: %u
    return %r`
  assert.equal(messages(body), '')
})

const wrong: readonly (readonly [name: string, body: string, message: RegExp])[] = [
  [
    'operand type',
    'b0:\n %0 = zext.i64 %c\n %1 = add.i32 %a, %0\n return %1',
    /operand 1 must be i32, not i64/,
  ],
  ['operand count', 'b0:\n %1 = add.i32 %a\n return %1', /2 operands expected, found 1/],
  ['shared operand types', 'b0:\n %1 = eq.i1 %a, %c\n return %a', /one type, not i32 and i1/],
  ['result type', 'b0:\n %1 = bswap16.i64 %a\n return %a', /result cannot be i64/],
  ['no widening', 'b0:\n %1 = zext.i32 %a\n return %a', /must widen/],
  ['missing attribute', 'b0:\n %1 = const.i32\n return %1', /attribute value must be a bigint/],
  ['foreign attribute', 'b0:\n %1 = add.i32 %a, %a offset=3\n return %1', /no attribute offset/],
  ['constant too large', 'b0:\n %1 = const.i32 value=4294967296\n return %1', /does not fit i32/],
  ['unknown input', 'b0:\n %1 = input.i32 name="colour"\n return %1', /no input colour/],
  [
    'width',
    'b0:\n %0 = packet.mem\n %1 = load.i64 %0, %a width=4 offset=0 checked=true\n return %a',
    /4 bytes are not read as i64/,
  ],
  ['width of a store', 'b0:\n item.store %a width=8 offset=0\n return %a', /i32 has no 8 bytes/],
  ['return type', 'b0:\n return %c', /must return \(i32\), not \(i1\)/],
  ['condition', 'b0:\n branch %a, b1, b1\nb1:\n return %a', /condition must be i1/],
  [
    'use before definition',
    'b0:\n %1 = add.i32 %2, %a\n %2 = add.i32 %a, %a\n return %1',
    /%1 does not dominate/,
  ],
  [
    'use on another path',
    'b0:\n branch %c, b1, b2\nb1:\n %1 = add.i32 %a, %a\n jump b2\nb2:\n return %1',
    /return %0: %0 does not/,
  ],
  [
    'phi operand',
    'b0:\n branch %c, b1, b2\nb1:\n %1 = add.i32 %a, %a\n jump b2\nb2:\n %2 = phi.i32 b0: %1, b1: %1\n return %2',
    /does not dominate/,
  ],
  [
    'phi after other instructions',
    'b0:\n jump b1\nb1:\n %1 = add.i32 %a, %a\n %2 = phi.i32 b0: %a\n return %2',
    /before other/,
  ],
  ['unreachable block', 'b0:\n return %a\nb1:\n return %a', /b1 is unreachable/],
  ['entry with predecessors', 'b0:\n jump b0', /entry has predecessors/],
  [
    'stale version',
    `b0:
      %m = packet.mem
      %l = input.i32 name="length"
      %k = ltu.i1 %a, %l
      branch %k, b1, b2
    b1:
      %s = store.mem %m, %a, %a width=1 offset=0
      %t = load.i32 %m, %a width=1 offset=0 checked=true
      return %t
    b2:
      return %a`,
    /%0 is not the packet's version here/,
  ],
  [
    'version that only one path made',
    `b0:
      %m = packet.mem
      %l = input.i32 name="length"
      %k = ltu.i1 %a, %l
      branch %k, b1, b2
    b1:
      %s = store.mem %m, %a, %a width=1 offset=0
      jump b2
    b2:
      %t = load.i32 %m, %a width=1 offset=0 checked=true
      return %t`,
    /not the packet's version/,
  ],
  [
    'unchecked access without a look at the length',
    `b0:
      %m = packet.mem
      branch %c, b1, b2
    b1:
      %t = load.i32 %m, %a width=1 offset=0 checked=false
      return %t
    b2:
      return %a`,
    /no branch on the length/,
  ],
]
for (const [name, body, message] of wrong)
  test(`found: ${name}`, () => {
    assert.match(messages(body), message)
  })

test('predecessors must agree with the edges', () => {
  const func = parseFunction(`${header}b0:\n branch %c, b1, b2\nb1:\n jump b2\nb2:\n return %a\n}`)
  func.blocks[2].preds.pop()
  assert.match(verifyFunction(func).join(), /b2 lists the predecessors \[b0\], edges say \[b0 b1\]/)
})

test('a length test whose outcome travels through a phi of constants counts', () => {
  const body = `b0:
      %m = packet.mem
      %l = input.i32 name="length"
      %t = const.i1 value=1
      %f = const.i1 value=0
      %k = ltu.i1 %a, %l
      branch %k, b1, b2
    b1:
      jump b2
    b2:
      %p = phi.i1 b0: %f, b1: %t
      branch %p, b3, b4
    b3:
      %v = load.i32 %m, %a width=1 offset=0 checked=false
      return %v
    b4:
      return %a`
  assert.equal(messages(body), '')
})

test('a program: callees, objects, settings, counters, recursion', () => {
  const functions = parseFunctions(`
func main() -> i32 {
b0:
  %0 = const.i64 value=1
  count %0 counter="lost"
  %1 = call.i32 %0 callee="helper"
  %2 = setting.i32 name="limit"
  %3 = array.load.i32 %2 object="seen" field="n" part=0
  call callee="missing"
  return %3
}
func helper(%p0: i32) -> i32 {
b0:
  %0 = call.i32 %p0 callee="helper"
  return %0
}`)
  const program: Program = {
    name: 'p',
    file: 'p.ts',
    source: '',
    objects: [],
    settings: [],
    counters: [],
    functions,
  }
  const found = verifyProgram(program).join('\n')
  assert.match(found, /no counter lost/)
  assert.match(found, /operands must be \(i32\)/)
  assert.match(found, /no setting limit/)
  assert.match(found, /no state object seen/)
  assert.match(found, /no function missing/)
  assert.match(found, /helper: calls itself/)
})
