import { test } from 'node:test'
import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { FieldDecl, RulesDecl } from './declaration.js'
import { describeProblem, readRules } from './rules-file.js'
import { show, read } from './text.js'

const routes: RulesDecl = {
  kind: 'rules',
  name: 'routes',
  rules: 'lpm',
  key: [{ name: 'destination', type: 'u32', bytes: 4, display: 'ipv4' }],
  value: [
    { name: 'port', type: 'u16', bytes: 2, display: 'port' },
    { name: 'drop', type: 'bool', bytes: 1 },
  ],
  capacity: 3,
  scalarKey: false,
  scalarValue: false,
}

const says = (text: string, format: 'csv' | 'json' = 'csv', declaration = routes): string[] =>
  readRules(text, format, declaration, ['eth0', 'eth1']).problems.map(problem =>
    describeProblem('f', problem),
  )

test('CSV: names in any order, comments, blank lines, quotes, prefixes', () => {
  const text =
    '\ufeff# uplinks\r\nport, destination ,value.drop\r\n\r\n80,10.0.0.0/8,true\r\n "443" , "192.0.2.1",0 \r\n0,0.0.0.0/0,1'
  assert.deepEqual(readRules(text, 'csv', routes), {
    rows: [
      { key: [0x0a000000], prefix: 8, value: [80, true], line: 4 },
      { key: [0xc0000201], prefix: 32, value: [443, false], line: 5 },
      { key: [0], prefix: 0, value: [0, true], line: 6 },
    ],
    problems: [],
  })
})

test('JSON: the same rules, flat or grouped into key and value', () => {
  const flat = '[{"destination": "10.0.0.0/8", "port": 80, "drop": true}]'
  const grouped = '[\n {"key": {"destination": "10.0.0.0\\/8"}, "value": {"port": "80", "drop": 1}}]'
  const row = { key: [0x0a000000], prefix: 8, value: [80, true] }
  assert.deepEqual(readRules(flat, 'json', routes), { rows: [{ ...row, line: 1 }], problems: [] })
  assert.deepEqual(readRules(grouped, 'json', routes), { rows: [{ ...row, line: 2 }], problems: [] })
  assert.deepEqual(readRules(' [ ] ', 'json', routes), { rows: [], problems: [] })
})

test('mistakes in CSV are named with line, column, what was expected and what was found', () => {
  const head = 'destination,port,drop\n'
  assert.deepEqual(says(`${head}10.0.0.300/8,80,true\n10.0.0.1/8, 65536,maybe\n10.0.0.0/33,1,true`), [
    'f:2:1: expected an IPv4 address such as 192.0.2.1 or a prefix of one, found `10.0.0.300/8`',
    'f:3:1: expected zeros beyond bit 8, as in 10.0.0.0/8, found `10.0.0.1/8`',
    'f:3:13: expected a port, 0 to 65535, found `65536`',
    'f:3:19: expected true or false, found `maybe`',
    'f:4:1: expected a prefix length, 0 to 32, found `33`',
  ])
  assert.deepEqual(says(`${head}10.0.0.0/8,80`), ['f:2:1: expected 3 cells as in the first line, found 2'])
  assert.deepEqual(says(`${head}"10.0.0.0/8,80,true\n`), [
    'f:2:1: expected a closing " before the end of the file',
  ])
  assert.deepEqual(says(`${head}"10.0.0.0/8"x,80,true\n`), ['f:2:13: expected a comma, found `x`'])
  assert.deepEqual(says(`${head}10.0.0.0/8,80,true\n10.0.0.0/8,81,true`), [
    'f:3:1: expected each key once, found the key of line 2 again',
  ])
  assert.deepEqual(says(`${head}${[1, 2, 3, 4].map(i => `10.0.0.${i},1,0\n`).join('')}`), [
    'f:5:1: expected at most 3 rules, the capacity of routes',
  ])
})

test('mistakes in the names of fields', () => {
  assert.deepEqual(says('10.0.0.0/8,80,true\n'), [
    'f:1:1: expected a field name (destination, port, drop), found `10.0.0.0/8`',
    'f:1:12: expected a field name (destination, port, drop), found `80`',
    'f:1:15: expected a field name (destination, port, drop), found `true`',
  ])
  assert.deepEqual(says('\n destination,drop'), [
    'f:2:2: expected the fields destination, port, drop; missing: port',
  ])
  assert.deepEqual(says('port,destination,drop,port'), ['f:1:23: expected each field once, found port again'])
  assert.deepEqual(says(''), ['f:1:1: expected a first line of field names: destination,port,drop'])
  const both = { ...routes, value: [{ name: 'destination', type: 'u8', bytes: 1 } as const] }
  assert.deepEqual(says('destination,value.destination\n', 'csv', both), [
    'f:1:1: expected a field name (key.destination, value.destination), found `destination`',
  ])
})

