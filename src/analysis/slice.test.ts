import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseFunction } from '../ir/parse.js'
import { isSlice, sliceState } from './slice.js'
import type { Slice } from './slice.js'
import type { Refusal } from './refusal.js'

/** A function over a packet whose bytes are all there: reads are checked, so no length test is needed. */
function sliced(body: string): Slice | Refusal {
  return sliceState(
    parseFunction(`func main() -> i32 {\nb0:\n  %m = packet.mem\n  %0 = const.i32 value=0\n${body}\n}`),
  )
}

/** `name bits@offset` of each field. */
function fields(body: string): string[] {
  const slice = sliced(body)
  if (!isSlice(slice)) return [slice.kind]
  return slice.item.fields.map(f => `${f.name} ${f.bits}@${f.offset}`)
}

const load = (value: string, width: number, offset: number, name: string): string =>
  `  %${value} = load.i32 %m, %0 width=${width} offset=${offset} checked=true ; ${name}\n`
const store = (value: string): string => `  array.store %0, %${value} object="a" field="value" part=0\n`

test('a program without state has an empty item and no effect', () => {
  assert.deepEqual(fields(`${load('x', 4, 0, 'x')}  return %x`), [])
})

test('what is stored is metadata, what only decides the verdict is not', () => {
  assert.deepEqual(fields(`${load('x', 4, 0, 'x')}${load('y', 4, 4, 'y')}${store('x')}  return %y`), [
    'x 32@0',
  ])
})

test('a narrow value behind wide ones is cut', () => {
  const body = `${load('x', 4, 0, 'x')}${load('y', 4, 4, 'y')}  %s = xor.i32 %x, %y
  %15 = const.i32 value=15
  %n = and.i32 %s, %15 ; nibble
${store('n')}  return %0`
  assert.deepEqual(fields(body), ['nibble 4@0'])
})

test('the raw load is cut rather than its swap', () => {
  const slice = sliced(`${load('x', 4, 0, 'raw')}  %s = bswap32.i32 %x ; swapped\n${store('s')}  return %0`)
  assert.ok(isSlice(slice))
  assert.equal(slice.item.fields[0].name, 'raw')
})

test('the sequence number and settings are not carried', () => {
  const body = `  %q = input.i64 name="sequence"
  %t = trunc.i32 %q
  %l = setting.i32 name="limit"
  %s = add.i32 %t, %l
${store('s')}  return %0`
  assert.deepEqual(fields(body), [])
})

/** if (x == 6) … behind it. */
const guarded = (then: string): string => `${load('x', 1, 0, 'protocol')}  %6 = const.i32 value=6
  %c = eq.i1 %x, %6
  branch %c, yes, no
yes:
${then}  jump no
no:
  return %0`

test('the effect bit is not carried again, nor what it implies', () => {
  assert.deepEqual(fields(guarded(store('6'))), [])
  assert.deepEqual(fields(guarded(`${load('y', 2, 2, 'y')}${store('y')}`)), ['y 16@0'])
  assert.deepEqual(fields(guarded(store('x'))), [])
})

test('a choice between two effects takes one bit', () => {
  const body = `${load('x', 1, 0, 'protocol')}  %6 = const.i32 value=6
  %c = eq.i1 %x, %6
  branch %c, yes, no
yes:
${store('6')}  jump end
no:
${store('0')}  jump end
end:
  return %0`
  assert.deepEqual(fields(body), ['protocol == 6 1@0'])
})

test('fields of exclusive packets share bits', () => {
  const body = `${load('x', 1, 0, 'version')}  %4 = const.i32 value=4
  %c = eq.i1 %x, %4
  branch %c, four, six
four:
${load('s', 4, 1, 'source4')}${store('s')}  jump end
six:
  %w = load.i64 %m, %0 width=8 offset=1 checked=true ; source6
  array.store %0, %w object="b" field="value" part=0
  jump end
end:
  return %0`
  assert.deepEqual(fields(body), ['source6 64@0', 'source4 32@0', 'version == 4 1@64'])
})

test('a nested decision behind state is one bit', () => {
  const body = `  %v = array.load.i32 %0 object="a" field="value" part=0
  %t = ne.i1 %v, %0
  branch %t, look, end
look:
${load('x', 1, 0, 'x')}${load('y', 1, 1, 'y')}  %7 = const.i32 value=7
  %c = ltu.i1 %x, %7
  branch %c, more, other
more:
  %d = ltu.i1 %y, %7
  branch %d, both, other
both:
${store('7')}  jump end
other:
${store('0')}  jump end
end:
  return %0`
  assert.deepEqual(
    fields(body).map(f => f.replace(/^.* (?=\d)/, '')),
    ['1@0'],
  )
})

test('a read behind state at one of a few places is hoisted', () => {
  const body = `  %v = array.load.i32 %0 object="a" field="value" part=0
  %1 = const.i32 value=1
  %i = and.i32 %v, %1
  %x = load.i32 %m, %i width=1 offset=9 checked=true ; option
${store('x')}  return %0`
  assert.deepEqual(fields(body), ['option 8@0', 'option 8@8'])
})

