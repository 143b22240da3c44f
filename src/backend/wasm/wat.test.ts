import assert from 'node:assert/strict'
import { test } from 'node:test'
import wabt from 'wabt'
import { block, br, br_if, call, data, i32, i64, label, local, loop, memory, return_ } from './asm.js'
import { check } from './check.js'
import { encode } from './encode.js'
import { Module } from './module.js'
import { everyInstruction } from './samples.js'
import { printFunc, printModule } from './wat.js'

const features = { threads: true, bulk_memory: true, simd: true, sign_extension: true, multi_value: true }

/** The text must assemble, with an independent tool, to the bytes of the encoder up to the name section. */
async function agrees(module: Module): Promise<void> {
  const parsed = (await wabt()).parseWat('module.wat', printModule(module), features)
  // the tool's types leave out that validation, too, must be told the features
  const { validate } = parsed as { validate(this: object, enabled: object): void }
  validate.call(parsed, features)
  const theirs = Buffer.from(parsed.toBinary({ canonicalize_lebs: true }).buffer)
  parsed.destroy()
  const ours = Buffer.from(encode(module))
  assert.equal(ours.subarray(0, theirs.length).toString('hex'), theirs.toString('hex'))
  assert.equal(ours[theirs.length] ?? 0, 0, 'only custom sections follow')
}

test('every instruction: the text assembles to the same bytes, and the engine accepts them', async () => {
  const module = everyInstruction()
  assert.deepEqual(check(module), [])
  assert.ok(WebAssembly.validate(encode(module)))
  await agrees(module)
})

test('a function reads as text', () => {
  const m = new Module('m')
  m.importMemory('env', 'memory', { initial: 1, maximum: 1, shared: true })
  const f = m.func('count down', { n: 'i32' }, ['i64'])
  const sum = f.local('sum', 'i64')
  const next = label('next')
  f.emit(
    loop(next, [
      [local.get(sum), i32.const(8), i64.load(0x100, 1), i64.add, local.set(sum)],
      [local.get(f.params.n), i32.const(-1), i32.add, local.tee(f.params.n), br_if(next)],
    ]),
    [local.get(sum), i64.const(-1), br(f.exit)],
  )
  assert.equal(
    printFunc(m, f),
    `(func $count_down (type 0) (param $n i32) (result i64)
  (local $sum i64)
  loop $next
    local.get $sum
    i32.const 8
    i64.load offset=256 align=1
    i64.add
    local.set $sum
    local.get $n
    i32.const -1
    i32.add
    local.tee $n
    br_if $next
  end
  local.get $sum
  i64.const -1
  br 0
)
`,
  )
})

test('names that clash, are missing or are odd still give text that assembles', async () => {
  const m = new Module('odd (name)')
  m.ownMemory({ initial: 1 })
  const host = m.importFunc('env', 'f', { a: 'i32' }, [])
  const f = m.func('f', { x: 'i32' }, ['i32'])
  const unnamed = m.func('', { '': 'i32' }, [])
  const sameName = f.local('x', 'i32')
  const noName = f.local('', 'i64')
  const outer = label('l')
  const inner = label('l')
  f.emit(
    block(outer, block(inner, [i32.const(0), br_if(outer), i32.const(0), br_if(inner), block([br(outer)])])),
    [local.get(f.params.x), local.set(sameName), i64.const(1), local.set(noName)],
    [local.get(sameName), call(host), local.get(sameName), call(unnamed)],
    block([i32.const(5), return_]),
    local.get(sameName),
  )
  m.importGlobal('env', '"quoted"', 'i64')
  m.global('', 'i32', 7)
  m.constant('é', 'i64', 1n << 62n)
  m.export('a "b" \u00e9', f)
  m.export('memory', 'memory')
  const passive = m.passiveData('', new Uint8Array(3))
  m.data('here', 16, new TextEncoder().encode('a"\\\n'))
  unnamed.emit([i32.const(0), i32.const(0), i32.const(3), memory.init(passive)], data.drop(passive))
  m.custom('note', new Uint8Array(4))
  assert.deepEqual(check(m), [])
  await agrees(m)
})
