/** Every program on a veth in a lab, with real hosts talking through it: ICMP, UDP, and TCP from handshake to close. */

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { compile } from '../../../src/compile.js'
import { ip } from '../../../src/lab/ip.js'
import { up } from '../../../src/lab/lab.js'
import type { Lab } from '../../../src/lab/lab.js'
import { oneArm } from '../../../src/lab/topologies.js'
import { buildRules } from '../../../src/state/rules.js'
import { readRules } from '../../../src/state/rules-file.js'
import { parseIpv4 } from '../../../src/state/address.js'
import { attachXdp } from '../../../src/sys/xdp.js'
import { bundledProgram } from '../../programs.js'
import { counterProgram, verdicts } from '../counter.js'
import { withoutLab } from '../probes.js'
import { withoutPrograms } from '../machine.js'
import { Host, OnDevice } from './hosts.js'
import type { Place } from './hosts.js'

const skip = withoutLab || withoutPrograms
const [clientAddress, serverAddress] = ['10.1.0.2', '10.2.0.2']
const [tcpPort, udpPort, storePort] = [8080, 8081, 11_311]
const box: Place = { namespace: 'box', device: 'eth0' }
/** For what must not come: long enough for a frame to cross the lab on a busy machine. */
const silence = 400
const patience = 10_000

let lab: Lab
let client: Host
let server: Host

before(async () => {
  if (skip) return
  const { namespaces, pairs } = oneArm(['client', 'server'])
  // Hosts take what programs at the router's devices send them.
  const [toClient, toServer, arm] = pairs.map(pair =>
    pair.ends[0].device === 'eth0'
      ? { ...pair, ends: [{ ...pair.ends[0], xdp: 'pass' as const }, pair.ends[1]] as const }
      : pair,
  )
  // A program will be on the server's device.
  const bare = { ...toServer, ends: [{ ...pairs[1].ends[0] }, toServer.ends[1]] as const }
  lab = up({ namespaces, pairs: [toClient, bare, arm] })
  client = new Host(lab, 'client')
  server = new Host(lab, 'server')
  await Promise.all([
    server.call('serveTcp', { port: tcpPort }),
    server.call('serveUdp', { port: udpPort }),
    server.call('serveStore', { port: storePort }),
  ])
})
after(() => {
  if (skip) return
  client.end()
  server.end()
  lab.down()
})

const address = (text: string): bigint => BigInt(parseIpv4(text)!)

/** A program on the box's device while something happens. */
async function on(
  name: string,
  settings: Readonly<Record<string, bigint>>,
  body: (program: OnDevice) => Promise<void>,
): Promise<void> {
  const program = new OnDevice(lab, [box], bundledProgram(name), settings)
  try {
    await body(program)
    const { packets, ...rest } = program.figures()
    assert.ok(packets > 0)
    assert.equal(rest.aborted, undefined)
  } finally {
    program.close()
  }
}

const talkTcp = (more: { bytes?: number; within?: number; port?: number; reset?: boolean } = {}) =>
  client.call('talkTcp', { to: serverAddress, port: tcpPort, bytes: 1000, within: patience, ...more })

const talkUdp = (
  count: number,
  more: { port?: number; gap?: number; within?: number; expect?: number } = {},
) =>
  client.call('talkUdp', {
    to: serverAddress,
    port: udpPort,
    send: Array.from({ length: count }, (_, k) => Buffer.from(`datagram ${k}`).toString('hex')),
    gap: 0,
    expect: count,
    within: patience,
    ...more,
  })

/** TCP and UDP get through, both ways; the server sees them come from `from`. */
async function talks(from: string): Promise<void> {
  const { echoed, error } = await talkTcp()
  assert.equal(error, undefined)
  assert.match(echoed, new RegExp(`^(::ffff:)?${from.replaceAll('.', '\\.')}:\\d+\nx{1000}$`))
  const { replies } = await talkUdp(5)
  assert.equal(replies.length, 5)
  for (const reply of replies)
    assert.match(Buffer.from(reply, 'hex').toString(), new RegExp(`^${from}:\\d+\ndatagram \\d$`))
}

/** IPv4 packets that client and server have sent, by their kernels' own count. */
const sent = (): number =>
  ['client', 'server'].reduce((sum, host) => {
    const text = lab.inNamespace(host, () => readFileSync('/proc/thread-self/net/snmp', 'utf8'))
    const [names, values] = text.split('\n').map(line => line.split(' '))
    return sum + Number(values[names.indexOf('OutRequests')])
  }, 0)

const ping = spawnSync('ping', ['-V']).status === 0

