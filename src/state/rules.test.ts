import { test } from 'node:test'
import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { FieldDecl, RulesDecl } from './declaration.js'
import { packKey } from './field.js'
import { layoutRules, objectIn } from './layout.js'
import { buildTrie } from './lpm.js'
import { stateMemory } from './memory.js'
import { RulesBlock, buildRules } from './rules.js'
import type { RuleRow, RuleRows } from './rules.js'

const ipv4: FieldDecl = { name: 'destination', type: 'u32', bytes: 4, display: 'ipv4' }
const ipv6: FieldDecl = { name: 'destination', type: 'ipv6', bytes: 16, display: 'ipv6' }
const port: FieldDecl = { name: 'port', type: 'u16', bytes: 2 }
const index: FieldDecl = { name: 'key', type: 'u32', bytes: 4 }

const rules = (name: string, kind: RulesDecl['rules'], key: FieldDecl[], capacity = 100): RulesDecl => ({
  kind: 'rules',
  name,
  rules: kind,
  key,
  value: [port],
  capacity,
  scalarKey: false,
  scalarValue: false,
})

/** A rules block at an offset in a larger memory, and a look-up that gives the port, or -1. */
function build(declarations: RulesDecl[], rows: RuleRows) {
  const laidOut = layoutRules(declarations)
  assert.ok(laidOut.ok)
  const { layout } = laidOut
  const built = buildRules(layout, rows, 5n)
  assert.ok(built.ok, built.ok ? '' : built.message)
  const base = 128
  const memory = stateMemory(new ArrayBuffer(base + built.bytes.length))
  memory.bytes.set(built.bytes, base)
  const block = new RulesBlock(memory, base, layout)
  const port = (name: string, key: Uint8Array): number => {
    const slot = block.lookup(name, key)
    if (slot === 0) return -1
    const { offset, value } = objectIn(layout, name)
    return memory.view.getUint16(base + offset + slot + value[0].offset, true)
  }
  return { port, bytes: built.bytes, layout }
}

const v4 = (text: string): Uint8Array => Uint8Array.from(text.split('.'), Number)
const route = (text: string, prefix: number, port: number): RuleRow => ({
  key: [new DataView(v4(text).buffer).getUint32(0)],
  prefix,
  value: [port],
})

test('the longest prefix wins, whatever the order of the rules', () => {
  const table = [
    route('10.1.2.0', 24, 3),
    route('0.0.0.0', 0, 1),
    route('10.1.2.3', 32, 5),
    route('10.0.0.0', 8, 2),
    route('10.1.2.0', 25, 4),
  ]
  for (const rows of [table, table.toReversed()]) {
    const { port } = build([rules('routes', 'lpm', [ipv4])], { routes: rows })
    const ports = ['10.1.2.3', '10.1.2.4', '10.1.2.127', '10.1.2.128', '10.2.0.0', '11.0.0.0', '9.9.9.9']
    assert.deepEqual(
      ports.map(text => port('routes', v4(text))),
      [5, 4, 4, 3, 2, 1, 1],
    )
  }
})

test('bytes of a small longest-prefix table', () => {
  const { bytes, layout } = build([rules('routes', 'lpm', [ipv4], 3)], {
    routes: [route('128.0.0.0', 1, 0x1234), route('10.128.0.0', 9, 7)],
  })
  const view = new DataView(bytes.buffer)
  const words = (from: number, count: number) =>
    Array.from({ length: count }, (_, i) => view.getUint32(from + 4 * i, true))
  assert.equal(layout.size, 128)
  assert.equal(bytes.length, 128 + 2 * 1024)
  assert.deepEqual(words(0, 16), [2, 2, 4, 128, 3, ...Array<number>(11).fill(0)])
  assert.deepEqual(words(64, 4), [0, 0x1234, 7, 0])
  assert.deepEqual(words(128 + 4 * 9, 3), [0, 0x80000001, 0])
  assert.deepEqual(words(128 + 4 * 127, 2), [0, 1])
  assert.deepEqual(words(128 + 1024 + 4 * 127, 2), [0, 2])
})

const vrfRow = (vrf: number, ...rest: Parameters<typeof route>): RuleRow => {
  const { key, ...others } = route(...rest)
  return { ...others, key: [vrf, ...key] }
}

test('keys of several fields: the first ones are exact, the last one is a prefix', () => {
  const key = [{ name: 'vrf', type: 'u16', bytes: 2 } as const, ipv4]
  const { port } = build([rules('routes', 'lpm', key)], {
    routes: [vrfRow(1, '10.0.0.0', 8, 1), vrfRow(2, '0.0.0.0', 0, 2)],
  })
  const of = (vrf: number, text: string) => port('routes', Uint8Array.of(0, vrf, ...v4(text)))
  assert.deepEqual(
    [of(1, '10.9.9.9'), of(1, '11.0.0.0'), of(2, '11.0.0.0'), of(3, '10.9.9.9')],
    [1, -1, 2, -1],
  )
})

