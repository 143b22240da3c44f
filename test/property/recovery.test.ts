import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compile } from '../../src/compile.js'
import type { RecoveryReport } from '../../src/engine/recovery.js'
import { verify } from '../../src/engine/verify.js'
import { buildRules } from '../../src/state/rules.js'
import { strategyWith } from '../../src/strategy/strategies.js'
import { Draw } from './draw.js'
import { randomLosses } from './losses.js'
import { randomProgram, sourceOf } from './program.js'
import { randomRules, randomTraffic, storeOf } from './traffic.js'

// Random programs over a transport that loses frames: every replica ends in the state of the serial run over the
// packets that survived, whatever was lost where. HAIRPIN_SEED=n runs one program.

const given = process.env['HAIRPIN_SEED']
const seeds = given === undefined ? Array.from({ length: 12 }, (_, k) => 101 + k) : [Number(given)]
const recovering = strategyWith('replicated', { recovery: true })!

const total = { cases: 0, detected: 0, recovered: 0, lostEverywhere: 0 }
const note = ({ detected, recovered, lostEverywhere }: RecoveryReport): void => {
  total.cases++
  total.detected += detected
  total.recovered += recovered
  total.lostEverywhere += lostEverywhere
}

for (const seed of seeds)
  test(`seed ${seed}`, async () => {
    const draw = new Draw(seed)
    const { compiled } = compile('random.ts', sourceOf(randomProgram(seed)), { recovery: true })
    if (!compiled?.artifact.recovery) return
    const { program, artifact } = compiled
    const packets = randomTraffic(draw, 40 + draw.below(120))
    const store = storeOf(packets)
    const rules = buildRules(artifact.rulesLayout, randomRules(draw, artifact.rules, packets))
    assert.ok(rules.ok)
    for (let k = 0; k < 8; k++) {
      const workers = 1 + draw.below(16)
      const firstSequence = draw.pick([1n, 2n ** 32n - BigInt(draw.below(100)), 2n ** 40n])
      const { what, loss } = randomLosses(draw, firstSequence, store.count, workers)
      const { cases } = await verify({ program, artifact }, store, {
        strategies: [recovering],
        cores: [workers],
        seed: BigInt(seed + k),
        slabPackets: 1 + draw.below(64),
        firstSequence,
        loss,
        logEntries: 1024,
        ...(artifact.rules.length && { rules: rules.bytes }),
      })
      const [{ divergent, first, recovery, skipped }] = cases
      const where = `${what} lost, ${workers} workers, first number ${firstSequence}`
      assert.equal(skipped, undefined)
      assert.equal(divergent, 0, `${where}: ${first?.what}; rerun with HAIRPIN_SEED=${seed}`)
      assert.equal(recovery!.unrecoverable, 0, where)
      note(recovery!)
    }
  })

test('enough was lost, and both recovered and lost everywhere', t => {
  const { cases, detected, recovered, lostEverywhere } = total
  t.diagnostic(
    `${cases} cases, ${detected} missed, ${recovered} recovered, ${lostEverywhere} lost everywhere`,
  )
  if (given !== undefined) return
  assert.ok(cases >= 40 && recovered > 500 && lostEverywhere > 100)
  assert.equal(detected, recovered + lostEverywhere)
})
