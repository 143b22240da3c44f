// Random IR programs with state objects that every backend can lay out, and random packets for them.

import { PacketStore } from '../../src/engine/packets.js'
import { generatePacket, generateProgram, randomOf, sampleShape } from '../../src/ir/generate.js'
import type { FieldShape } from '../../src/ir/model.js'
import type { Program, Type } from '../../src/ir/types.js'
import type { FieldDecl, FieldType, StateObject } from '../../src/state/declaration.js'

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
      rules: r.devices ? 'devices' : 'hash',
      // In the kernel, look-ups in maps of its own as well.
      ...(!r.devices && { map: 'hash' }),
      key: r.devices ? [{ name: 'index', type: 'u32', bytes: 4 }] : keyOf(r.key),
      value: valueOf(r.fields),
      capacity: 4,
      ...scalar,
    })),
  ]
}

/** The program and the packets of a seed. */
export function randomCase(seed: number): { program: Program<StateObject>; store: PacketStore } {
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
  return { program, store }
}
