// Pass tests as text. Each test/ir/PASS/*.ir holds one or more cases:
//
//   ; run: fold, dce          the passes, in order
//   ; why it must be so       any number of comment lines
//   func … { … }              what goes in, one function or more
//   ; expect
//   func … { … }              what must come out
//
// Functions are verified before, between and after. To accept what the passes give now (read the diff!):
//
//   HAIRPIN_BLESS=1 node --test dist/test/ir.test.js

import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { parseFunctions } from '../src/ir/parse.js'
import { printFunction } from '../src/ir/print.js'
import { verifyFunction } from '../src/ir/verify.js'
import { optimise, passes, runPass } from '../src/transform/optimise.js'

const root = resolve(import.meta.dirname, '../../test/ir')
const bless = process.env['HAIRPIN_BLESS'] === '1'
const rerun = 'HAIRPIN_BLESS=1 node --test dist/test/ir.test.js'

interface Case {
  /** From the run line to the expect line, both included. */
  readonly head: string
  readonly input: string
  readonly run: readonly string[]
  readonly expected: string
}

function casesIn(text: string, file: string): Case[] {
  return text.split(/^(?=; run:)/m).map(part => {
    const match = /^; run: (.*)\n([\s\S]*?)^; expect\n([\s\S]*)$/m.exec(part)
    assert.ok(match, `${file}: a case is "; run: PASSES", functions, "; expect", functions`)
    const [, run, input, expected] = match
    const head = part.slice(0, part.length - expected.length)
    return { head, input, run: run.split(',').map(s => s.trim()), expected: expected.trim() }
  })
}

function outcome(c: Case): string {
  const functions = parseFunctions(c.input)
  for (const func of functions) {
    assert.deepEqual(verifyFunction(func), [], 'the input must be valid')
    for (const name of c.run)
      if (name === 'optimise') optimise(func, { check: true })
      else {
        assert.ok(passes[name], `no pass ${name}; there are ${Object.keys(passes).join(', ')}`)
        runPass(func, name, { check: true })
      }
  }
  return functions.map(printFunction).join('\n\n')
}

for (const pass of readdirSync(root).toSorted())
  for (const file of readdirSync(join(root, pass)).toSorted()) {
    const path = join(root, pass, file)
    const cases = casesIn(readFileSync(path, 'utf8'), path)
    if (bless) writeFileSync(path, cases.map(c => `${c.head}${outcome(c)}\n`).join('\n'))
    else
      test(`${pass}/${file}`, () => {
        for (const c of cases)
          assert.equal(outcome(c), c.expected, `if the new text is right, accept it with: ${rerun}`)
      })
  }
