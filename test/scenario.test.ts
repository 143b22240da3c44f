// Scenario goldens: every folder of test/scenario/, through the interpreter and the compiled program on one worker and
// replicated on three. What the files mean stands in scenario/case.ts; tools/scenarios.ts writes them.

import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { replicated } from '../src/strategy/replicated.js'
import { single } from '../src/strategy/single.js'
import { runCompiled, runInterpreted, scenarioFolder, subjectOf } from './scenario/case.js'
import type { Outcome, Settings } from './scenario/case.js'

const names = readdirSync(scenarioFolder, { withFileTypes: true })
  .filter(entry => entry.isDirectory())
  .map(({ name }) => name)
  .toSorted()

for (const name of names) {
  const file = (part: string): string => join(scenarioFolder, name, part)
  const settings = JSON.parse(readFileSync(file('settings.json'), 'utf8')) as Settings
  test(`${name}: ${settings.about}`, async () => {
    const steps = readFileSync(file('verdicts.txt'), 'utf8').trimEnd().split('\n')
    const counters = JSON.parse(readFileSync(file('counters.json'), 'utf8')) as Outcome['counters']
    const state = JSON.parse(readFileSync(file('state.json'), 'utf8')) as Outcome['state']
    const subject = subjectOf(settings)
    const check = (outcome: Outcome, how: string): void => {
      steps.forEach((step, i) => {
        const [, verdict] = step.trim().split(/ {2,}/)
        assert.equal(outcome.verdicts[i], verdict, `${how}, packet ${i}: ${step}`)
      })
      assert.equal(outcome.verdicts.length, steps.length)
      assert.deepEqual(outcome.counters, counters, how)
      assert.deepEqual(outcome.state, state, how)
      if (outcome.out) assert.deepEqual(outcome.out, readFileSync(file('out.pcap')), `${how}: out.pcap`)
    }
    check(runInterpreted(subject, file('in.pcap')), 'interpreter')
    const alone = await runCompiled(subject, file('in.pcap'), single, 1)
    assert.ok(alone)
    check(alone, 'single')
    const together = await runCompiled(subject, file('in.pcap'), replicated, 3)
    if (together) check(together, 'replicated on three workers')
  })
}
