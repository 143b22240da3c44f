import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FieldDecl, StateObject } from '../../state/declaration.js'
import { layoutRules, layoutState } from '../../state/layout.js'
import type { ObjectLayout } from '../../state/layout.js'
import { Btf } from './btf.js'
import { readBtf, sizeOfType } from './btf-read.js'
import type { BtfType } from './btf-read.js'
import { fieldType, objectType } from './map-types.js'
import { environment } from './maps.js'

const field = (name: string, type: FieldDecl['type'], bytes: number): FieldDecl => ({ name, type, bytes })

const flows = {
  kind: 'table',
  name: 'flows',
  key: [field('source', 'u32', 4), field('port', 'u16', 2)],
  value: [field('packets', 'u64', 8), field('open', 'bool', 1)],
  capacity: 100,
  evict: 'oldest',
  expire: { after: 10, unit: 's' },
  scalarKey: false,
  scalarValue: false,
} as const

const objects: StateObject[] = [
  flows,
  { kind: 'array', name: 'tally', value: [field('value', 'u64', 8)], length: 3, scalarValue: true },
  { kind: 'array', name: 'last', value: [field('at', 'u32', 4)], length: 1, scalarValue: false, cell: true },
  { kind: 'pool', name: 'ports', first: 1000, last: 1009 },
]
const rules: StateObject[] = [
  { ...flows, kind: 'rules', name: 'acl', rules: 'hash' },
  {
    kind: 'rules',
    name: 'routes',
    rules: 'lpm',
    key: [field('to', 'u32', 4)],
    value: [field('value', 'u32', 4)],
    capacity: 5,
    scalarKey: true,
    scalarValue: true,
  },
  {
    kind: 'rules',
    name: 'devices',
    rules: 'devices',
    key: [field('index', 'u32', 4)],
    value: [field('value', 'u32', 4)],
    capacity: 4,
    scalarKey: true,
    scalarValue: true,
  },
]

function layouts(): ObjectLayout[] {
  const state = layoutState(objects.filter(o => o.kind !== 'rules'))
  const tables = layoutRules(rules.filter(o => o.kind === 'rules'))
  assert.ok(state.ok && tables.ok)
  return [...state.layout.objects, ...tables.layout.objects]
}

function read(btf: Btf): readonly BtfType[] {
  const result = readBtf(btf.bytes())
  assert.ok(result.ok, result.ok ? '' : result.error)
  return result.btf.types
}

test('every object has a type of its own size, and members that do not overlap', () => {
  for (const layout of layouts()) {
    const btf = new Btf()
    const id = objectType(btf, layout)
    const types = read(btf)
    assert.equal(sizeOfType(types, id), layout.size, layout.name)
    for (const type of types) {
      if (type.kind !== 'struct') continue
      let end = 0
      for (const { name, type: of, offset } of type.members) {
        assert.ok(offset >= end, `${type.name}.${name} begins at ${offset}, before ${end}`)
        end = offset + sizeOfType(types, of)
      }
      assert.ok(end <= type.size, `${type.name} ends at ${end}, beyond ${type.size}`)
    }
  }
})

test("a table's entry has the key in network order and the value by name", () => {
  const btf = new Btf()
  objectType(btf, layouts()[0])
  const types = read(btf)
  const named = (name: string): BtfType & { kind: 'struct' } => {
    const found = types.find(t => t.kind === 'struct' && t.name === name)
    assert.ok(found?.kind === 'struct', name)
    return found
  }
  const shape = (name: string): string[] =>
    named(name).members.map(m => {
      const type = types[m.type]
      return `${m.offset} ${m.name} ${'name' in type ? type.name : type.kind}`
    })
  assert.deepEqual(shape('flows_key'), ['0 source be32', '4 port be16'])
  assert.deepEqual(shape('flows_value'), ['0 packets u64', '8 open bool'])
  assert.deepEqual(shape('flows_entry'), [
    '0 tag u32',
    '4 touched_time u32',
    '8 touched_sequence u32',
    '12 key flows_key',
    '24 value flows_value',
  ])
})

test('the maps of a program have types of the size of their values', () => {
  const { maps } = environment({
    objects: layouts(),
    rulesBytes: 0x4000,
    settings: ['limit', 'window'],
    counters: ['refused'],
    cpus: 3,
    inputs: 'kernel',
    cpu: 'v3',
  })
  const btf = new Btf()
  const ids = maps.map(m => m.valueType(btf))
  const types = read(btf)
  assert.deepEqual(
    ids.map(id => sizeOfType(types, id)),
    maps.map(m => m.valueSize),
  )
})

test('fields have the types of docs/state.md', () => {
  const btf = new Btf()
  const all = [
    fieldType(btf, field('a', 'i32', 4), 'value'),
    fieldType(btf, field('a', 'ipv6', 16), 'key'),
    fieldType(btf, field('a', 'u8', 1), 'key'),
    fieldType(btf, field('a', 'i64', 8), 'key'),
    btf.spinLock(),
  ]
  const types = read(btf)
  assert.deepEqual(types[all[0]], { kind: 'int', name: 'i32', size: 4, encoding: 'signed' })
  assert.equal(sizeOfType(types, all[1]), 16)
  assert.deepEqual(types[all[2]], { kind: 'int', name: 'u8', size: 1, encoding: 'unsigned' })
  assert.deepEqual(types[all[3]], { kind: 'typedef', name: 'be64', type: all[3] - 1 })
  assert.equal(sizeOfType(types, all[4]), 4)
})
