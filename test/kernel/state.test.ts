/** hairpin state and state set on an attached program, while packets flow through it in a lab. */

import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { removePins, seenPrograms } from '../../src/engine/kernel/attached.js'
import { openReading } from '../../src/engine/kernel/reading.js'
import { up } from '../../src/lab/lab.js'
import type { Lab } from '../../src/lab/lab.js'
import { command } from '../../src/sys/bpf.js'
import { kernel, replaceKernel } from '../../src/sys/kernel.js'
import { root } from '../../tools/sources.js'
import { folder, main, run } from '../cli/hairpin.js'
import type { Ended } from '../cli/hairpin.js'
import { problemsOf } from '../schema.js'
import { withoutPrograms } from './machine.js'
import { withoutLab } from './probes.js'

const skip = withoutLab || withoutPrograms
const pin = `state-${process.pid}`
const schema = JSON.parse(readFileSync(join(root, 'docs/schema/state.json'), 'utf8')) as object
let lab: Lab

const hairpin = (...args: string[]): Promise<Ended> =>
  run('nsenter', [`--net=${lab.path('right')}`, process.execPath, main, ...args])

/** So many UDP datagrams from 10.9.2.1 to the program. */
async function send(count: number): Promise<void> {
  const loop = `for i in $(seq ${count}); do echo x > /dev/udp/10.9.2.2/9; done`
  const { status, stderr } = await lab.run('left', ['bash', '-c', loop])
  assert.equal(status, 0, stderr)
}

async function json(...args: string[]): Promise<Record<string, unknown>> {
  const { code, out, err } = await hairpin(...args, '--json')
  assert.equal(code, 0, err)
  const found = JSON.parse(out) as Record<string, unknown>
  assert.deepEqual(problemsOf(found, schema), [])
  return found
}

before(async () => {
  if (skip) return
  lab = up({
    namespaces: { left: {}, right: {} },
    pairs: [
      {
        ends: [
          { namespace: 'left', device: 'a', addresses: ['10.9.2.1/24'] },
          { namespace: 'right', device: 'b', addresses: ['10.9.2.2/24'] },
        ],
      },
    ],
  })
  const far = lab.interface('right', 'b').address
  assert.equal(
    (await lab.run('left', ['ip', 'neigh', 'add', '10.9.2.2', 'lladdr', far, 'dev', 'a'])).status,
    0,
  )
  const attached = await hairpin('attach', 'programs/ddos-mitigator.ts', 'b', '--pin', pin)
  assert.equal(attached.code, 0, attached.err)
})
after(async () => {
  if (skip) return
  await hairpin('detach', pin)
  removePins(pin)
  lab.down()
})

test('state is typed, and counts every packet', { skip }, async () => {
  await send(5)
  const { programs } = (await json('state', 'b')) as { programs: Record<string, unknown>[] }
  assert.equal(programs.length, 1)
  assert.equal(programs[0].program, 'ddosMitigator')
  assert.deepEqual(programs[0].parameters, { limit: 1_000_000 })
  assert.deepEqual(programs[0].counters, { uncounted: 0 })
  const [sources] = programs[0].state as { name: string; count: number; entries: unknown[] }[]
  assert.deepEqual([sources.name, sources.count], ['sources', 1])
  assert.deepEqual(sources.entries, [{ key: '10.9.2.1', value: { packets: '5' } }])

  const { out } = await hairpin('state', pin, '--table', 'sources')
  assert.match(out, /^ddosMitigator on b, program \d+\n {2}parameters: limit = 1000000\n/)
  assert.match(out, /sources: 1 of 65,536 entries .*\n.*packets\n *10\.9\.2\.1 +→ +5$/m)
})

test('a parameter takes effect with the next packet, and is read back', { skip }, async () => {
  const set = await json('state', 'set', 'b', 'limit=7')
  assert.deepEqual(set.parameters, [{ parameter: 'limit', before: 1_000_000, after: 7 }])
  await send(5)
  const looked = await hairpin('top', 'b', '--json', '--count', '1')
  const [program] = (JSON.parse(looked.out) as { programs: { verdicts: Record<string, number> }[] }).programs
  assert.equal(program.verdicts.drop, 3)
  const again = await hairpin('state', 'set', pin, 'limit=7')
  assert.equal(again.out, 'ddosMitigator: limit = 7, as before\n')
})

