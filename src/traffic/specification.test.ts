import assert from 'node:assert/strict'
import { test } from 'node:test'
import { resolveTrace, TraceError } from './specification.js'
import type { TraceSpecification } from './specification.js'
import { makeTrace } from './trace.js'

function problems(specification: unknown): string {
  try {
    makeTrace(specification as TraceSpecification)
  } catch (error) {
    if (error instanceof TraceError) return error.problems.join('\n')
    throw error
  }
  return ''
}

test('every problem is named, several at once', () => {
  const text = problems({ law: 'zipf', packets: 0.5, seed: -1, colour: 'red', arrival: 'never', ipv6: 2 })
  for (const word of ['zipf', 'packets', 'seed', 'colour', 'arrival', 'ipv6'])
    assert.match(text, new RegExp(word))
  assert.match(text, /university-1/, 'it lists the laws there are')
})

test('what cannot be is refused with its reason', () => {
  const cases: [unknown, RegExp][] = [
    [null, /expected an object/],
    [{}, /law/],
    [{ law: 'uniform' }, /flows or packets/],
    [{ law: 'single', flows: 2 }, /single/],
    [{ law: { unit: 'bits', uniform: [1, 2] }, flows: 1 }, /law.unit/],
    [{ law: { unit: 'bytes', uniform: [5, 2] }, flows: 1 }, /law.uniform/],
    [{ law: { unit: 'bytes', points: [] }, flows: 1 }, /law.points/],
    [{ law: { unit: 'bytes', points: [[0.5, 9], [0.4, 10], [1, 11]] }, flows: 1 }, /entry 1/], // prettier-ignore
    [{ law: { unit: 'bytes', points: [[0.5, 9]] }, flows: 1 }, /last share/],
    [{ law: 'uniform', flows: 10, elephant: 0.6, flood: 0.5 }, /elephant and flood/],
    [{ law: 'uniform', flows: 10, frameMinimum: 300, frameLimit: 200 }, /frameMinimum/],
    [{ law: 'uniform', flows: 10, frameLimit: 70, ipv6: 0.1 }, /84/],
    [{ law: 'uniform', flows: 1000, packets: 100 }, /whole flows need/],
  ]
  for (const [specification, expected] of cases) assert.match(problems(specification), expected)
})

test('defaults are filled in and a law by points is taken', () => {
  const resolved = resolveTrace({ law: { unit: 'packets', points: [[0.5, 10], [1, 1000]] }, flows: 5 }) // prettier-ignore
  assert.equal(resolved.seed, 1)
  assert.equal(resolved.frameMinimum, 64)
  assert.equal(resolved.packets, 0)
  assert.equal(resolved.law.parts.length, 1)
  assert.equal(problems({ law: 'single' }), '')
})

test('a share of UDP is met whatever the law', () => {
  for (const law of ['university-1', 'backbone']) {
    const { parts } = resolveTrace({ law, flows: 10, udp: 0.25 }).law
    const udp = parts.filter(part => part.protocol === 'udp').reduce((sum, part) => sum + part.weight, 0)
    const all = parts.reduce((sum, part) => sum + part.weight, 0)
    assert.ok(Math.abs(udp / all - 0.25) < 1e-9)
  }
})
