/** What tests of rule tables share: programs made of declarations and a body, and packets whose addresses are small. */

import assert from 'node:assert/strict'
import { compile } from '../../src/compile.js'
import type { Compiled } from '../../src/compile.js'
import type { LoadedProgram } from '../../src/engine/kernel/load.js'
import { PacketStore } from '../../src/engine/packets.js'
import { Random } from '../../src/traffic/random.js'

/** A program of one function, with the imports that it needs. */
export function compiled(declarations: string, body: string): Compiled {
  const names = [
    'bool',
    'bytes',
    'counter',
    'devices',
    'ipv4',
    'ipv6',
    'lpm',
    'mac',
    'port',
    'rules',
    'sockets',
  ]
  const used = [...names, 'table', 'u8', 'u16', 'u32', 'u64', 'i64'].filter(n =>
    new RegExp(`\\b${n}\\b`).test(declarations + body.replaceAll(/\.\w+/g, '')),
  )
  const text = `import { type Packet, Verdict, ${used.join(', ')} } from 'hairpin'
${declarations}
export default function tables(packet: Packet): Verdict {
${body}
}`
  const result = compile('tables.ts', text)
  assert.ok(result.compiled, result.diagnostics.map(d => `${d.code}: ${d.message}`).join('\n'))
  return result.compiled
}

/** The only value of each of its maps. */
export const valuesOf =
  ({ maps }: LoadedProgram) =>
  (map: string): Uint8Array | undefined =>
    maps.get(map)?.lookup(new Uint8Array(4))

/** An Ethernet frame with an IPv4 or IPv6 header and 40 bytes behind it; addresses and ports are small. */
export function packets(count: number): PacketStore {
  const store = new PacketStore('made')
  const random = new Random(7)
  for (let k = 0; k < count; k++) {
    const bytes = new Uint8Array(100)
    const six = k % 3 === 2
    bytes.set([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2 + (k % 4)], 0)
    bytes.set(six ? [0x86, 0xdd, 0x60] : [8, 0, 0x45], 12)
    const ip = 14
    if (six) {
      bytes.set([0, 60, 17, 64], ip + 4)
      bytes.set([0x20, 1, 0xd, 0xb8 + random.below(2)], ip + 24)
      bytes[ip + 39] = random.below(4)
      bytes[ip + 28] = random.below(3)
    } else {
      bytes.set([0, 86], ip + 2)
      bytes.set([64, 17], ip + 8)
      bytes.set([10, 0, random.below(3), random.below(4)], ip + 12)
      bytes.set([10, random.below(3), random.below(3), 9], ip + 16)
    }
    const udp = ip + (six ? 40 : 20)
    bytes.set([0, 1 + random.below(3), 0, 80, 0, 46], udp)
    store.add(bytes, bytes.length, BigInt(k), 0)
  }
  return store
}

/** An IPv4 address as a number. */
export const address = (a: number, b: number, c: number, d: number): number =>
  ((a << 24) | (b << 16) | (c << 8) | d) >>> 0
