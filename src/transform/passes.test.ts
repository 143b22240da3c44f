import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { generatePacket, generateProgram, randomOf, sampleShape } from '../ir/generate.js'
import { prepare } from '../ir/interpret.js'
import { ModelState } from '../ir/model.js'
import { parseFunction } from '../ir/parse.js'
import { printFunction } from '../ir/print.js'
import type { Program } from '../ir/types.js'
import { optimise, passes, runPass } from './optimise.js'
import type { Facts } from './pass.js'

const facts: Facts = {
  fieldBits: (object, field) =>
    [...sampleShape.tables, ...sampleShape.arrays, ...sampleShape.rules]
      .find(o => o.name === object)!
      .fields.find(f => f.name === field)!.width * 8,
  expires: object => sampleShape.tables.find(t => t.name === object)?.expire !== undefined,
}

/** More runs: HAIRPIN_RUNS=10. */
const scale = Number(process.env['HAIRPIN_RUNS'] ?? 1)

/** Everything observable of a program on eight packets. */
function observe(program: Program, seed: number): string {
  const random = randomOf(seed)
  const state = new ModelState(sampleShape)
  const seen: string[] = []
  const count = (name: string, amount: bigint): void => void seen.push(`${name} ${amount}`)
  const run = prepare(program, 'main', { state, count, settings: new Map([['limit', 2n]]) })
  for (let k = 0; k < 8; k++) {
    const packet = generatePacket(random, k)
    const item = Uint8Array.from({ length: 16 }, () => random(4))
    seen.push(`${run({ packet, item })} ${packet.bytes.join()} ${item.join()}`)
  }
  return [...seen, state.dump()].join('\n')
}

/** Function and program as they were, for comparison: passes work in place. */
const copyOf = (program: Program): Program => ({
  ...program,
  functions: program.functions.map(f => parseFunction(printFunction(f))),
})

/** Random programs compute the same before and after `change`. */
function same(change: (program: Program) => void, runs: number): void {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 31 - 1 }), fc.integer({ min: 3, max: 28 }), (seed, size) => {
      const options = { size, shape: sampleShape, itemBytes: 16, settings: ['limit'], counters: ['odd'] }
      const program = generateProgram(randomOf(seed), options)
      const before = copyOf(program)
      change(program)
      assert.equal(observe(program, seed), observe(before, seed), printFunction(before.functions[0]))
    }),
    { numRuns: runs * scale },
  )
}

for (const name of Object.keys(passes))
  test(`${name} keeps what random functions compute`, () => {
    same(program => void runPass(program.functions[0], name, { check: true, facts }), 40)
  })

test('a pass that says it changed nothing has changed nothing, so that it need not be run again', () => {
  let idle = 0
  same(program => {
    const [func] = program.functions
    for (const name of [...Object.keys(passes), ...Object.keys(passes)]) {
      const before = printFunction(func)
      if (runPass(func, name, { facts })) continue
      idle++
      assert.equal(printFunction(func), before, name)
    }
  }, 40)
  assert.ok(idle > 0)
})

test('the pipeline keeps what random functions compute', () => {
  same(program => optimise(program.functions[0], { check: true, facts }), 100)
})

test('the pipeline without facts keeps what random functions compute', () => {
  same(program => optimise(program.functions[0], { check: true }), 30)
})
