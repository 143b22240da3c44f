// Every row of the operator table, compiled and run on every backend, against its literal results.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { casesOf, mostCases, operatorTable, rowPackets, rowProgram } from '../../src/lang/operator-table.js'
import { compiled, runners } from './runners.js'

for (const { title, rows } of operatorTable)
  test(title, async () => {
    const wrong: string[] = []
    for (const row of rows) {
      const program = compiled(rowProgram(row))
      const { packets, expected } = rowPackets(row)
      for (const runner of runners) {
        const found = await runner.run(program, packets, expected.length)
        casesOf(row).forEach((c, k) => {
          if (found[k] === expected[k]) return
          const text = `${row.expression} at ${row.type}, a = ${c.a}, b = ${c.b}`
          wrong.push(`${runner.name}: ${text}: ${c.result} expected, ${BigInt.asIntN(64, found[k])} found`)
        })
      }
    }
    assert.deepEqual(wrong, [])
  })

test('each row is one of a kind and has cases', () => {
  const all = operatorTable.flatMap(s => s.rows)
  assert.equal(new Set(all.map(r => `${r.operator} ${r.type}`)).size, all.length)
  for (const row of all) assert.ok(casesOf(row).length >= 1 && casesOf(row).length <= mostCases)
})
