// Raw writes to payloads: what a program writes stands in the packet, big-endian, or nothing does.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { prepare } from '../../src/ir/interpret.js'
import { ModelState } from '../../src/ir/model.js'
import { compileSource } from '../../src/lang/source.js'

/** Runs one statement with `payload` in scope on a UDP datagram with 16 payload bytes 0xEE and 2 bytes of padding. */
function after(statement: string): { payload: string; rest: boolean; verdict: unknown } {
  const source = `
    import { type Packet, Verdict } from 'hairpin'
    export default function writer(packet: Packet): Verdict {
      const payload = packet.ipv4?.udp?.payload
      if (!payload) return Verdict.Pass
      const copied = packet.ipv4?.udp?.bytes(0, 7)
      if (!copied) return Verdict.Pass
      return ${statement} ? Verdict.Transmit : Verdict.Drop
    }`
  const { program, diagnostics } = compileSource('writer.ts', source)
  assert.deepEqual(diagnostics, [])
  const bytes = new Uint8Array(14 + 20 + 8 + 16 + 2).fill(0xee)
  bytes.set([0x08, 0x00, 0x45, 0, 0, 44, 0, 0, 0, 0, 64, 17], 12)
  bytes.set([0x10, 0x00, 0x10, 0x00, 0, 24, 0xab, 0xcd], 34)
  const before = bytes.slice()
  const run = prepare(program!, 'main', { state: new ModelState() })
  const packet = { bytes, originalLength: bytes.length, timestamp: 0n, sequence: 0n, device: 6 }
  const verdict = run({ packet })
  const outside = (b: Uint8Array): Uint8Array => Buffer.concat([b.subarray(0, 42), b.subarray(58)])
  return {
    payload: Buffer.from(bytes.subarray(42, 58)).toString('hex'),
    rest: Buffer.compare(outside(bytes), outside(before)) === 0,
    verdict,
  }
}

const untouched = 'ee'.repeat(16)
const cases: readonly (readonly [statement: string, payload: string, verdict: number])[] = [
  ['payload.setU8(0, 0x01)', `01${untouched.slice(2)}`, 3],
  ['payload.setU16(1, 0x0102)', `ee0102${untouched.slice(6)}`, 3],
  ['payload.setU32(3, 0x01020304)', `eeeeee01020304${untouched.slice(14)}`, 3],
  ['payload.setU64(8, 0x0102030405060708n)', `${untouched.slice(16)}0102030405060708`, 3],
  ['payload.setU64(9, 0x0102030405060708n)', untouched, 1],
  ['payload.setU8(15, 0)', `${untouched.slice(2)}00`, 3],
  ['payload.setU8(16, 0)', untouched, 1],
  ['payload.setU8(0xffff_ffff, 0)', untouched, 1],
  ['payload.setU16(packet.device, 0x0102)', `${'ee'.repeat(6)}0102${'ee'.repeat(8)}`, 3],
  ['payload.setU16(packet.device + 9, 0x0102)', untouched, 1],
  ['payload.setU16(packet.device - 7, 0x0102)', untouched, 1],
  ['payload.setBytes(9, copied)', `${'ee'.repeat(9)}100010000018ab`, 3],
  ['payload.setBytes(10, copied)', untouched, 1],
]

for (const [statement, payload, verdict] of cases)
  test(statement, () => assert.deepEqual(after(statement), { payload, rest: true, verdict }))
