import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as asm from './asm.js'
import {
  block,
  br,
  br_if,
  br_table,
  call,
  drop,
  global,
  i32,
  i64,
  if_,
  label,
  local,
  loop,
  type Code,
  type ValType,
} from './asm.js'
import { assertWellTyped, check } from './check.js'
import { encode } from './encode.js'
import { Module } from './module.js'

/** What the checker says of a body; the engine must agree on whether there is anything to say. */
function reason(
  code: Code,
  results: readonly ValType[] = [],
  prepare: (module: Module) => void = () => {},
): string {
  const m = new Module()
  prepare(m)
  m.func('f', {}, results).emit(code)
  const faults = check(m)
  assert.equal(WebAssembly.validate(encode(m)), faults.length === 0, faults[0]?.reason)
  return faults.length === 0 ? 'well-typed' : `${faults[0].at}: ${faults[0].reason}`
}

test('operands of the wrong type, missing or left over', () => {
  assert.equal(reason([i32.const(1), i64.const(2), i32.add]), '2: i32.add wants i32, the stack has i32 i64')
  assert.equal(reason([i32.const(1), i32.add]), '1: i32.add wants i32, the stack is empty here')
  assert.equal(reason([i32.const(1), block([drop])]), '2: drop wants an operand, the stack is empty here')
  assert.equal(reason([i32.const(1)]), '1: the block ends with i32 left over')
  assert.equal(reason([], ['i64']), '0: the end of the block wants i64, the stack is empty here')
  assert.equal(reason(block('i32', i64.const(1)), []), '2: the end of the block wants i32, the stack has i64')
  assert.equal(
    reason([i32.const(1), i64.const(1), i32.const(1), asm.select, drop]),
    '3: select wants i64, the stack has i32',
  )
})

test('branches take what their target wants', () => {
  const out = label('out')
  assert.equal(
    reason([block(out, 'i32', [i64.const(1), br(out)]), drop]),
    '2: br wants i32, the stack has i64',
  )
  assert.equal(reason([block(out, 'i32', [i32.const(1), i32.const(0), br_if(out)]), drop]), 'well-typed')
  assert.equal(reason(loop(out, { params: [], results: [] }, [i32.const(0), br_if(out)])), 'well-typed')
  const other = label('other')
  const table = [i32.const(0), i32.const(0), br_table([out], other)]
  assert.equal(
    reason([block(out, 'i32', [block(other, table), i32.const(1)]), drop]),
    '4: the targets take different operands',
  )
})

test('code behind a branch takes any operands, but still has types of its own', () => {
  assert.equal(reason([asm.unreachable, i32.add, drop]), 'well-typed')
  assert.equal(
    reason([asm.return_, asm.select, i64.eqz], ['i32']),
    '0: return wants i32, the stack is empty here',
  )
  assert.equal(reason([asm.unreachable, asm.select, i64.eqz], ['i32']), 'well-typed')
  assert.equal(
    reason([asm.unreachable, i32.const(1), i64.eqz], ['i32']),
    '2: i64.eqz wants i64, the stack has i32',
  )
})

test('if', () => {
  assert.equal(reason(if_([])), '0: if wants i32, the stack is empty here')
  assert.equal(
    reason([i32.const(1), if_('i32', [i32.const(1)]), drop]),
    '3: if without else, but with results',
  )
  assert.equal(reason([i32.const(1), if_('i32', i32.const(1), i32.const(2)), drop]), 'well-typed')
})

function withMemory(m: Module): void {
  m.ownMemory({ initial: 1 })
}

test('memory, globals and calls', () => {
  assert.equal(reason([i32.const(0), i32.load(), drop]), '1: the module has no memory')
  assert.equal(reason([i32.const(0), i32.load(), drop], [], withMemory), 'well-typed')
  const m = new Module()
  m.func('f', {}, []).emit(i32.const(1), global.set(m.constant('limit', 'i32', 1)))
  assert.match(check(m)[0].reason, /'limit' is constant/)
})

test('what belongs to another function or module is found, though its index would pass', () => {
  const m = new Module()
  const other = m.func('other', { a: 'i32' }, [])
  const f = m.func('f', { b: 'i32' }, []).emit(local.get(other.params.a), drop)
  assert.ok(WebAssembly.validate(encode(m)))
  assert.match(check(m)[0].reason, /local 'a' is of another function/)
  const n = new Module()
  n.func('g', {}, []).emit(call(f))
  assert.match(check(n)[0].reason, /function 'f' is of another module/)
  const stray = new Module()
  stray.func('h', {}, []).emit(br(label('gone')))
  assert.match(check(stray)[0].reason, /label 'gone' does not enclose/)
})

test('the report shows the instruction among its neighbours and the line that wrote it', () => {
  asm.traceAuthors(true)
  const m = new Module()
  const f = m.func('walk', { at: 'i32' }, ['i32'])
  f.emit(block(label('body'), 'i32', [local.get(f.params.at), i64.const(4), i32.add]))
  asm.traceAuthors(false)
  const [fault] = check(m)
  assert.match(fault.author ?? '', /check\.test\.[jt]s:\d+:\d+$/)
  assert.equal(
    fault.excerpt,
    [
      '      0  block $body (result i32)',
      '      1    local.get $at',
      '      2    i64.const 4',
      '>     3    i32.add',
    ].join('\n'),
  )
  assert.throws(
    () => assertWellTyped(m),
    /function walk, instruction 3: i32.add wants i32.*\n {2}written at .*check\.test/,
  )
})
