import assert from 'node:assert/strict'
import { test } from 'node:test'
import { problemsOf } from './description.js'
import { readDescription } from './file.js'
import { setupOf } from './setup.js'
import { oneArm, topologies } from './topologies.js'

test('a description survives its JSON text', () => {
  for (const [name, { description }] of Object.entries(topologies)) {
    assert.deepEqual(readDescription(JSON.stringify(description)), description, name)
    assert.deepEqual(problemsOf(description), [], name)
  }
})

test('whatever is wrong with a text is said with its place, and nothing is thrown', () => {
  const cases: readonly [text: string, problems: RegExp][] = [
    ['{', /it is no JSON/],
    ['null', /it is not an object/],
    ['{}', /namespaces is missing\npairs is missing/],
    ['{"namespaces":[],"pairs":{}}', /namespaces is not an object\npairs is not a list/],
    [
      '{"namespaces":{"a":{"forward":1,"root":2}},"pairs":[]}',
      /namespaces\.a\.forward is not true or false\n.*a\.root is nothing of a lab; it could be forward, routes, detours/,
    ],
    ['{"namespaces":{},"pairs":[{"ends":[{"namespace":"a","device":"b"}]}]}', /a pair has 2 ends, not 1/],
    [
      '{"namespaces":{},"pairs":[{"ends":[{"namespace":"a","device":"b","xdp":"tx"},{"namespace":"a","device":"c"}]}]}',
      /xdp is pass or drop, not tx/,
    ],
    ['{"namespaces":{"__proto__":{}},"pairs":[{"ends":null}]}', /pairs\[0\]\.ends is not a list/],
  ]
  for (const [text, problems] of cases) {
    const read = readDescription(text)
    assert.ok(!('pairs' in read), text)
    assert.match(read.join('\n'), problems)
  }
})

test('a detour is a routing table of its own, and needs a device and an address', () => {
  const setup = setupOf(oneArm(['client', 'server']), name => name)
  assert.deepEqual(setup.routes.get('router'), [
    'route add default via 10.3.0.2 table 100',
    'rule add iif client lookup 100',
    'route add default via 10.3.0.2 table 101',
    'rule add iif server lookup 101',
  ])
  assert.deepEqual(
    setup.fixed.map(({ namespace, device, xdp }) => [namespace, device, xdp]),
    [['router', 'box', 'pass']],
  )
  const wrong = { namespaces: { a: { detours: [{ from: 'eth7', via: 'there' }] } }, pairs: [] }
  assert.deepEqual(problemsOf(wrong), ['a: there is no device eth7 for a detour', "a: 'there' is no address"])
})
