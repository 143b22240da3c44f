/**
 * The router on both interfaces of a Linux router between two hosts, in three namespaces: its own figures and the
 * kernel's say who forwarded what, and the kernel's routes and neighbours, changed meanwhile, are what it goes by.
 */

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { newest } from '../../../src/engine/kernel/form.js'
import { load } from '../../../src/engine/kernel/load.js'
import { loadReplicated } from '../../../src/engine/kernel/replicated.js'
import { kernelSharing } from '../../../src/engine/kernel/sharing.js'
import { ip } from '../../../src/lab/ip.js'
import { up } from '../../../src/lab/lab.js'
import type { Lab } from '../../../src/lab/lab.js'
import { bundledProgram } from '../../programs.js'
import { requiresTool } from '../../tools.js'
import { withoutPrograms } from '../machine.js'
import { withoutLab } from '../probes.js'
import { Host, OnDevice } from './hosts.js'

const skip = withoutLab || withoutPrograms
const port = 8080
const patience = 10_000

let lab: Lab
let client: Host
let server: Host
let router: OnDevice

before(async () => {
  if (skip) return
  lab = up({
    namespaces: {
      client: {
        routes: [
          { to: 'default', via: '10.1.0.1' },
          { to: 'fd02::/64', via: 'fd01::1' },
        ],
      },
      server: {
        routes: [
          { to: 'default', via: '10.2.0.1' },
          { to: 'fd01::/64', via: 'fd02::1' },
        ],
      },
      router: { forward: true },
    },
    pairs: [
      {
        ends: [
          { namespace: 'client', device: 'eth0', addresses: ['10.1.0.2/24', 'fd01::2/64'], xdp: 'pass' },
          { namespace: 'router', device: 'client', addresses: ['10.1.0.1/24', 'fd01::1/64'] },
        ],
      },
      {
        ends: [
          { namespace: 'server', device: 'eth0', addresses: ['10.2.0.2/24', 'fd02::2/64'], xdp: 'pass' },
          { namespace: 'router', device: 'server', addresses: ['10.2.0.1/24', 'fd02::1/64'] },
        ],
      },
    ],
  })
  router = new OnDevice(
    lab,
    ['client', 'server'].map(device => ({ namespace: 'router', device })),
    bundledProgram('router'),
  )
  client = new Host(lab, 'client')
  server = new Host(lab, 'server')
  await server.call('serveTcp', { port, host: '::' })
  await server.call('serveUdp', { port })
})
after(() => {
  if (skip) return
  client.end()
  server.end()
  router.close()
  lab.down()
})

const change = (...lines: string[]): void => void ip(lines, lab.fullName('router'))

/** What the router's own kernel has forwarded, both families, and the ICMP errors it has sent. */
function kernelFigures(): { forwarded: number; exceeded: number; unreachable: number } {
  const read = (file: string): string =>
    lab.inNamespace('router', () => readFileSync(`/proc/thread-self/net/${file}`, 'utf8'))
  const rows = read('snmp')
    .split('\n')
    .map(l => l.split(/\s+/))
  const four = (group: string, name: string): number => {
    const [names, values] = rows.filter(r => r[0] === `${group}:`)
    return Number(values[names.indexOf(name)])
  }
  const six = Number(/Ip6OutForwDatagrams\s+(\d+)/.exec(read('snmp6'))![1])
  return {
    forwarded: four('Ip', 'ForwDatagrams') + six,
    exceeded: four('Icmp', 'OutTimeExcds'),
    unreachable: four('Icmp', 'OutDestUnreachs'),
  }
}

/** How figures changed while something happened; those that did not are left out. */
async function during(body: () => Promise<unknown>): Promise<Record<string, number>> {
  const before = { ...router.figures(), ...kernelFigures(), ours: router.figures().forwarded }
  await body()
  const now = { ...router.figures(), ...kernelFigures(), ours: router.figures().forwarded }
  const found: Record<string, number> = {}
  for (const [name, n] of Object.entries(now)) {
    const more = Number(n ?? 0) - Number((before as Record<string, number>)[name] ?? 0)
    if (more !== 0) found[name] = more
  }
  return found
}

const talk = (to: string, bytes: number) => client.call('talkTcp', { to, port, bytes, within: patience })
const datagram = (
  to: string,
  more: { ttl?: number; bytes?: number; expect?: number; within?: number } = {},
) =>
  client.call('talkUdp', {
    to,
    port,
    send: ['ab'.repeat(more.bytes ?? 8)],
    gap: 0,
    expect: more.expect ?? 1,
    within: more.within ?? patience,
    ...(more.ttl !== undefined && { ttl: more.ttl }),
  })

