// One source per diagnostic: every entry of the catalogue has an example that triggers exactly its code.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { catalogue, exampleSource } from '../diagnostics/catalogue.js'
import { renderDiagnostics } from '../diagnostics/render.js'
import { compileSource } from './source.js'

for (const [rule, entry] of Object.entries(catalogue))
  test(`${entry.code} ${rule}`, () => {
    const text = exampleSource(entry)
    const { diagnostics, program } = compileSource('example.ts', text)
    assert.deepEqual(
      diagnostics.map(d => d.code),
      [entry.code],
      renderDiagnostics(diagnostics, text),
    )
    assert.equal(program === undefined, entry.severity !== 'warning')
  })

test('codes are unique and in order', () => {
  const codes = Object.values(catalogue).map(e => e.code)
  assert.deepEqual(codes, [...new Set(codes)].toSorted())
})

test("several mistakes are reported in one run, TypeScript's with their own codes", () => {
  const text = [
    "import { type Packet, type u8, Verdict } from 'hairpin'",
    'export default function f(packet: Packet): Verdict {',
    '  const a: u8 = 300',
    '  const b: u8 = packet.ipv4',
    '  while (a < b) {}',
    '  return packet.length == 3 ? Verdict.Drop : Verdict.Pass',
    '}',
  ].join('\n')
  const { diagnostics } = compileSource('several.ts', text)
  assert.deepEqual(
    diagnostics.map(d => d.code),
    ['HP1101', 'TS2322', 'HP1004', 'HP1011'],
  )
})

const codesOf = (condition: string): string[] => {
  const text = [
    "import { EtherType, IpProtocol, type Packet, Verdict } from 'hairpin'",
    'export default function f(packet: Packet): Verdict {',
    '  const ip = packet.ipv4',
    '  if (!ip) return Verdict.Drop',
    `  if (${condition}) return Verdict.Drop`,
    '  return Verdict.Pass',
    '}',
  ].join('\n')
  return compileSource('bug.ts', text).diagnostics.map(d => d.code)
}

test('the two parsing bugs of hand-written XDP tools are compile errors', () => {
  assert.deepEqual(codesOf('ip.protocol === EtherType.Ipv6'), ['TS2367'])
  assert.deepEqual(codesOf('ip.udp && ip.udp.sequenceNumber === 1'), ['TS2339'])
  assert.deepEqual(codesOf('ip.protocol === IpProtocol.Udp'), [])
})
