// Random IR programs in the kernel: the verifier accepts every one, and each does what the interpreter does.
//
// HAIRPIN_SEED=n runs one seed; a failure prints it.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assemble } from '../../src/compile.js'
import { printFunction } from '../../src/ir/print.js'
import { randomCase } from '../backend/random-program.js'
import { agree } from './agree.js'
import { withoutPrograms } from './machine.js'

function check(seed: number): void {
  const { program, store } = randomCase(seed)
  const compiled = assemble(program)
  const rules = new Uint8Array(compiled.artifact.rulesLayout.size)
  try {
    agree({ ...compiled, rules }, store, BigInt(seed))
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    assert.fail(`HAIRPIN_SEED=${seed}: ${why}\n${printFunction(program.functions[0])}`)
  }
}

const only = process.env.HAIRPIN_SEED
test('random IR programs: interpreter = kernel', { skip: withoutPrograms }, () => {
  if (only !== undefined) return check(Number(only))
  for (let seed = 1; seed <= 60; seed++) check(seed)
  return undefined
})