for (const [family, to] of [
  ['IPv4', '10.2.0.2'],
  ['IPv6', 'fd02::2'],
] as const)
  test(
    `${family}: a TCP transfer passes through the program, once the kernel knows both neighbours`,
    { skip },
    async () => {
      // The first packets find a neighbour that nobody has asked for: the kernel asks, and forwards them.
      const { error } = await talk(to, 100)
      assert.equal(error, undefined)
      const figures = await during(async () => {
        const { echoed, error } = await talk(to, 300_000)
        assert.equal(error, undefined)
        assert.ok(echoed.length > 300_000)
      })
      assert.ok(figures.ours > 200, `${figures.ours} packets`)
      assert.equal(figures.redirect, figures.ours)
      assert.equal(figures.forwarded, undefined, 'the kernel forwarded nothing')
      assert.equal(figures.drop, undefined)
    },
  )

test('a neighbour that is not known: the kernel asks, and the next packets are ours', { skip }, async () => {
  change('neighbour flush dev server')
  const first = await during(() => datagram('10.2.0.2'))
  assert.deepEqual([first.unresolved, first.forwarded], [1, 1])
  const second = await during(() => datagram('10.2.0.2'))
  assert.deepEqual([second.unresolved, second.forwarded, second.ours], [undefined, undefined, 2])
})

test('a packet at the end of its life: the kernel tells its sender', { skip }, async () => {
  const { expired, exceeded, ours } = await during(() => datagram('10.2.0.2', { ttl: 1, within: 300 }))
  assert.deepEqual({ expired, exceeded, ours }, { expired: 1, exceeded: 1, ours: undefined })
})

test(
  'a packet longer than the route takes: the kernel says so, and the sender makes shorter ones',
  { skip },
  async () => {
    // Forwarding heeds a route's own MTU only if it is locked.
    change('route add 10.2.0.2/32 dev server mtu lock 1000')
    try {
      // Echoed through packets of a length that was learnt on the way.
      const figures = await during(async () => {
        const { error } = await talk('10.2.0.2', 50_000)
        assert.equal(error, undefined)
      })
      assert.ok(figures.tooLong >= 1, JSON.stringify(figures))
      assert.ok(figures.unreachable >= 1)
      assert.ok(figures.ours > 50)
    } finally {
      change('route delete 10.2.0.2/32')
    }
  },
)

test(
  'routes that change while the program runs hold at once: black hole, forbidden, and back',
  { skip },
  async () => {
    change('route add blackhole 10.2.0.2/32')
    const hole = await during(() => datagram('10.2.0.2', { within: 300 }))
    assert.deepEqual([hole.discarded, hole.drop, hole.unreachable], [1, 1, undefined])
    change('route replace prohibit 10.2.0.2/32')
    const forbidden = await during(() => datagram('10.2.0.2', { within: 300 }))
    assert.deepEqual([forbidden.unrouted, forbidden.pass, forbidden.unreachable], [1, 1, 1])
    change('route delete prohibit 10.2.0.2/32')
    assert.equal((await during(() => datagram('10.2.0.2'))).ours, 2)
  },
)

const noPing = requiresTool('busybox', 'Debian package busybox')

test(
  'ping: through the router by the program, and to the router by its kernel',
  { skip: skip || noPing },
  async () => {
    const through = await during(async () => {
      const { stdout } = await lab.run('client', [
        'busybox',
        'ping',
        '-c',
        '3',
        '-i',
        '0.2',
        '-W',
        '5',
        '10.2.0.2',
      ])
      assert.match(stdout, /3 (packets )?received/)
    })
    assert.deepEqual([through.ours, through.forwarded], [6, undefined])
    const to = await during(async () => {
      const { stdout } = await lab.run('client', ['busybox', 'ping', '-c', '1', '-W', '5', '10.2.0.1'])
      assert.match(stdout, /1 (packets )?received/)
    })
    assert.deepEqual([to.unrouted, to.pass, to.ours], [1, 1, undefined])
  },
)

const options = { settings: new Map<string, bigint>(), seed: 1n }

test(
  'what the program keeps decides how it may be spread: nothing, so shared needs no lock',
  { skip },
  () => {
    const subject = bundledProgram('router')
    assert.equal(kernelSharing(subject, newest), 'none')
    load(subject, { ...options, sharing: 'none' }).close()
    // Under a lock no helper may be called, and a replica's items come from a sequencer.
    assert.throws(
      () => load(subject, { ...options, sharing: 'program-lock' }),
      /looking up fib4 and fib6 needs strategy single/,
    )
  },
)

test('a replica does not ask for routes, and says so before it asks the kernel', { skip }, () => {
  const subject = bundledProgram('router')
  assert.throws(
    () => loadReplicated(subject, { ...options, workers: 2 }),
    /router cannot be replicated|needs strategy single/,
  )
})

test('without a licence of the GPL the kernel is not even asked', () => {
  const subject = bundledProgram('router')
  for (const [licence, found] of [
    [undefined, 'none'],
    ['MIT', "licence 'MIT'"],
  ] as const) {
    const { licence: _, ...program } = subject.program
    const changed = { ...program, ...(licence !== undefined && { licence }) }
    assert.throws(
      () => load({ artifact: subject.artifact, kernel: subject.kernel, program: changed }, options),
      (error: Error) =>
        error.message.includes(`needs a licence of the GPL, found ${found}; declare one in the program`) &&
        error.message.includes('fib4 and fib6'),
    )
  }
})
