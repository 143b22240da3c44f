/**
 * How often compiled programs compare with the packet's end: on any way through the code at most once for a header, and
 * once more where a header says itself how long it is (IPv4, TCP), because that must be read before it can be checked.
 */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isLabel } from '../../src/backend/ebpf/asm.js'
import type { Code, Instruction } from '../../src/backend/ebpf/asm.js'
import { classes, jumps, sources } from '../../src/backend/ebpf/opcodes.js'
import { compile } from '../../src/compile.js'
import { bytecode } from '../kernel/machine.js'

/** Comparisons of two registers by size: in code without state, those of a pointer with data_end, and no others. */
const isCheck = ({ code }: Instruction): boolean =>
  (code & 7) === classes.jmp &&
  (code & sources.reg) !== 0 &&
  [jumps.jgt, jumps.jge, jumps.jlt, jumps.jle].some(j => j === (code & 0xf0))

/** The most checks on a way from the first instruction to an exit; the code has no loops. */
function mostChecks(code: Code): number {
  const places = new Map(code.flatMap((item, k) => (isLabel(item) ? [[item.label, k] as const] : [])))
  const known = new Map<number, number>()
  const from = (k: number): number => {
    let most = known.get(k)
    if (most !== undefined) return most
    const item = code[k]
    if (isLabel(item)) most = from(k + 1)
    else {
      const operation = item.code & 0xf0
      const isJump = (item.code & 7) === classes.jmp && operation !== jumps.call
      const next = isJump && (operation === jumps.ja || operation === jumps.exit) ? [] : [k + 1]
      if (isJump && item.target) next.push(places.get(item.target.label)!)
      most = Math.max(0, ...next.map(from)) + (isCheck(item) ? 1 : 0)
    }
    known.set(k, most)
    return most
  }
  return from(0)
}

function checksOf(body: string): number {
  const text = `import { type Packet, Verdict } from 'hairpin'\nexport default function f(packet: Packet): Verdict {${body}}`
  const { compiled, diagnostics } = compile('f.ts', text)
  assert.ok(compiled, diagnostics.map(d => d.message).join('\n'))
  return mostChecks(bytecode(compiled).code.functions[0].code)
}

// Ethernet, two VLAN tags, and the headers named; headers of variable length count twice.
const cases: readonly [name: string, checks: number, body: string][] = [
  ['Ethernet', 1, 'return packet.ethernet?.type === 0x800 ? Verdict.Pass : Verdict.Drop'],
  [
    'IPv4',
    5,
    'const ip = packet.ipv4; if (!ip) return Verdict.Drop; return ip.source === ip.destination && ip.ttl > 3 ? Verdict.Pass : Verdict.Drop',
  ],
  [
    'TCP over IPv4',
    7,
    'const tcp = packet.ipv4?.tcp; if (!tcp) return Verdict.Drop; return tcp.destinationPort === 80 && tcp.syn && tcp.window > 5 ? Verdict.Pass : Verdict.Drop',
  ],
]

for (const [name, checks, body] of cases)
  test(`${name}: no header is checked twice`, () => {
    const found = checksOf(body)
    assert.ok(found <= checks, `${found} checks, not ${checks}`)
  })
