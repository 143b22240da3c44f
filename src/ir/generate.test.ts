import assert from 'node:assert/strict'
import { test } from 'node:test'
import { generatePacket, generateProgram, randomOf, sampleShape } from './generate.js'
import type { GenerateOptions } from './generate.js'
import { prepare } from './interpret.js'
import { ModelState } from './model.js'
import { ops } from './ops.js'
import { parseFunction } from './parse.js'
import { printFunction } from './print.js'
import { verifyProgram } from './verify.js'

const options: GenerateOptions = {
  size: 20,
  shape: sampleShape,
  itemBytes: 16,
  settings: ['limit'],
  counters: ['odd'],
}

test('random functions verify, survive the round trip through text, run, and use every operation', () => {
  const used = new Set<string>(['param', 'call', 'state.load', 'state.store', 'state.add'])
  const results = new Set<unknown>()
  for (let seed = 0; seed < 150; seed++) {
    const random = randomOf(seed)
    const program = generateProgram(random, options)
    assert.deepEqual(verifyProgram(program), [], `seed ${seed}`)
    const [main] = program.functions
    const text = printFunction(main)
    assert.equal(printFunction(parseFunction(text)), text, `seed ${seed}`)
    for (const block of main.blocks) for (const i of block.instrs) used.add(i.op)
    const run = prepare(program, 'main', { state: new ModelState(sampleShape) })
    for (let k = 0; k < 10; k++)
      results.add(run({ packet: generatePacket(random, k), item: new Uint8Array(16) }))
  }
  assert.deepEqual(
    Object.keys(ops).filter(op => !used.has(op)),
    [],
  )
  assert.ok(results.size > 100)
})

const textOf = (seed: number): string => printFunction(generateProgram(randomOf(seed), options).functions[0])

test('equal seeds give equal functions', () => {
  assert.equal(textOf(5), textOf(5))
})
