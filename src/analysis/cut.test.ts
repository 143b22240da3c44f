import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { minimumCut } from './cut.js'
import type { CutGraph } from './cut.js'

/** True if no path leads from a source to a sink around the removed nodes. */
function separates(graph: CutGraph, removed: ReadonlySet<number>): boolean {
  const seen = new Set(graph.sources.filter(v => !removed.has(v)))
  for (const v of seen) for (const w of graph.successors[v]) if (!removed.has(w)) seen.add(w)
  return !graph.sinks.some(v => seen.has(v))
}

/** The cheapest separating set, by trying all of them. */
function byForce(graph: CutGraph): number {
  let best = Infinity
  for (let set = 0; set < 1 << graph.weights.length; set++) {
    const nodes = graph.weights.flatMap((_, v) => ((set >> v) & 1 ? [v] : []))
    const weight = nodes.reduce((sum, v) => sum + graph.weights[v], 0)
    if (weight < best && separates(graph, new Set(nodes))) best = weight
  }
  return best
}

const diamond = (weights: number[]): CutGraph => ({
  weights,
  successors: [[1, 2], [3], [3], []],
  sources: [0],
  sinks: [3],
})

test('a cut takes the narrow waist', () => {
  assert.deepEqual(minimumCut(diamond([8, 1, 2, 8])), { nodes: [1, 2], weight: 3 })
  assert.deepEqual(minimumCut(diamond([2, 1, 2, 8])), { nodes: [0], weight: 2 })
})

test('of equal cuts the one nearest the sinks', () => {
  assert.deepEqual(minimumCut(diamond([4, 2, 2, 4])), { nodes: [3], weight: 4 })
})

test('a node of no weight is free, one of infinite weight is never cut', () => {
  assert.deepEqual(minimumCut(diamond([9, 0, 1, Infinity])), { nodes: [1, 2], weight: 1 })
  assert.equal(minimumCut(diamond([Infinity, 1, Infinity, Infinity])), undefined)
})

test('nothing to separate costs nothing', () => {
  assert.deepEqual(minimumCut({ weights: [5], successors: [[]], sources: [], sinks: [0] }), {
    nodes: [],
    weight: 0,
  })
})

const graphs = fc.integer({ min: 1, max: 9 }).chain(n =>
  fc.record({
    weights: fc.array(fc.oneof(fc.integer({ min: 0, max: 9 }), fc.constant(Infinity)), {
      minLength: n,
      maxLength: n,
    }),
    edges: fc.array(fc.tuple(fc.nat(n - 1), fc.nat(n - 1)), { maxLength: 20 }),
    sources: fc.uniqueArray(fc.nat(n - 1), { maxLength: 3 }),
    sinks: fc.uniqueArray(fc.nat(n - 1), { maxLength: 3 }),
  }),
)

test('the cut separates and nothing cheaper does', () => {
  fc.assert(
    fc.property(graphs, ({ weights, edges, sources, sinks }) => {
      const successors = weights.map((_, v) => edges.flatMap(([a, b]) => (a === v && b > v ? [b] : [])))
      const graph = { weights, successors, sources, sinks }
      const cut = minimumCut(graph)
      assert.equal(cut?.weight ?? Infinity, byForce(graph))
      if (cut) assert.ok(separates(graph, new Set(cut.nodes)))
    }),
    { numRuns: 300 },
  )
})
