import assert from 'node:assert/strict'
import { test } from 'node:test'
import { allocate } from './allocate.js'
import { affinities, coalesce } from './coalesce.js'
import { frequencies } from './frequency.js'
import { interference } from './liveness.js'
import type { Block, Machine, Step, Value } from './machine.js'

const write: Step['write'] = () => assert.fail('nothing is written here')
const define = (dst: Value, ...uses: Value[]): Step => ({ dst, uses, write })

/** Two ways that give a phi its operand; `used` are needed after it. */
function joined(values: { left: Value; right: Value; phi: Value }, used: readonly Value[]): Machine {
  const { left, right, phi } = values
  const end: Block = {
    id: 3,
    depth: 0,
    phis: [{ dst: phi, args: [left, right] }],
    steps: [{ uses: used, write }],
    end: { kind: 'return', result: phi, targets: [] },
    preds: [],
  }
  const way = (id: number, value: Value, before: readonly Value[]): Block => ({
    id,
    depth: 0,
    phis: [],
    steps: [...before.map(v => define(v)), define(value)],
    end: { kind: 'jump', targets: [end] },
    preds: [],
  })
  const blocks = [way(1, left, used.includes(left) ? [] : used), way(2, right, [])]
  end.preds.push(...blocks)
  const head: Block = {
    id: 0,
    depth: 0,
    phis: [],
    steps: [],
    end: {
      kind: 'branch',
      condition: { uses: [], jump: write },
      targets: [blocks[0], blocks[1]],
    },
    preds: [],
  }
  for (const b of blocks) b.preds.push(head)
  return {
    name: 'f',
    params: [],
    exitsFirst: false,
    straight: true,
    largest: 0n,
    blocks: [head, ...blocks, end],
  }
}

test('a phi shares its register with both operands', () => {
  const values = { left: { id: 1 }, right: { id: 2 }, phi: { id: 3 } }
  const { location } = allocate(joined(values, []))
  assert.deepEqual(location(values.left), location(values.phi))
  assert.deepEqual(location(values.right), location(values.phi))
})

test('not with one that is needed beside it', () => {
  const values = { left: { id: 1 }, right: { id: 2 }, phi: { id: 3 } }
  const machine = joined(values, [values.left])
  const often = frequencies(machine)
  const graph = interference(machine, often)
  const joinedUp = coalesce(graph, affinities(machine, often), { either: 8, kept: 4 })
  const leader = (v: Value): number => joinedUp.leader(graph.nodeOf(v))
  assert.notEqual(leader(values.left), leader(values.phi))
  assert.equal(leader(values.right), leader(values.phi))
  const { location } = allocate(machine)
  assert.notDeepEqual(location(values.left), location(values.phi))
})
