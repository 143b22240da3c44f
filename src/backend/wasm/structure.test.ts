import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { global, i32, if_, local, return_, type Code, type Instr } from './asm.js'
import { check } from './check.js'
import { encode } from './encode.js'
import { reversePostorder, type Graph } from './graph.js'
import { Module } from './module.js'
import { head } from './wat.js'
import { structure, type Emitter } from './structure.js'

type Successors = readonly (readonly number[])[]

function graph(successors: Successors): Graph {
  return { successors, order: reversePostorder(successors) }
}

// --- shape: what the nesting looks like ---------------------------------------------------------------------------

const module = new Module()

/** A node is shown as reading the global `n<node>`, an edge with copies as `e<from>.<index>`. */
function shown(name: string): Instr {
  return global.get(module.constant(name, 'i32', 0))
}

function shape(successors: Successors, copies: readonly string[] = []): string {
  const emitter: Emitter = {
    body: node => shown(`n${node}`),
    exit: () => return_,
    condition: (node, negate) => shown(`${negate ? '!' : '?'}${node}`),
    edge: (node, index) => (copies.includes(`${node}.${index}`) ? shown(`e${node}.${index}`) : []),
  }
  const lines: string[] = []
  const print = (body: readonly Instr[]) => {
    for (const instr of body) {
      const text = head(instr)
        .replaceAll(/global.get|\$/g, '')
        .trim()
      if (instr.kind !== 'block') {
        lines.push(text)
        continue
      }
      lines.push(`${text} {`)
      print(instr.body)
      if (instr.otherwise !== undefined) lines.push('} else {')
      print(instr.otherwise ?? [])
      lines.push('}')
    }
  }
  print(structure(graph(successors), emitter))
  return lines.join(' ')
}

test('a sequence is a sequence', () => {
  assert.equal(shape([[1], [2], []]), 'n0 n1 n2 return')
  assert.equal(shape([[1], [2], []], ['0.0']), 'n0 e0.0 n1 n2 return')
})

test('an if with an arm, with two arms, with copies', () => {
  assert.equal(shape([[1, 2], [2], []]), 'n0 ?0 if { n1 } n2 return')
  assert.equal(shape([[2, 1], [2], []]), 'n0 !0 if { n1 } n2 return')
  assert.equal(shape([[1, 2], [3], [3], []]), 'n0 ?0 if { n1 } else { n2 } n3 return')
  assert.equal(shape([[1, 1], []], ['0.0', '0.1']), 'n0 ?0 if { e0.0 } else { e0.1 } n1 return')
  assert.equal(shape([[1, 1], []], ['0.1']), 'n0 !0 if { e0.1 } n1 return')
  assert.equal(shape([[1, 1], []]), 'n0 n1 return')
})

test('an arm that does not come back does not nest the other', () => {
  assert.equal(shape([[1, 2], [], []]), 'n0 ?0 if { n1 return } n2 return')
  assert.equal(shape([[1, 2], [3, 4], [], [], []]), 'n0 !0 if { n2 return } n1 ?1 if { n3 return } n4 return')
})

