import assert from 'node:assert/strict'
import { test } from 'node:test'
import { caseOf, examineSource } from './case.js'

/** Programs that random testing found to go wrong once, made small. */
const programs: Readonly<Record<string, string>> = {
  'counters wrap like the words they are kept in': `
    const events = counter()
    export default function program(packet: Packet): Verdict {
      events.add(~0n)
      return Verdict.Pass
    }`,
  'a pool sweeps a table that the program itself never changes': `
    const numbers = pool(8, 12)
    const idle = table({
      key: u16, value: { given: u16 }, capacity: 2,
      expire: { after: milliseconds(2) }, release: { pool: numbers, field: 'given' },
    })
    const taken = cell(u32)
    export default function program(packet: Packet): Verdict {
      taken.set(numbers.take() ?? 0)
      return idle.has(1) ? Verdict.Drop : Verdict.Pass
    }`,
  'the item is complete where a view is tested again behind a loop that changes state': `
    const first = table({ key: { a: u16, b: u32 }, value: i64, capacity: 2 })
    const second = table({ key: u16, value: u8, capacity: 1 })
    export default function program(packet: Packet): Verdict {
      for (let i = 3; i < 6; i++) first.set({ a: 0, b: packet.ipv6?.hopLimit ?? 3 }, 0n)
      const ip = packet.ipv6
      if (ip) second.set(0, 0)
      return Verdict.Drop
    }`,
  'a value chosen behind a loop and needed or not as state decides is refused, not given up on': `
    const entries = table({ key: ipv6, value: { port: port, large: bool }, capacity: 2 })
    export default function program(packet: Packet): Verdict {
      const entry = entries.upsert(packet.ipv6?.source ?? ipv6('::2'))
      if (entry) {
        const known = entries.get(packet.ipv6?.source ?? ipv6('::2'))
        entry.large = (packet.ipv6?.tcp?.payload.u8(24) ?? u16(known?.port ?? 0)) > 170
        for (let i = 0; i < 12; i += 2) entry.large = false
      }
      return Verdict.Pass
    }`,
  'a loop may negate its counter': `
    const last = cell(u32)
    export default function program(packet: Packet): Verdict {
      for (let i = 3; i < 9; i++) last.set(-i ^ ~i)
      return Verdict.Pass
    }`,
}

const imports = [
  ...[
    'type Packet',
    'Verdict',
    'array',
    'cell',
    'counter',
    'milliseconds',
    'parameter',
    'pool',
    'random',
    'table',
  ],
  ...['u8', 'u16', 'u32', 'u64', 'i32', 'i64', 'bool', 'ipv4', 'ipv6', 'port'],
].join(', ')

for (const [name, source] of Object.entries(programs))
  test(name, async () => {
    const { packets } = caseOf(1)
    const { failure, refused } = await examineSource(
      `import { ${imports} } from 'hairpin'\n${source}\n`,
      1,
      packets,
    )
    assert.equal(failure?.what, undefined)
    assert.equal(refused, undefined)
  })
