import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fitModel, modelError, paperParameters, predicted } from './model.js'

test('the model is the one of appendix A', () => {
  const { t, c2 } = paperParameters['port-knocking']
  assert.equal(predicted({ t, c2 }, 1), 1e3 / 107)
  assert.equal(predicted({ t, c2 }, 7), 7e3 / (107 + 6 * 18))
  for (const [name, p] of Object.entries(paperParameters)) {
    // The paper's own table: t is the sum of d and c1, to a nanosecond of rounding.
    assert.ok(Math.abs(p.t - p.d - p.c1) <= 1, name)
    // Section 3.2: t is 4.3 to 9.7 times c2.
    assert.ok(p.t / p.c2 > 4.2 && p.t / p.c2 < 9.8, name)
  }
})

test('a fit finds parameters that made the costs, and d splits t', () => {
  const costs = [1, 2, 4].map(workers => ({ workers, nanoseconds: 90 + 12 * (workers - 1) }))
  const fitted = fitModel(costs, 70)
  assert.ok(Math.abs(fitted.t - 90) < 1e-9 && Math.abs(fitted.c2 - 12) < 1e-9)
  assert.ok(Math.abs(fitted.c1 - 20) < 1e-9 && fitted.d === 70)
  const rates = [7, 14].map(workers => ({ workers, mpps: 1.1 * predicted(fitted, workers) }))
  const { mean, most } = modelError(fitted, rates)
  assert.ok(Math.abs(mean - (1 - 1 / 1.1)) < 1e-9 && Math.abs(most - mean) < 1e-9)
})