for (const name of ['forwarder', 'busy-forwarder'])
  test(`${name}: TCP, UDP and ICMP both ways`, { skip }, () =>
    on(name, {}, async program => {
      const begun = sent()
      await talks(clientAddress)
      // Nobody listens there, and the server's kernel says so.
      assert.equal((await talkUdp(1, { port: 9 })).error, 'ECONNREFUSED')
      if (ping) {
        const pinged = await lab.run('client', ['ping', '-c', '3', '-i', '0.1', '-W', '5', serverAddress])
        assert.match(pinged.stdout, /3 received/)
      }
      // What either host sent has come by; how many segments that were is TCP's affair.
      const through = sent() - begun
      for (let k = 0; k < 50 && program.figures().packets < through; k++) await setTimeout(20)
      const { packets, transmit } = program.figures()
      assert.equal(transmit, packets)
      assert.ok(packets >= through && through >= (ping ? 26 : 20), `${packets} packets of ${through}`)
    }),
  )

test('source-nat: the kernels at both ends accept what it rewrites', { skip }, () =>
  on(
    'source-nat',
    { network: address('10.1.0.0'), mask: address('255.255.255.0'), address: address('192.0.2.1') },
    async program => {
      await talks('192.0.2.1')
      const { packets, transmit } = program.figures()
      assert.equal(transmit, packets)
    },
  ),
)

test('connection-tracker: a close and a reset, and nothing that it did not expect', { skip }, () =>
  on('connection-tracker', { loose: 0n }, async program => {
    assert.equal((await talkTcp({ bytes: 20_000 })).error, undefined)
    assert.equal((await talkTcp({ reset: true })).error, undefined)
    const refused = await talkTcp({ port: 9 })
    assert.equal(refused.error, 'ECONNREFUSED')
    // The last segments may still be on their way.
    for (let k = 0; k < 50 && program.figures().closed !== 3; k++) await setTimeout(20)
    const { opened, established, closed, malformed, outOfWindow } = program.figures()
    assert.deepEqual({ opened, established, closed }, { opened: 3, established: 2, closed: 3 })
    assert.equal(malformed, undefined)
    assert.equal(outOfWindow, undefined)
  }),
)

test('heavy-hitter: one flow passes the threshold', { skip }, () =>
  on('heavy-hitter', { threshold: 30_000n }, async program => {
    assert.equal((await talkUdp(3)).replies.length, 3)
    assert.equal(program.figures().heavyFlows, undefined)
    assert.equal((await talkTcp({ bytes: 60_000 })).error, undefined)
    // The echo is as heavy as what was sent.
    assert.equal(program.figures().heavyFlows, 2)
    assert.ok(program.figures().heavyPackets > 2)
  }),
)

test('from here on the server answers past the box', { skip }, () => {
  ip(['rule del iif server lookup 101'], lab.fullName('router'))
})

test('port-knocking: shut, knocked open, TCP through it', { skip }, () =>
  on('port-knocking', {}, async program => {
    assert.equal((await talkTcp({ within: silence })).error, 'TIMEOUT')
    for (const port of [7001, 7003, 7002, 7001, 7002, 7003]) {
      assert.equal(program.figures().opened, undefined, `open before knock on ${port}`)
      await talkTcp({ port, within: silence / 4 })
    }
    assert.equal(program.figures().opened, 1)
    assert.equal((await talkTcp()).error, undefined)
    const { packets, drop, transmit } = program.figures()
    assert.equal(drop + transmit, packets)
    // The knock that opens goes through.
    assert.ok(drop >= 6 && transmit >= 5)
  }),
)

test('ddos-mitigator: the packets up to the limit, and not one more', { skip }, () =>
  on('ddos-mitigator', { limit: 20n }, async program => {
    assert.equal((await talkUdp(20)).replies.length, 20)
    assert.equal((await talkUdp(30, { within: silence })).replies.length, 0)
    assert.deepEqual(program.figures(), { packets: 50, transmit: 20, drop: 30 })
  }),
)

test('token-bucket: polices a real flow by the kernel’s clock', { skip }, () =>
  on('token-bucket', { rate: 50n, burst: 10n }, async program => {
    const began = performance.now()
    const { replies } = await talkUdp(120, { gap: 5, within: 1500 })
    const seconds = (performance.now() - began) / 1000
    const { transmit, drop, policed, packets } = program.figures()
    assert.equal(packets, 120)
    assert.equal(policed, drop)
    assert.equal(replies.length, transmit)
    // 120 packets take 600 ms at least, in which 30 tokens come in.
    assert.ok(transmit <= 10 + Math.ceil(50 * seconds), `${transmit} packets in ${seconds} s`)
    assert.ok(transmit >= 10 + 29, `${transmit} packets in ${seconds} s`)
  }),
)

test(
  'time: packet.timestamp is nanoseconds since the start, and goes on between packets',
  { skip },
  async () => {
    const source = `import { type Packet, cell, u32, u64, Verdict } from 'hairpin'
const seen = cell({ first: u64, last: u64, count: u32 })
export default function clock(packet: Packet): Verdict {
  const ip = packet.ipv4
  if (!ip?.udp) return Verdict.Transmit
  const { first, count } = seen.get()
  seen.set({ first: count === 0 ? packet.timestamp : first, last: packet.timestamp, count: count + 1 })
  return Verdict.Transmit
}
`
    const { compiled } = compile('clock.ts', source)
    const before = performance.now()
    const program = new OnDevice(lab, [box], compiled!)
    try {
      assert.equal((await talkUdp(3, { gap: 100 })).replies.length, 3)
      const most = (performance.now() - before) * 1e6
      const seen = program.state('seen')
      const [first, last] = [0, 8].map(at => Number(seen.getBigUint64(at, true)))
      assert.equal(seen.getUint32(16, true), 3)
      assert.ok(first > 0 && last <= most, `${first} to ${last} ns within ${most}`)
      assert.ok(last - first >= 190e6, `${last - first} ns`)
    } finally {
      program.close()
    }
  },
)

