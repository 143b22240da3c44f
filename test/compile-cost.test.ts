// What a compile costs, counted and not timed: the same on every machine. A change that makes compiling slower by making
// passes run more often, or on more, shows here; so does one that makes lowering wait for the type checker.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { compile } from '../src/compile.js'
import { parseProgram, programOf } from '../src/lang/check.js'
import { Lowering } from '../src/lang/lower/lowering.js'
import { lowerModule } from '../src/lang/lower/module.js'
import { root } from '../tools/sources.js'
import { programNames } from './programs.js'

/** Thousands of instructions that all passes together are shown, for one worker and for all ways of running. */
const ceilings: Readonly<Record<string, readonly [single: number, all: number]>> = {
  'busy-forwarder': [1.8, 2.5],
  'connection-tracker': [32.2, 97],
  'ddos-mitigator': [8, 22.8],
  'dns-flood': [13.1, 24.4],
  forwarder: [1.1, 1.1],
  'heavy-hitter': [10.9, 33],
  'key-value-cache': [25.3, 56],
  'port-knocking': [9.3, 21],
  'prefix-forwarder': [13.5, 13.5],
  router: [15.7, 15.7],
  'source-nat': [36.7, 49.7],
  'token-bucket': [14, 28.9],
}

const textOf = (name: string): string => readFileSync(join(root, `programs/${name}.ts`), 'utf8')

/** Instructions shown to passes, in thousands. */
function shown(name: string, options: Parameters<typeof compile>[2]): number {
  let count = 0
  const { compiled } = compile(name, textOf(name), {
    ...options,
    observe: (_, func) => void (count += func.blocks.reduce((n, b) => n + b.instrs.length, 0)),
  })
  assert.ok(compiled)
  return count / 1000
}

test('every program has a ceiling', () => {
  assert.deepEqual(Object.keys(ceilings).toSorted(), [...programNames])
})

for (const name of programNames)
  test(`${name}: passes see no more than they did, and lowering asks the checker nothing`, () => {
    const [single, all] = ceilings[name]
    const found = [shown(name, { ways: [] }), shown(name, {})]
    assert.ok(found[0] <= single, `one worker: ${found[0]} > ${single}`)
    assert.ok(found[1] <= all, `all ways: ${found[1]} > ${all}`)
    let asked = 0
    const { sourceFile } = parseProgram(name, textOf(name), true)
    const lowering = new Lowering(name, sourceFile, () => {
      asked++
      return programOf(sourceFile).getTypeChecker()
    })
    lowerModule(lowering, sourceFile)
    assert.deepEqual(lowering.diagnostics, [])
    assert.equal(asked, 0)
  })