test('reading a table makes no system call for its entries', { skip }, () => {
  const own = seenPrograms().find(p => p.pins.includes(pin))!
  const reading = openReading(own.description)
  const real = kernel()
  const calls: number[] = []
  const restore = replaceKernel({
    ...real,
    bpf(number, attributes) {
      calls.push(number)
      return real.bpf(number, attributes)
    },
  })
  try {
    const { dump, unsure } = reading.read('sources')!
    assert.equal(dump.kind === 'table' && dump.entries.length, 1)
    assert.equal(unsure, false)
    assert.equal(reading.figures().packets > 0n, true)
    assert.deepEqual(
      calls.map(number => Object.keys(command)[number]),
      [],
    )
  } finally {
    restore()
    reading.close()
  }
})

test('rules of a kernel map are replaced while it is attached, and shown', { skip }, async () => {
  const file = join(folder, 'gate.ts')
  writeFileSync(
    file,
    `import { type Packet, ipv4, lpm, rules, u8, Verdict } from 'hairpin'
const allowed = rules({ key: ipv4, value: { level: u8 }, capacity: 8, map: 'hash' })
const networks = lpm({ key: ipv4, value: { level: u8 }, capacity: 8, map: 'lpm' })
const fixed = rules({ key: ipv4, value: { level: u8 }, capacity: 8 })
export default function gate(packet: Packet): Verdict {
  const ip = packet.ipv4
  if (!ip) return Verdict.Pass
  const known = allowed.lookup(ip.source) ?? networks.lookup(ip.source) ?? fixed.lookup(ip.source)
  return known ? Verdict.Pass : Verdict.Drop
}
`,
  )
  const gate = `gate-${process.pid}`
  const attached = await hairpin('attach', file, 'lo', '--pin', gate)
  assert.equal(attached.code, 0, attached.err)
  try {
    const csv = (name: string, ...lines: string[]): string => {
      writeFileSync(join(folder, name), `key,level\n${lines.join('\n')}\n`)
      return join(folder, name)
    }
    const one = csv('one.csv', '10.0.0.1,1', '10.0.0.2,2')
    const two = csv('two.csv', '10.0.0.2,9', '10.0.0.3,3')
    const nets = csv('nets.csv', '10.0.0.0/8,7')
    await json('state', 'set', gate, '--table', `allowed=${one}`, '--table', `networks=${nets}`)
    const set = (await json('state', 'set', gate, '--table', `allowed=${two}`)) as { tables: unknown[] }
    assert.deepEqual(set.tables, [
      { table: 'allowed', added: 1, changed: 1, removed: 1, unchanged: 0, count: 2, capacity: 8 },
    ])
    const { programs } = (await json('state', gate)) as { programs: { state: { entries: unknown[] }[] }[] }
    const [allowed, networks] = programs[0].state.map(o => JSON.stringify(o.entries))
    assert.match(allowed, /10\.0\.0\.2.*9.*10\.0\.0\.3.*3/)
    assert.match(networks, /10\.0\.0\.0\/8.*7/)
    const fixed = await hairpin('state', 'set', gate, '--table', `fixed=${one}`)
    assert.equal(fixed.code, 3)
    assert.match(fixed.err, /rules of fixed are built into .* map: 'hash'/)
  } finally {
    await hairpin('detach', gate)
  }
})

test('what is not there, and what a parameter does not take', { skip }, async () => {
  const cases: readonly [args: string[], code: number, text: RegExp][] = [
    [['state', 'bb'], 1, /no program of hairpin is on or called bb; .*Did you mean b\?/],
    [['state', 'b', '--table', 'source'], 2, /has no state source; it has sources\. Did you mean sources\?/],
    [['state', 'set', 'b'], 2, /NAME=VALUE or --table NAME=FILE is missing/],
    [['state', 'set', 'b', 'limit'], 2, /takes NAME=VALUE, not limit/],
    [['state', 'set', 'b', 'limti=1'], 2, /no parameter limti; it has limit\. Did you mean limit\?/],
    [['state', 'set', 'b', 'limit=-1'], 2, /limit takes a u32, 0 to 4294967295, not -1/],
    [['state', 'b', 'limit=1'], 2, /type hairpin state set b limit=1/],
    [['state', 'b', '--all', '--limit', '3'], 2, /either --all or --limit/],
  ]
  for (const [args, code, text] of cases) {
    const ended = await hairpin(...args)
    assert.equal(ended.code, code, ended.err)
    assert.match(ended.err, text)
  }
})
