import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseFunction } from '../ir/parse.js'
import type { Block, Func } from '../ir/types.js'
import { postorder, predIndex } from './cfg.js'
import { reversePostorder } from '../ir/order.js'
import { controlDependence, settledBranches } from './control-dependence.js'
import { dominanceFrontiers, dominators, postDominators } from './dominators.js'
import { isReducible, loops } from './loops.js'

/** A function whose graph is given as `b0: b1 b2`, one block a line; blocks without targets return. */
function graph(text: string): Func {
  const lines = text
    .trim()
    .split('\n')
    .map(line => {
      const [block, targets] = line.trim().split(':')
      const [a, b] = targets.trim().split(/\s+/)
      const term = b ? `branch %c, ${a}, ${b}` : a ? `jump ${a}` : 'return'
      return `${block}:\n  ${term}`
    })
  return parseFunction(`func g(%c: i1) -> void {\n${lines.join('\n')}\n}`)
}
const namesOf = (func: Func, blocks: Iterable<Block>): string =>
  [...blocks].map(b => `b${func.blocks.indexOf(b)}`).join(' ')

const nested = graph(`
  b0: b1
  b1: b2 b6
  b2: b3 b4
  b3: b5
  b4: b4 b5
  b5: b1
  b6:`)

test('orders', () => {
  assert.equal(namesOf(nested, reversePostorder(nested)), 'b0 b1 b2 b3 b4 b5 b6')
  assert.equal(postorder(nested)[0], nested.blocks[6])
})

test('both edges of one branch to one block have their own place among its predecessors', () => {
  const func = graph('b0: b1 b1\nb1:')
  assert.deepEqual([predIndex(func.blocks[0], 0), predIndex(func.blocks[0], 1)], [0, 1])
})

test('dominators, frontiers, post-dominators', () => {
  const tree = dominators(nested)
  const parents = nested.blocks.map(b =>
    namesOf(
      nested,
      [tree.parent(b)].flatMap(x => x ?? []),
    ),
  )
  assert.deepEqual(parents, ['', 'b0', 'b1', 'b2', 'b2', 'b2', 'b1'])
  assert.ok(tree.dominates(nested.blocks[1], nested.blocks[4]))
  assert.ok(!tree.strictlyDominates(nested.blocks[1], nested.blocks[1]))
  const frontiers = nested.blocks.map(b => namesOf(nested, dominanceFrontiers(nested).get(b)!))
  assert.deepEqual(
    frontiers,
    ['', 'b1', 'b1', 'b5', 'b5 b4', 'b1', ''].map(s => (s === 'b5 b4' ? frontiers[4] : s)),
  )
  assert.deepEqual(new Set(frontiers[4].split(' ')), new Set(['b4', 'b5']))
  const post = postDominators(nested)
  const posts = nested.blocks.map(b =>
    namesOf(
      nested,
      [post.parent(b)].flatMap(x => x ?? []),
    ),
  )
  assert.deepEqual(posts, ['b1', 'b6', 'b5', 'b5', 'b5', 'b1', ''])
})

test('post-dominators of a function that need not end', () => {
  const func = graph('b0: b1 b2\nb1: b1\nb2:')
  const post = postDominators(func)
  assert.deepEqual(
    func.blocks.map(b => post.parent(b)),
    [undefined, undefined, undefined],
  )
})

test('dominators agree with removing a block and looking what is cut off', () => {
  let seed = 7
  const random = (n: number): number => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0
    return (seed >>> 8) % n
  }
  for (let round = 0; round < 200; round++) {
    const n = 2 + random(8)
    const lines = Array.from({ length: n }, (_, k) => {
      const targets = Array.from({ length: random(3) }, () => `b${1 + random(n - 1)}`)
      return `b${k}: ${targets.join(' ')}`
    })
    const func = graph(lines.join('\n'))
    const reach = (without?: Block): Set<Block> => {
      const seen = new Set(func.blocks[0] === without ? [] : [func.blocks[0]])
      for (const b of seen) for (const t of b.term.targets) if (t !== without) seen.add(t)
      return seen
    }
    const all = reach()
    const tree = dominators(func)
    for (const a of all) {
      const rest = reach(a)
      for (const b of all) assert.equal(tree.dominates(a, b), !rest.has(b), lines.join('\n'))
    }
  }
})

test('control dependence', () => {
  const dependence = controlDependence(nested)
  const text = nested.blocks.map(b =>
    dependence
      .get(b)!
      .map(d => `${namesOf(nested, [d.block])}/${d.target}`)
      .join(' '),
  )
  assert.deepEqual(text, ['', 'b1/0', 'b1/0', 'b2/0', 'b2/1 b4/0', 'b1/0', ''])
})

test('settled branches, nearest first', () => {
  const settled = settledBranches(nested)
  const text = nested.blocks.map(b =>
    settled
      .get(b)!
      .map(s => `${namesOf(nested, [s.block])}=${s.value}`)
      .join(' '),
  )
  assert.deepEqual(text, ['', '', 'b1=true', 'b2=true b1=true', 'b1=true', 'b1=true', 'b1=false'])
})

test('loops, outer before inner', () => {
  const [outer, inner] = loops(nested)
  assert.equal(namesOf(nested, [outer.header]), 'b1')
  assert.equal(
    namesOf(
      nested,
      nested.blocks.filter(b => outer.blocks.has(b)),
    ),
    'b1 b2 b3 b4 b5',
  )
  assert.equal(namesOf(nested, inner.latches), 'b4')
  assert.equal(inner.parent, outer)
  assert.equal(inner.depth, 2)
  assert.deepEqual(
    outer.exits.map(e => [namesOf(nested, [e.from]), e.target]),
    [['b1', 1]],
  )
})

test('reducibility', () => {
  assert.ok(isReducible(nested))
  assert.ok(!isReducible(graph('b0: b1 b2\nb1: b2\nb2: b1 b3\nb3:')))
})