test('mistakes in JSON', () => {
  const good = '"destination": "10.0.0.0/8", "port": 80, "drop": true'
  for (const [text, expected] of [
    ['{}', 'f:1:1: expected a list of rules, [, found `{`'],
    ['[1]', 'f:1:2: expected a rule, {, found `1`'],
    [`[{${good}},]`, 'f:1:58: expected a rule, {, found `]`'],
    [`[{${good}}`, 'f:1:57: expected a comma or ], found the end of the file'],
    [`[{${good}}] x`, 'f:1:59: expected the end of the file, found `x`'],
    ['[{"destination"\n: }]', 'f:2:3: expected a string, a number, true or false, found `}`'],
    ['[{destination: 1}]', 'f:1:3: expected a field name in double quotes'],
    ['[{"destination": null}]', 'f:1:18: expected a string, a number, true or false, found `null`'],
    ['[{"destination": "a\nb"}]', 'f:1:18: expected a string with its closing "'],
    ['[{"destination": "\\q"}]', 'f:1:18: expected a string with its closing "'],
    ['[{"a":{"b":{"c":{"d":{"e":1}}}}}]', 'f:1:22: expected at most 4 objects in one another'],
    [`[{${good.replace('80', '8e1')}}]`, 'f:1:40: expected a port, 0 to 65535, found `8e1`'],
    [
      '[\n{"port": 1, "drop": true}]',
      'f:2:1: expected the fields destination, port, drop; missing: destination',
    ],
  ])
    assert.deepEqual(says(text, 'json'), [expected], text)
})

test('long integers keep all their bits', () => {
  const key: FieldDecl[] = [{ name: 'id', type: 'u64', bytes: 8 }]
  const value: FieldDecl[] = [{ name: 'delta', type: 'i64', bytes: 8 }]
  const table: RulesDecl = { ...routes, rules: 'hash', key, value }
  const { rows } = readRules('[{"id": 18446744073709551615, "delta": -9223372036854775808}]', 'json', table)
  assert.deepEqual(rows, [{ key: [2n ** 64n - 1n], value: [-(2n ** 63n)], line: 1 }])
})

test('what dumps show, rule files read: every type and display', () => {
  const cases: [FieldDecl, unknown, string | number | boolean][] = [
    [{ name: 'f', type: 'u32', bytes: 4, display: 'ipv4' }, 0xc0000201, '192.0.2.1'],
    [{ name: 'f', type: 'u32', bytes: 4, display: 'hex' }, 0xbeef, '0x0000beef'],
    [{ name: 'f', type: 'i32', bytes: 4 }, -5, -5],
    [{ name: 'f', type: 'i32', bytes: 4, display: 'hex' }, -1, '0xffffffff'],
    [{ name: 'f', type: 'u64', bytes: 8 }, 2n ** 63n, '9223372036854775808'],
    [{ name: 'f', type: 'u64', bytes: 8, display: 'mac' }, 0x02005e005301n, '02:00:5e:00:53:01'],
    [
      { name: 'f', type: 'bytes', bytes: 6, display: 'mac' },
      Uint8Array.of(2, 0, 0, 0, 0, 1),
      '02:00:00:00:00:01',
    ],
    [{ name: 'f', type: 'bytes', bytes: 3 }, Uint8Array.of(1, 0xab, 0), '0x01ab00'],
    [
      { name: 'f', type: 'bytes', bytes: 6, display: 'text' },
      Uint8Array.of(71, 92, 0, 84, 0, 0),
      'G\\x5c\\x00T',
    ],
    [{ name: 'f', type: 'ipv6', bytes: 16 }, Uint8Array.of(...Array<number>(15).fill(0), 1), '::1'],
    [{ name: 'f', type: 'bool', bytes: 1 }, true, true],
    [{ name: 'f', type: 'u16', bytes: 2, display: 'port' }, 443, 443],
  ]
  for (const [field, value, shown] of cases) {
    assert.equal(show(field, value as number), shown)
    assert.deepEqual(read(field, String(shown)), value)
  }
  assert.equal(read({ name: 'f', type: 'u32', bytes: 4, display: 'device' }, 'eth1', ['eth0', 'eth1']), 1)
  assert.deepEqual(
    read({ name: 'f', type: 'bytes', bytes: 4, display: 'text' }, 'é'),
    Uint8Array.of(0xc3, 0xa9, 0, 0),
  )
})

test('no text makes the readers throw', () => {
  const pieces = fc.constantFrom(
    '"',
    '\\',
    ',',
    '\n',
    '\r',
    '{',
    '}',
    '[',
    ']',
    ':',
    'destination',
    'port',
    'drop',
    '1',
    '#',
    ' ',
    '/',
    '10.0.0.0/8',
    'true',
    '\ud800',
  )
  const texts = fc.oneof(
    fc.string(),
    fc.array(pieces, { maxLength: 40 }).map(list => list.join('')),
  )
  fc.assert(
    fc.property(texts, fc.constantFrom('csv' as const, 'json' as const), (text, format) => {
      for (const { line, column, message } of readRules(text, format, routes).problems)
        assert.ok(line >= 1 && column >= 1 && message.startsWith('expected '))
    }),
    { numRuns: 600 },
  )
})
