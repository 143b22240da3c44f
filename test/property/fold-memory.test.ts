import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compile } from '../../src/compile.js'
import { fold } from '../../src/transform/fold.js'
import { copyOf } from '../../src/transform/expand/rewrite.js'
import type { Func } from '../../src/ir/types.js'
import { randomProgram, sourceOf } from './program.js'

// Folding looks again only at what changed (transform/fold-memory.ts). Over random programs: how often a copy of the
// function, of which nothing is remembered, still has something to fold. The seeds are fixed, so that it is a count.

/** Instructions from which on functions are remembered. */
const remembered = 200
/** Of folds of such functions, those that may have missed something: what only a branch further up tells. */
const mostMissed = 0.1
/** The same of finished functions; passes after the last fold leave about as much without any memory. */
const mostLeft = 0.08

const hasMore = (func: Func): boolean => fold(copyOf(func))

test('folding that remembers misses little of what folding finds', t => {
  let [folds, missed, finished, left] = [0, 0, 0, 0]
  for (let seed = 1; seed <= 40; seed++) {
    const { compiled } = compile('random.ts', sourceOf(randomProgram(seed)), {
      ways: [],
      observe(pass, func) {
        if (pass !== 'fold' || func.blocks.reduce((n, b) => n + b.instrs.length, 0) < remembered) return
        folds++
        if (hasMore(func)) missed++
      },
    })
    if (!compiled) continue
    for (const func of [compiled.batch.main, ...compiled.batch.callees]) {
      finished++
      if (hasMore(func)) left++
    }
  }
  t.diagnostic(`${missed} of ${folds} folds, ${left} of ${finished} finished functions`)
  assert.ok(folds > 150, `${folds} folds`)
  assert.ok(missed <= mostMissed * folds, `${missed} of ${folds} folds missed something`)
  assert.ok(left <= mostLeft * finished, `${left} of ${finished} finished functions`)
})