const bits = (key: Uint8Array, length: number): string =>
  Array.from(key, byte => byte.toString(2).padStart(8, '0'))
    .join('')
    .slice(0, length)

test('a trie answers as a scan over all prefixes does, for keys of 4 and 16 bytes', () => {
  for (const field of [ipv4, ipv6]) {
    const byte = fc.constantFrom(0, 1, 127, 128, 255)
    const key = fc
      .array(byte, { minLength: field.bytes, maxLength: field.bytes })
      .map(list => Uint8Array.from(list))
    const prefix = fc.record({ key, length: fc.integer({ min: 0, max: 8 * field.bytes }) })
    fc.assert(
      fc.property(fc.array(prefix, { maxLength: 12 }), fc.array(key, { maxLength: 8 }), (list, probes) => {
        const unique = [...new Map(list.map(p => [bits(p.key, p.length), p])).values()]
        const value = (bytes: Uint8Array) =>
          field.type === 'ipv6' ? bytes : new DataView(bytes.buffer).getUint32(0)
        const rows = unique.map((p, i) => ({ key: [value(p.key)], prefix: p.length, value: [i] }))
        const { port } = build([rules('routes', 'lpm', [field])], { routes: rows })
        for (const probe of [...probes, ...unique.map(p => p.key)]) {
          const fitting = unique.filter(p => bits(probe, p.length) === bits(p.key, p.length))
          const best = fitting.toSorted((a, b) => b.length - a.length)[0]
          assert.equal(port('routes', probe), best ? unique.indexOf(best) : -1)
        }
      }),
      { numRuns: 100 },
    )
  }
})

test('an empty trie is one node without answers', () => {
  assert.deepEqual(buildTrie([]), new Uint32Array(256))
})

test('exact and device tables beside two tries', () => {
  const declarations = [
    rules('first', 'lpm', [ipv4]),
    rules('ports', 'hash', [port, ipv4]),
    rules('links', 'devices', [index], 4),
    rules('second', 'lpm', [ipv6]),
  ]
  const {
    port: of,
    bytes,
    layout,
  } = build(declarations, {
    first: [route('10.0.0.0', 8, 1)],
    ports: Array.from({ length: 100 }, (_, i) => ({ key: [i, 77], value: [i + 1] })),
    links: [
      { key: [0], value: [9] },
      { key: [3], value: [0] },
    ],
    second: [{ key: [Uint8Array.of(0x20, 1, ...Array<number>(14).fill(0))], prefix: 16, value: [2] }],
  })
  assert.equal(bytes.length, layout.size + 1024 * (1 + 2))
  assert.equal(of('first', v4('10.1.1.1')), 1)
  assert.equal(of('second', Uint8Array.of(0x20, 1, ...Array<number>(14).fill(7))), 2)
  assert.equal(of('second', new Uint8Array(16)), -1)
  for (let i = 0; i < 100; i++) assert.equal(of('ports', packKey([port, ipv4], 8, [BigInt(i), 77n])), i + 1)
  assert.equal(of('ports', packKey([port, ipv4], 8, [100n, 77n])), -1)
  const link = (i: number) => of('links', packKey([index], 4, [BigInt(i)]))
  assert.deepEqual([0, 1, 3, 4, 0xffffffff].map(link), [9, -1, 0, -1, -1])
})

const says = (declaration: RulesDecl, rows: RuleRow[]): string => {
  const laidOut = layoutRules([declaration])
  assert.ok(laidOut.ok)
  const built = buildRules(laidOut.layout, { [declaration.name]: rows })
  return built.ok ? '' : `${built.table}:${built.line} ${built.message}`
}

const keyRow = (key: number, line: number): RuleRow => ({ key: [key], value: [0], line })

test('rules that do not fit or repeat are refused with their line', () => {
  assert.match(
    says(rules('r', 'hash', [index], 1), [keyRow(1, 2), keyRow(2, 3)]),
    /r:3 2 rules do not fit the capacity 1/,
  )
  assert.match(says(rules('r', 'hash', [index]), [keyRow(1, 2), keyRow(1, 3)]), /r:3 this key is there twice/)
  assert.match(
    says(rules('r', 'devices', [index], 2), [keyRow(2, 2)]),
    /r:2 index 2 is beyond the capacity 2/,
  )
  assert.match(
    says(rules('r', 'devices', [index], 2), [keyRow(1, 2), keyRow(1, 3)]),
    /r:3 index 1 is there twice/,
  )
  const prefixes = [route('10.0.0.0', 8, 1), { ...route('10.9.9.9', 8, 2), line: 7 }]
  assert.match(says(rules('r', 'lpm', [ipv4]), prefixes), /r:7 this prefix is there twice/)
})