test('a read anywhere behind state is refused', () => {
  const body = `  %v = array.load.i32 %0 object="a" field="value" part=0
  %x = load.i32 %m, %v width=1 offset=9 checked=true
${store('x')}  return %0`
  assert.deepEqual(fields(body), ['state-address'])
})

test('a read behind a write of other bytes is of the packet as received', () => {
  const after = (offset: number): string => `  %n = store.mem %m, %0, %0 width=4 offset=${offset}
  %x = load.i32 %n, %0 width=2 offset=4 checked=true ; x
${store('x')}  return %0`
  assert.deepEqual(fields(after(0)), ['x 16@0'])
  assert.deepEqual(fields(after(6)), ['x 16@0'])
  assert.deepEqual(fields(after(2)), ['packet-written'])
})

test('a read of what was just written is that value', () => {
  const body = `${load('y', 2, 8, 'y')}  %n = store.mem %m, %0, %y width=2 offset=4
  %x = load.i32 %n, %0 width=2 offset=4 checked=true
${store('x')}  return %0`
  assert.deepEqual(fields(body), ['y 16@0'])
})

test('what the packet adds to state meets before state does', () => {
  const body = `  %v = array.load.i32 %0 object="a" field="value" part=0
${load('x', 4, 0, 'x')}${load('y', 4, 4, 'y')}  %s = xor.i32 %v, %x
  %t = xor.i32 %s, %y
${store('t')}  return %0`
  assert.deepEqual(fields(body), ['x ^ y 32@0'])
})

test('a loop over state stays a loop', () => {
  const slice = sliced(`${load('n', 1, 0, 'n')}  %v = array.load.i32 %0 object="a" field="value" part=0
  %1 = const.i32 value=1
  jump head
head:
  %i = phi.i32 b0: %0, body: %j
  %s = phi.i32 b0: %v, body: %t
  %c = ltu.i1 %i, %n
  branch %c, body, end
body:
  %t = mul.i32 %s, %s
  %j = add.i32 %i, %1
  jump head
end:
${store('s')}  return %0`)
  assert.ok(isSlice(slice))
  assert.deepEqual(
    slice.item.fields.map(f => f.name),
    ['n'],
  )
  assert.ok(slice.advance.blocks.some(b => b.preds.length > 1 && b.instrs.some(i => i.op === 'phi')))
})

test('a loop over the packet is computed before the cut', () => {
  const body = (exit: string): string => `${load('n', 1, 0, 'n')}  %1 = const.i32 value=1
  %8 = const.i32 value=8
  jump head
head:
  %i = phi.i32 b0: %0, body: %j
  %s = phi.i32 b0: %0, body: %t ; sum
  %c = ltu.i1 %i, %n
  branch %c, body, ${exit}
body:
  %b = load.i32 %m, %i width=1 offset=1 checked=true
  %t = add.i32 %s, %b
  %j = add.i32 %i, %1
  jump head
end:
${store('s')}  return %0`
  assert.deepEqual(fields(body('end')), ['sum 32@0'])
})

test('writing behind a header of variable length leaves what stands before it as received', () => {
  const body = `${load('v', 1, 14, 'version')}  %l = input.i32 name="length"
  %14 = const.i32 value=14
  %69 = const.i32 value=69
  %10 = const.i32 value=10
  %15 = const.i32 value=15
  %2 = const.i32 value=2
  %54 = const.i32 value=54
  %d = sub.i32 %v, %69
  %s = leu.i1 %d, %10
  %w = and.i32 %v, %15
  %h = shl.i32 %w, %2
  %e = add.i32 %14, %h
  %f = add.i32 %e, %2
  %g = leu.i1 %f, %l
  %ok = and.i1 %s, %g
  branch %ok, yes, no
yes:
  %n = store.mem %m, %e, %0 width=2 offset=0
  %x = load.i32 %n, %14 width=4 offset=12 checked=true ; source
${store('x')}  jump no
no:
  return %0`
  assert.deepEqual(fields(body), ['source 32@0'])
})

test('what a rule table says is looked up before the cut, behind state too', () => {
  const slice = sliced(`${load('x', 4, 0, 'x')}  %v = array.load.i32 %0 object="a" field="value" part=0
  %t = ne.i1 %v, %0
  branch %t, look, end
look:
  %r = rules.lookup.i32 %x object="routes"
  %f = ne.i1 %r, %0
  branch %f, found, end
found:
  %d = rules.load.i32 %r object="routes" field="device" part=0
${store('d')}  jump end
end:
  return %0`)
  assert.ok(isSlice(slice))
  assert.deepEqual(slice.rules, ['routes'])
  assert.deepEqual(
    slice.item.fields.map(f => f.name),
    ['routes.device'],
  )
})