test('conditions that fail to one place: a few nest, many do not', () => {
  const few: Successors = [[1, 4], [2, 4], [3, 4], [], []]
  assert.equal(shape(few), 'n0 ?0 if { n1 ?1 if { n2 ?2 if { n3 return } } } n4 return')
  const many = Array.from({ length: 12 }, (_, node) => (node < 10 ? [node + 1, 11] : []))
  assert.match(shape(many), /^n0 block b11 { !0 br_if b11 n1 !1 br_if b11 n2 \?2 if { n3 .* } n11 return$/)
})

test('a while loop: its exit stands behind it', () => {
  assert.equal(shape([[1], [2, 3], [1], []]), 'n0 loop b1 { n1 ?1 if { n2 br b1 } } n3 return')
  assert.equal(shape([[1], [1, 2], []]), 'n0 loop b1 { n1 ?1 br_if b1 } n2 return')
  assert.equal(shape([[1], [1, 2], []], ['1.0']), 'n0 loop b1 { n1 ?1 if { e1.0 br b1 } } n2 return')
  assert.equal(shape([[0]]), 'loop b0 { n0 br b0 } unreachable')
})

test('a loop left in two ways', () => {
  assert.equal(
    shape([[1], [2, 3], [1, 4], [], []]),
    'n0 block b4 { loop b1 { n1 ?1 if { n2 ?2 br_if b1 br b4 } } n3 return } n4 return',
  )
})

test('nested loops, with break and continue', () => {
  // 1 and 2 head the loops; 3 continues the outer or the inner; 4 leaves the outer or continues it
  assert.equal(
    shape([[1], [2], [3, 4], [1, 2], [5, 1], []]),
    'n0 loop b1 { n1 loop b2 { n2 ?2 if { n3 ?3 br_if b1 br b2 } } n4 !4 br_if b1 } n5 return',
  )
})

test('two loops in a row do not nest', () => {
  assert.equal(
    shape([[1], [1, 2], [2, 3], []]),
    'n0 loop b1 { n1 ?1 br_if b1 } loop b2 { n2 ?2 br_if b2 } n3 return',
  )
})

test('leaving two loops at once', () => {
  assert.equal(
    shape([[1], [2, 4], [3, 4], [2, 1], []]),
    'n0 loop b1 { n1 ?1 if { loop b2 { n2 ?2 if { n3 ?3 br_if b2 br b1 } } } } n4 return',
  )
})

test('what cannot be structured is refused', () => {
  assert.throws(() => shape([[1, 2], [2], [1]]), /not reducible: the edge from node \d to \d enters a loop/)
  assert.throws(() => shape([[1, 1, 1], []]), /more than two successors/)
})

// --- meaning: random reducible graphs, run and compared -----------------------------------------------------------

/** Nodes and edges mix their numbers into `h`, which also decides conditions; `fuel` ends what does not end. */
function runGraph(successors: Successors, copies: ReadonlySet<number>, seed: number): number {
  let h = seed | 0
  let fuel = FUEL
  for (let node = 0; ;) {
    if (--fuel === 0) return h
    h = mix(h, node)
    const targets = successors[node]
    if (targets.length === 0) return h
    const index = targets.length === 2 ? 1 - ((h >>> 7) & 1) : 0
    if (copies.has(2 * node + index)) h = mix(h, 1000 + 2 * node + index)
    node = targets[index]
  }
}

const FUEL = 300
const FACTOR = 0x2c1b3c6d

function mix(h: number, value: number): number {
  const product = Math.imul(h ^ value, FACTOR)
  return product ^ (product >>> 13)
}

function compile(successors: Successors, copies: ReadonlySet<number>): Module {
  const m = new Module('random')
  const f = m.func('run', { h: 'i32' }, ['i32'])
  const { h } = f.params
  const fuel = f.local('fuel', 'i32')
  const mixed = (value: number): Code => [
    [local.get(h), i32.const(value), i32.xor, i32.const(FACTOR), i32.mul, local.tee(h)],
    [local.get(h), i32.const(13), i32.shr_u, i32.xor, local.set(h)],
  ]
  const spend = [
    local.get(fuel),
    i32.const(1),
    i32.sub,
    local.tee(fuel),
    i32.eqz,
    if_([local.get(h), return_]),
  ]
  f.emit(
    [i32.const(FUEL), local.set(fuel)],
    structure(graph(successors), {
      body: node => [spend, mixed(node)],
      exit: () => [local.get(h), return_],
      condition: (_, negate) => [
        local.get(h),
        i32.const(7),
        i32.shr_u,
        i32.const(1),
        i32.and,
        negate ? i32.eqz : [],
      ],
      edge: (node, index) => (copies.has(2 * node + index) ? mixed(1000 + 2 * node + index) : []),
    }),
  )
  m.export('run', f)
  return m
}

function agree(successors: Successors, copies: ReadonlySet<number>): void {
  const m = compile(successors, copies)
  assert.deepEqual(check(m), [])
  const run = new WebAssembly.Instance(new WebAssembly.Module(encode(m))).exports['run'] as (
    seed: number,
  ) => number
  for (const seed of [1, 2, 3, 0x12345, -7, 99991, 0x7fff_ffff, -0x8000_0000]) {
    assert.equal(
      run(seed),
      runGraph(successors, copies, seed),
      `seed ${seed} of ${JSON.stringify(successors)}`,
    )
  }
}

/**
 * Every reducible graph comes from a single node by splitting nodes and adding loops to themselves; here each number
 * picks the node and what happens to it.
 */
function grow(choices: readonly number[]): number[][] {
  const successors: number[][] = [[]]
  for (const choice of choices) {
    const node = (choice >>> 4) % successors.length
    const out = successors[node]
    if (choice % 4 === 0 && out.length < 2) out.push(node)
    else if (choice % 4 === 1 && out.length === 1) out.push(out[0])
    else {
      // the new node takes all out-edges, or all but one, and is reached only from the old one
      const fresh = successors.length
      const kept = choice % 4 === 2 ? [] : out.splice((choice >>> 2) % Math.max(1, out.length), 1)
      successors.push(out.slice())
      successors[node] = (choice >>> 3) % 2 === 0 ? [fresh, ...kept] : [...kept, fresh]
    }
  }
  return successors
}

test('random reducible graphs do what the graph does', () => {
  const made = fc.tuple(fc.array(fc.nat(0xffff), { maxLength: 40 }), fc.array(fc.nat(90), { maxLength: 40 }))
  fc.assert(
    fc.property(made, ([choices, copies]) => agree(grow(choices), new Set(copies))),
    { numRuns: 600, seed: 41 },
  )
})

test('no node is emitted twice, and every one that can be reached is', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(0xffff), { maxLength: 60 }), choices => {
      const given = graph(grow(choices))
      const seen: number[] = []
      structure(given, {
        body: node => (seen.push(node), []),
        exit: () => return_,
        condition: () => i32.const(1),
        edge: () => i32.const(1),
      })
      assert.deepEqual(
        seen.toSorted((a, b) => a - b),
        given.order.toSorted((a, b) => a - b),
      )
    }),
    { numRuns: 200, seed: 42 },
  )
})

test('thousands of nodes in a row need no stack', () => {
  const length = 12_000
  const chain = Array.from({ length }, (_, node) => (node + 1 < length ? [node + 1] : []))
  agree(chain, new Set())
  // early exits: every third node returns, every other condition goes on
  const exits = Array.from({ length }, (_, node) =>
    node % 2 === 1 || node + 2 >= length ? [] : [node + 1, node + 2],
  )
  agree(exits, new Set())
  // diamonds: 0 -> 1 | 2 -> 3, 3 -> 4 | 5 -> 6
  const diamonds = Array.from({ length }, (_, node) => {
    if (node + 3 >= length) return []
    return node % 3 === 0 ? [node + 1, node + 2] : [node - (node % 3) + 3]
  })
  agree(diamonds, new Set([2, 3, 8]))
  // conditions that fail to one place
  const checks = Array.from({ length }, (_, node) => (node + 2 < length ? [node + 1, length - 1] : []))
  agree(checks, new Set())
})
