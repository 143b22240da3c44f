// Random IR programs through the whole back half of the compiler: optimised, sliced, expanded, lowered to WebAssembly,
// run by every strategy on virtual workers, and compared with the interpreter on the IR as generated.
//
// HAIRPIN_SEED=n runs one seed; a failure prints it.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assemble } from '../../src/compile.js'
import { PacketStore } from '../../src/engine/packets.js'
import { verify } from '../../src/engine/verify.js'
import { generatePacket, generateProgram, randomOf, sampleShape } from '../../src/ir/generate.js'
import type { FieldShape } from '../../src/ir/model.js'
import { printFunction } from '../../src/ir/print.js'
import type { Program, Type } from '../../src/ir/types.js'
import type { FieldDecl, FieldType, StateObject } from '../../src/state/declaration.js'
import { allStrategies } from '../../src/strategy/strategies.js'

const typeOfWidth: Readonly<Record<number, FieldType>> = { 1: 'u8', 2: 'u16', 4: 'u32', 8: 'u64' }
const valueOf = (fields: readonly FieldShape[]): FieldDecl[] =>
  fields.map(({ name, width }) => ({ name, type: typeOfWidth[width], bytes: width }))
const keyOf = (types: readonly Type[]): FieldDecl[] =>
  types.map((t, k) => ({ name: `k${k}`, type: t === 'i64' ? 'u64' : 'u32', bytes: t === 'i64' ? 8 : 4 }))

/** The declarations that sampleShape stands for. */
function declarations(): StateObject[] {
  const scalar = { scalarKey: false, scalarValue: false }
  const { tables, arrays, pools, rules } = sampleShape
  return [
    ...tables.map((t): StateObject => ({
      kind: 'table',
      name: t.name,
      key: keyOf(t.key),
      value: valueOf(t.fields),
      capacity: t.capacity,
      evict: t.evict,
      ...(t.expire && { expire: { after: t.expire.after, unit: 'ns' } }),
      ...scalar,
    })),
    ...arrays.map((a): StateObject => ({
      kind: 'array',
      name: a.name,
      value: valueOf(a.fields),
      length: a.length,
      scalarValue: false,
    })),
    ...pools.map((p): StateObject => ({ kind: 'pool', ...p })),
    ...rules.map((r): StateObject => ({
      kind: 'rules',
      name: r.name,
      rules: 'hash',
      key: keyOf(r.key),
      value: valueOf(r.fields),
      capacity: 4,
      ...scalar,
    })),
  ]
}

async function check(seed: number): Promise<void> {
  const random = randomOf(seed)
  const generated = generateProgram(random, {
    size: 12 + random(30),
    shape: sampleShape,
    settings: ['limit'],
    counters: ['seen'],
  })
  const program = { ...generated, objects: declarations() } as Program<StateObject>
  const store = new PacketStore('random')
  for (let i = 0; i < 60; i++) {
    const p = generatePacket(random, i + 1)
    store.add(p.bytes, p.originalLength, BigInt(i) * 7n, p.device)
  }
  const { artifact } = assemble(program)
  const rules = new Uint8Array(artifact.rulesLayout.size)
  const { cases } = await verify({ program, artifact }, store, {
    strategies: allStrategies,
    cores: [1, 3],
    seed: BigInt(seed),
    rules,
  })
  for (const c of cases)
    assert.equal(
      c.divergent,
      0,
      `HAIRPIN_SEED=${seed}: ${c.strategy} ${c.history ?? ''} on ${c.cores}: ${JSON.stringify(c.first)}\n` +
        printFunction(program.functions[0]),
    )
}

const only = process.env.HAIRPIN_SEED
test('random IR programs: interpreter = every strategy', async () => {
  if (only !== undefined) return check(Number(only))
  for (let seed = 1; seed <= 60; seed++) await check(seed)
  return undefined
})
