import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseFunction } from '../ir/parse.js'
import { generatePacket, generateProgram, randomOf, sampleShape } from '../ir/generate.js'
import { prepare } from '../ir/interpret.js'
import { ModelState } from '../ir/model.js'
import type { Block, Instr } from '../ir/types.js'
import { blockOf } from './cfg.js'
import type { Interval } from './interval.js'
import { ranges } from './ranges.js'

/** The function's ranges, and its instructions by the comment that names them. */
function analyse(body: string): {
  of: (name: string) => string
  at: (name: string, block: number) => string
} {
  const func = parseFunction(`func f(%x: i32, %y: i64, %c: i1) -> void {\n${body}\n}`)
  const known = ranges(func)
  const find = (name: string): Instr =>
    name === 'x' ? func.params[0] : func.blocks.flatMap((b: Block) => b.instrs).find(i => i.name === name)!
  return {
    of: name => `${known.of(find(name)).lo}..${known.of(find(name)).hi}`,
    at: (name, block) => {
      const { lo, hi } = known.at(find(name), func.blocks[block])
      return `${lo}..${hi}`
    },
  }
}

test('widths of loads, swaps, masks, comparisons', () => {
  const { of } = analyse(`b0:
    %m = packet.mem
    %b = load.i32 %m, %x width=1 offset=0 checked=true ; byte
    %h = load.i32 %m, %x width=2 offset=0 checked=true ; half
    %s = bswap16.i32 %h ; swapped
    %8 = const.i32 value=8
    %u = shl.i32 %b, %8 ; shifted
    %o = or.i32 %u, %b ; joined
    %15 = const.i32 value=15
    %n = and.i32 %x, %15 ; nibble
    %2 = const.i32 value=2
    %l = shl.i32 %n, %2 ; header
    %a = add.i32 %l, %8 ; end
    %q = ltu.i1 %l, %x ; less
    %z = zext.i64 %q ; wide
    %e = select.i32 %q, %n, %8 ; chosen
    %t = bswap32.i32 %b ; high
    return`)
  const expected = {
    byte: '0..255',
    half: '0..65535',
    swapped: '0..65535',
    shifted: '0..65280',
    joined: '0..65535',
    nibble: '0..15',
    header: '0..60',
    end: '8..68',
    less: '0..1',
    wide: '0..1',
    chosen: '0..15',
    high: '0..4278190080',
  }
  for (const [name, range] of Object.entries(expected)) assert.equal(of(name), range, name)
})

test('arithmetic that may wrap is everything, division by a constant is not', () => {
  const { of } = analyse(`b0:
    %8 = const.i32 value=8
    %a = add.i32 %x, %8 ; sum
    %d = divu.i32 %x, %8 ; quotient
    %r = remu.i32 %x, %8 ; rest
    %s = remu.i32 %8, %x ; any
    return`)
  assert.deepEqual(['sum', 'quotient', 'rest', 'any'].map(of), [
    '0..4294967295',
    '0..536870911',
    '0..7',
    '0..8',
  ])
})

test('a test of a difference bounds the minuend, and a mask keeps what bits above it agree in', () => {
  const { at } = analyse(`b0:
    %69 = const.i32 value=69
    %10 = const.i32 value=10
    %15 = const.i32 value=15
    %2 = const.i32 value=2
    %d = sub.i32 %x, %69
    %k = leu.i1 %d, %10
    branch %k, b1, b2
b1:
    %w = and.i32 %x, %15 ; words
    %h = shl.i32 %w, %2 ; header
    return
b2:
    return`)
  assert.deepEqual([at('x', 1), at('words', 1), at('header', 1)], ['69..79', '5..15', '20..60'])
})

test('the condition of a select narrows its choices', () => {
  const { of } = analyse(`b0:
    %14 = const.i32 value=14
    %k = ltu.i1 %14, %x
    %s = select.i32 %k, %14, %x ; clamped
    return`)
  assert.equal(of('clamped'), '0..14')
})

test('branches narrow values where they dominate', () => {
  const { at } = analyse(`b0:
    %10 = const.i32 value=10
    %20 = const.i32 value=20
    %p = ltu.i1 %10, %x
    %q = leu.i1 %x, %20
    %k = and.i1 %p, %q
    branch %k, b1, b2
  b1:
    return
  b2:
    %0 = const.i32 value=0
    %e = eq.i1 %x, %0
    branch %e, b3, b4
  b3:
    return
  b4:
    return`)
  assert.equal(at('x', 1), '11..20')
  assert.equal(at('x', 2), '0..4294967295')
  assert.equal(at('x', 3), '0..0')
  assert.equal(at('x', 4), '1..4294967295')
})

for (const op of ['ltu', 'lts'])
  test(`a counted loop (${op}) is widened and narrowed again`, () => {
    const { of, at } = analyse(`b0:
    %0 = const.i32 value=0
    %1 = const.i32 value=1
    %9 = const.i32 value=1000
    jump b1
  b1:
    %i = phi.i32 b0: %0, b2: %n ; i
    %k = ${op}.i1 %i, %9
    branch %k, b2, b3
  b2:
    %n = add.i32 %i, %1 ; next
    jump b1
  b3:
    return`)
    assert.equal(of('i'), '0..1000')
    assert.equal(of('next'), '1..1000')
    assert.equal(at('i', 2), '0..999')
    assert.equal(at('i', 3), '1000..1000')
  })

test('a loop without a bound is everything', () => {
  const { of } = analyse(`b0:
    %0 = const.i32 value=0
    %1 = const.i32 value=1
    jump b1
  b1:
    %i = phi.i32 b0: %0, b1: %n ; i
    %n = add.i32 %i, %1
    branch %c, b1, b2
  b2:
    return`)
  assert.equal(of('i'), '0..4294967295')
})

test('an edge narrows the operand of the phi it leads to', () => {
  const { of } = analyse(`b0:
    %9 = const.i32 value=9
    %k = ltu.i1 %x, %9
    branch %k, b2, b1
  b1:
    jump b2
  b2:
    %v = phi.i32 b0: %x, b1: %9 ; v
    return`)
  assert.equal(of('v'), '0..9')
})

const inside = (v: bigint, r: Interval): boolean => r.lo <= v && v <= r.hi && (v & ~r.ones) === 0n

test('every value of random functions lies in its range, where it is made and where it is used', () => {
  for (let seed = 0; seed < 120; seed++) {
    const random = randomOf(seed)
    const program = generateProgram(random, { size: 16, shape: sampleShape })
    const [main] = program.functions
    const known = ranges(main)
    const blocks = blockOf(main)
    const values = new Map<Instr, bigint>()
    const tracer = {
      instr(i: Instr, value: unknown): void {
        for (const a of i.op === 'phi' ? [] : i.args) {
          const range = known.at(a, blocks.get(i)!)
          if (a.type !== 'mem') assert.ok(inside(values.get(a)!, range), `seed ${seed}: operand of ${i.op}`)
        }
        if (value === undefined || i.type === 'mem') return
        values.set(i, BigInt(value as number | bigint))
        assert.ok(inside(values.get(i)!, known.of(i)), `seed ${seed}: ${i.op}`)
      },
    }
    const run = prepare(program, 'main', { state: new ModelState(sampleShape), tracer })
    for (let k = 0; k < 12; k++) run({ packet: generatePacket(random, k) })
  }
})
