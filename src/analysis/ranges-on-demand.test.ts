import assert from 'node:assert/strict'
import { test } from 'node:test'
import { generateProgram, randomOf, sampleShape } from '../ir/generate.js'
import { parseFunction } from '../ir/parse.js'
import { printFunction } from '../ir/print.js'
import { RangesOnDemand, zeroIn } from './ranges-on-demand.js'
import { ranges } from './ranges.js'

test('one value at a time gives what all at once gives, or says that it takes a loop', () => {
  const answers = { zero: 0, other: 0, either: 0, loop: 0 }
  for (let seed = 0; seed < 60; seed++) {
    const options = {
      size: 4 + (seed % 24),
      shape: sampleShape,
      itemBytes: 16,
      settings: ['limit'],
      counters: ['odd'],
    }
    const [func] = generateProgram(randomOf(seed), options).functions
    const all = ranges(func)
    for (const value of func.blocks.flatMap(b => b.instrs)) {
      if (value.type === 'mem' || value.type === 'void') continue
      // A new one each time, so that nothing is known from an earlier question.
      const found = new RangesOnDemand(func).isZero(value)
      answers[found === undefined ? 'either' : found === 'loop' ? 'loop' : found ? 'zero' : 'other']++
      if (found !== 'loop') assert.equal(found, zeroIn(all.of(value)), `${value.id}\n${printFunction(func)}`)
    }
  }
  for (const [answer, count] of Object.entries(answers)) assert.ok(count > 0, `${answer} never came up`)
})

test('what one operand of a phi settles takes no loop', () => {
  const func = parseFunction(`func f(%x: i32, %y: i1) -> i32 {
b0:
    %1 = const.i32 value=1
    jump b1
b1:
    %i = phi.i32 b0: %x, b1: %n ; from x
    %j = phi.i32 b0: %1, b1: %m ; from 1
    %n = add.i32 %i, %1
    %m = add.i32 %j, %1
    branch %y, b1, b2
b2:
    return %j
}`)
  const [fromX, fromOne] = func.blocks[1].instrs
  const found = new RangesOnDemand(func)
  assert.equal(found.isZero(fromX), undefined)
  assert.equal(found.isZero(fromOne), 'loop')
})
