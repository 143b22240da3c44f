import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { test } from 'node:test'
import { compile } from '../../compile.js'
import type { Compiled } from '../../compile.js'
import { openCapture } from '../../device/capture.js'
import { loadPackets, PacketStore } from '../../engine/packets.js'
import { buildRules } from '../../state/rules.js'
import { tracePage } from './page.js'
import { trace } from './trace.js'
import type { Trace } from './trace.js'

const root = fileURLToPath(new URL('../../../../', import.meta.url))
const demo = loadPackets((memory, workspace) =>
  openCapture(join(root, 'programs/demo/knocking.pcap'), { memory, workspace }),
)

function compiledProgram(name: string): Compiled {
  return compiledText(readFileSync(join(root, 'programs', name), 'utf8'), name)
}

function compiledText(text: string, name = 'program.ts'): Compiled {
  const { compiled, diagnostics } = compile(name, text)
  assert.deepEqual(diagnostics, [])
  return compiled!
}

function traced(compiled: Compiled, index: number, store: PacketStore = demo): Trace {
  const built = buildRules(compiled.artifact.rulesLayout, {})
  assert.ok(built.ok)
  return trace(compiled, store, index, { capture: 'knocking.pcap', seed: 1n, rules: built.bytes })
}

/** Lines with their values, one string each. */
const story = ({ steps }: Trace): string[] =>
  steps.map(
    s =>
      `${s.continued ? '…' : s.source[0].trim()}${s.outcome ? ` -> ${s.outcome}` : ''}` +
      (s.values.length ? `  [${s.values.map(v => `${v.expression}: ${v.value}`).join('; ')}]` : ''),
  )

test('the third knock opens the door', () => {
  const found = traced(compiledProgram('port-knocking.ts'), 30)
  assert.deepEqual(story(found).slice(3), [
    'const before = knocks.get(ip.source) ?? CLOSED_1  [ip.source: 198.51.100.7; knocks.get(ip.source): found: 2; before: 2]',
    'const state = next(before, tcp.destinationPort)  [tcp.destinationPort: 7003]',
    'if (state === OPEN) return OPEN -> no  [state === OPEN: 2 === 3: false]',
    'if (state === CLOSED_1 && knock === first) return CLOSED_2 -> no  [state === CLOSED_1: 2 === 0: false]',
    'if (state === CLOSED_2 && knock === second) return CLOSED_3 -> no  [state === CLOSED_2: 2 === 1: false]',
    'if (state === CLOSED_3 && knock === third) return OPEN -> yes  [state === CLOSED_3: 2 === 2: true; knock === third: 7003 === 7003: true]',
    '…  [state: 3]',
    'if (!knocks.set(ip.source, state)) refused.add() -> no  [ip.source: 198.51.100.7; knocks.set(ip.source, state): found ← 3]',
    'if (state !== OPEN) return Verdict.Drop -> no  [state !== OPEN: 3 !== 3: false]',
    'if (before !== OPEN) opened.add() -> yes  [before !== OPEN: 2 !== 3: true; opened.add(): + 1]',
    'return Verdict.Transmit',
  ])
  assert.deepEqual(found.state, [{ object: 'knocks', where: '198.51.100.7', before: 2, after: 3 }])
  assert.deepEqual(found.counters, { opened: 1 })
  assert.equal(found.verdict, 'transmit')
})

test('a rewritten packet is told field by field', () => {
  const found = traced(compiledProgram('source-nat.ts'), 0)
  assert.deepEqual(
    found.rewritten.map(c => [c.field, c.before, c.after]),
    [
      ['ipv4.checksum', '50295', '3717'],
      ['ipv4.source', '10.0.2.15', '192.0.2.1'],
      ['tcp.sourcePort', '37582', '20000'],
      ['tcp.checksum', '49402', '20406'],
    ],
  )
  assert.deepEqual(
    found.state.map(c => c.object),
    ['ports', 'mappings', 'owners'],
  )
})

test('calls of one function are told apart, and loops by their rounds', () => {
  const found = traced(
    compiledText(`import { type Packet, cell, u32, Verdict } from 'hairpin'
const total = cell(u32)
function twice(x: u32): u32 {
  return x * 2
}
export default function sum(packet: Packet): Verdict {
  const a = twice(packet.length)
  const b = twice(a)
  let n: u32 = b
  for (let i = 0; i < 2; i++) {
    n = n + twice(n)
  }
  const same = n
  total.set(same)
  return Verdict.Pass
}
`),
    0,
  )
  assert.deepEqual(story(found), [
    'const a = twice(packet.length)  [packet.length: 74]',
    'return x * 2  [x * 2: 148]',
    'const b = twice(a)',
    'return x * 2  [x * 2: 296]',
    'let n: u32 = b',
    'for (let i = 0; i < 2; i++) { -> yes  [i < 2: 0 < 2: true]',
    'n = n + twice(n)',
    'return x * 2  [x * 2: 592]',
    '…  [n + twice(n): 888; n: ← 888]',
    'for (let i = 0; i < 2; i++) { -> yes  [i: 1; i < 2: 1 < 2: true]',
    'n = n + twice(n)',
    'return x * 2  [x * 2: 1776]',
    '…  [n + twice(n): 2664; n: ← 2664]',
    'for (let i = 0; i < 2; i++) { -> no  [i: 2; i < 2: 2 < 2: false]',
    'const same = n',
    'total.set(same)  [total.set(same): ← 2664]',
    'return Verdict.Pass',
  ])
})

test('an entry that has expired is absent, and the trace says since when', () => {
  const compiled = compiledText(`import { type Packet, seconds, table, u8, u32, Verdict } from 'hairpin'
const seen = table({ key: u32, value: u8, capacity: 8, expire: { after: seconds(2) } })
export default function once(packet: Packet): Verdict {
  if (seen.get(7)) return Verdict.Drop
  seen.set(7, 1)
  return Verdict.Pass
}
`)
  const store = new PacketStore('two')
  store.add(new Uint8Array(60), 60, 0n, 0)
  store.add(new Uint8Array(60), 60, 5_000_000_000n, 0)
  const [look] = traced(compiled, 1, store).steps
  assert.deepEqual(look.values, [
    { expression: 'seen.get(7)', value: 'absent: its entry expired 3000 ms ago' },
  ])
})

test('any packet of any program can be traced, and the page fits its lines', () => {
  for (const name of readdirSync(join(root, 'programs')).filter(n => n.endsWith('.ts'))) {
    const compiled = compiledProgram(name)
    for (const index of [0, 3, 30, 849]) {
      const found = traced(compiled, index)
      assert.ok(found.steps.length > 0, name)
      const page = tracePage(found, false)
      assert.match(page, /^packet \d+ of knocking\.pcap/)
      assert.doesNotMatch(page, /undefined:|\[object|NaN/, name)
      const lines = found.steps.filter(s => !s.continued).map(s => s.line)
      assert.ok(Math.max(...lines) <= compiled.program.source.split('\n').length)
    }
  }
})