test(
  'key-value-cache on the server’s device: reads of what was written never reach the server',
  { skip },
  async () => {
    // The router's end takes what the cache transmits.
    const passing = counterProgram(verdicts.pass, 'test_pass')
    const other = lab.inNamespace('router', () => attachXdp(passing.program, 'server', 'native'))
    const cache = new OnDevice(
      lab,
      [{ namespace: 'server', device: 'eth0' }],
      bundledProgram('key-value-cache'),
    )
    // Another program in another namespace at the same time.
    const forwarder = new OnDevice(lab, [box], bundledProgram('forwarder'))
    const ask = async (kind: number, key: string, value = ''): Promise<Buffer> => {
      const request = Buffer.alloc(52)
      request[0] = kind
      request.write(key, 4)
      request.write(value, 20)
      const send = [request.toString('hex')]
      const talk = { to: serverAddress, port: storePort, send, gap: 0, expect: 1, within: patience }
      const { replies } = await client.call('talkUdp', talk)
      assert.equal(replies.length, 1)
      return Buffer.from(replies[0], 'hex')
    }
    const [get, set, remove] = [1, 2, 3]
    try {
      assert.deepEqual([...(await ask(get, 'colour')).subarray(0, 2)], [129, 0])
      assert.equal((await ask(set, 'colour', 'green'))[0], 130)
      const reached = await server.call('requests')
      assert.equal(reached, 2)
      for (let k = 0; k < 3; k++) {
        const reply = await ask(get, 'colour')
        assert.deepEqual([reply[0], reply[1], reply.toString('latin1', 20, 25)], [129, 1, 'green'])
      }
      assert.equal(await server.call('requests'), reached)
      await ask(remove, 'colour')
      assert.deepEqual([...(await ask(get, 'colour')).subarray(0, 2)], [129, 0])
      const { hits, misses, writes, deletions, transmit } = cache.figures()
      assert.deepEqual(
        { hits, misses, writes, deletions, transmit },
        { hits: 3, misses: 2, writes: 1, deletions: 1, transmit: 3 },
      )
      assert.deepEqual(forwarder.figures(), { packets: 7, transmit: 7 })
    } finally {
      cache.close()
      forwarder.close()
      other.detach()
      passing.close()
    }
  },
)

test(
  'prefix-forwarder: routes between the router’s devices, and passes what it has no route for',
  { skip },
  async () => {
    const subject = bundledProgram('prefix-forwarder')
    // As a user writes them, with this lab's devices and addresses.
    const route = (network: string, to: string): string => {
      const { index, address: source } = lab.interface('router', to)
      return `${network},${index},${source},${lab.interface(to, 'eth0').address}`
    }
    const text = [
      'destination,device,source,nextHop',
      route('10.1.0.0/24', 'client'),
      route('10.2.0.0/24', 'server'),
    ]
    const read = readRules(
      `${text.join('\n')}\n`,
      'csv',
      subject.artifact.rules.find(r => r.name === 'routes4')!,
    )
    assert.deepEqual(read.problems, [])
    // The server's end must take redirected frames.
    const passing = counterProgram(verdicts.pass, 'test_pass')
    const taking = lab.inNamespace('server', () => attachXdp(passing.program, 'eth0', 'native'))
    const built = buildRules(subject.artifact.rulesLayout, { routes4: read.rows })
    assert.ok(built.ok)
    const places = ['client', 'server'].map(device => ({ namespace: 'router', device }))
    const program = new OnDevice(lab, places, { ...subject, rules: built.bytes })
    try {
      await talks(clientAddress)
      const { packets, redirect, unrouted } = program.figures()
      assert.equal(redirect, packets)
      assert.equal(unrouted, undefined)
      // The router's own address on another network: no route, so its kernel answers.
      const own = await client.call('talkUdp', {
        to: '10.3.0.1',
        port: 9,
        send: ['00'],
        gap: 0,
        expect: 1,
        within: patience,
      })
      assert.equal(own.error, 'ECONNREFUSED')
      assert.equal(program.figures().unrouted, 1)
    } finally {
      program.close()
      taking.detach()
      passing.close()
    }
  },
)

test('attached again, a program begins with fresh state', { skip }, async () => {
  for (let round = 0; round < 3; round++)
    await on('ddos-mitigator', { limit: 2n }, async program => {
      assert.equal((await talkUdp(2)).replies.length, 2)
      assert.deepEqual(program.figures(), { packets: 2, transmit: 2 })
    })
  assert.deepEqual(lab.interface('box', 'eth0').xdp, [])
})
