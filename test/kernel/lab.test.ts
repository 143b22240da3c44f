import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { test } from 'node:test'
import { up, sweep } from '../../src/lab/lab.js'
import type { LabDescription } from '../../src/lab/description.js'
import { foundNamespaces } from '../../src/lab/name.js'
import { builtFile } from '../../tools/sources.js'
import * as ethtool from '../../src/sys/ethtool.js'
import { addresses, interfaces } from '../../src/sys/interfaces.js'
import { namespaceId } from '../../src/sys/namespace.js'
import { xdpFeatures } from '../../src/sys/netdev.js'
import { withoutLab } from './probes.js'

const skip = withoutLab

const description: LabDescription = {
  namespaces: {
    client: { routes: [{ to: 'default', via: '10.7.0.254' }] },
    router: { forward: true },
    server: { routes: [{ to: 'default', via: '10.8.0.254' }] },
  },
  pairs: [
    {
      queues: 2,
      ends: [
        { namespace: 'client', device: 'eth0', addresses: ['10.7.0.1/24'] },
        { namespace: 'router', device: 'left', addresses: ['10.7.0.254/24', 'fd07::1/64'] },
      ],
    },
    {
      mtu: 1400,
      staticNeighbours: true,
      ends: [
        { namespace: 'router', device: 'right', addresses: ['10.8.0.254/24'] },
        {
          namespace: 'server',
          device: 'eth0',
          addresses: ['10.8.0.1/24'],
          hardwareAddress: '02:00:00:00:aa:01',
        },
      ],
    },
  ],
}

test('a lab is what its description says, and traffic crosses its router', { skip }, async () => {
  const before = namespaceId()
  const lab = up(description)
  try {
    const names = (namespace: string): string[] =>
      lab
        .inNamespace(namespace, interfaces)
        .map(({ name }) => name)
        .toSorted()
    assert.deepEqual(names('client'), ['eth0', 'lo'])
    assert.deepEqual(names('router'), ['left', 'lo', 'right'])
    const device = lab.interface('server', 'eth0')
    assert.equal(device.mtu, 1400)
    assert.equal(device.address, '02:00:00:00:aa:01')
    assert.equal(device.kind, 'veth')
    assert.ok(device.up && device.carrier)
    assert.equal(lab.interface('client', 'eth0').receiveQueues, 2)
    assert.equal(lab.interface('client', 'eth0').address, '02:00:00:00:01:01')
    lab.inNamespace('server', () => {
      assert.equal(ethtool.driverName('eth0'), 'veth')
      assert.equal(ethtool.offloads('eth0').sendChecksum, false)
      assert.equal(ethtool.channels('eth0')?.receive, 1)
      assert.deepEqual(
        addresses().filter(({ family }) => family === 'ipv6'),
        [],
      )
      assert.ok(xdpFeatures(device.index)?.features.includes('native') ?? true)
    })
    lab.inNamespace('router', () => assert.ok(ethtool.statistics('left').has('rx_queue_1_xdp_packets')))
    assert.equal(namespaceId(), before)

    const answer = `require('dgram').createSocket('udp4').bind(9).on('message', (m, from) => { console.log(m + ' from ' + from.address); process.exit() }).on('listening', () => console.log('ready'))`
    const server = lab.start('server', [process.execPath, '-e', answer], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const lines: string[] = []
    server.stdout!.setEncoding('utf8').on('data', text => lines.push(text))
    const closed = once(server, 'close')
    await once(server.stdout!, 'data')
    const send = `const s = require('dgram').createSocket('udp4'); s.send('hello', 9, '10.8.0.1', () => s.close())`
    const sent = await lab.run('client', [process.execPath, '-e', send])
    assert.deepEqual(sent, { status: 0, stdout: '', stderr: '' })
    await closed
    assert.deepEqual(lines.join('').trim().split('\n'), ['ready', 'hello from 10.7.0.1'])
    assert.ok(lab.interface('router', 'left').counters.receivedPackets > 0)
  } finally {
    lab.down()
  }
  assert.deepEqual(
    foundNamespaces().filter(found => found.lab === lab.name),
    [],
  )
  lab.down()
})

test('a lab that cannot be finished leaves nothing', { skip }, () => {
  const mine = (): string[] =>
    foundNamespaces()
      .filter(({ owner }) => owner?.pid === process.pid)
      .map(({ full }) => full)
  const broken = {
    ...description,
    namespaces: { ...description.namespaces, client: { routes: [{ to: 'default', via: '10.99.0.1' }] } },
  }
  assert.throws(() => up(broken), /ip route add default via 10\.99\.0\.1: .*gateway/)
  assert.deepEqual(mine(), [])
})

test('what a killed owner leaves is swept, with its processes', { skip }, async () => {
  const module = JSON.stringify(builtFile('src/lab/lab.ts'))
  const script = `import(${module}).then(({ up }) => {
    const lab = up({ namespaces: { alone: {} }, pairs: [] })
    lab.start('alone', ['sleep', '60'])
    console.log(lab.path('alone'))
    setInterval(() => {}, 1000)
  })`
  for (const [signal, left] of [
    ['SIGKILL', true],
    ['SIGINT', false],
  ] as const) {
    const owner = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
    const [line] = (await once(owner.stdout.setEncoding('utf8'), 'data')) as [string]
    const path = line.trim()
    assert.ok(existsSync(path))
    owner.kill(signal)
    const [, by] = (await once(owner, 'exit')) as [number | null, string]
    assert.equal(by, signal)
    // Another test's lab may have swept meanwhile.
    if (!left) assert.equal(existsSync(path), false)
    sweep()
    assert.equal(existsSync(path), false)
  }
})
