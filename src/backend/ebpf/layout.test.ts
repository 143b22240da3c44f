import assert from 'node:assert/strict'
import { test } from 'node:test'
import { layOut } from './layout.js'
import type { Block, Condition, Step } from './machine.js'
import { splitReturns } from './returns.js'

const never: Condition = { uses: [], jump: () => assert.fail('nothing is written here') }
const touch: Step = { uses: [], state: true, write: () => assert.fail('nothing is written here') }

/** Blocks by number, from the targets of each; those in `state` look at state. */
function blocksOf(targets: readonly (readonly number[])[], state: readonly number[] = []): Block[] {
  const blocks = targets.map((_, id): Block => {
    const steps = state.includes(id) ? [touch] : []
    return { id, depth: 0, phis: [], steps, end: { kind: 'return', targets: [] }, preds: [] }
  })
  targets.forEach((to, k) => {
    const [yes, no] = to.map(t => blocks[t])
    if (no) blocks[k].end = { kind: 'branch', condition: never, targets: [yes, no] }
    else if (yes) blocks[k].end = { kind: 'jump', targets: [yes] }
    for (const t of to) blocks[t].preds.push(blocks[k])
  })
  return blocks
}
const order = (blocks: readonly Block[]): number[] => layOut(blocks).map(b => b.id)

test('a malformed packet is out of the way of the state that others touch', () => {
  assert.deepEqual(order(blocksOf([[1, 2], [3], [3], []], [2])), [0, 2, 3, 1])
  assert.deepEqual(order(blocksOf([[1, 2], [3], [3], []], [1])), [0, 1, 3, 2])
})

test('what is found at the first look goes straight on', () => {
  // 0 looks, 1 has found; 2 looks further, 3 has found there, 5 inserts; 4 goes on with any of them.
  const blocks = blocksOf([[1, 2], [4], [3, 5], [4], [], [4]], [0, 2, 4, 5])
  assert.deepEqual(order(blocks), [0, 1, 4, 2, 5, 3])
})

test('every block stands once, loops and ends apart included', () => {
  const blocks = blocksOf([[1], [2, 3], [1], [4, 5], [], []], [2])
  assert.deepEqual(order(blocks).toSorted(), [0, 1, 2, 3, 4, 5])
})

test('a return of a phi is made where its operands are known, and a choice of constants is a branch', () => {
  const blocks = blocksOf([[1, 2], [3], [3], []])
  const [, left, right, end] = blocks
  const [result, chosen] = [{ id: 0 }, { id: 1 }]
  end.phis.push({ dst: result, args: [2n, chosen] })
  end.end = { kind: 'return', result, targets: [] }
  const choice = { condition: never, yes: 1n, no: 3n }
  right.steps.push({ dst: chosen, uses: [], choice, write: touch.write })
  const machine = splitReturns({
    name: 'main',
    params: [],
    largest: 3n,
    exitsFirst: false,
    straight: true,
    blocks,
  })
  assert.deepEqual(left.end, { kind: 'return', result: 2n, targets: [] })
  assert.equal(right.end.kind, 'branch')
  assert.deepEqual(right.steps, [])
  assert.deepEqual(
    right.end.targets.map(({ end: e }) => e.kind === 'return' && e.result),
    [1n, 3n],
  )
  assert.ok(!machine.blocks.includes(end))
})
