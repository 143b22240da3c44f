/** hairpin run --iface as a user types it, in labs. */

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { up } from '../../src/lab/lab.js'
import type { Lab } from '../../src/lab/lab.js'
import { openLiveSender } from '../../src/traffic/live.js'
import { folder, main, run } from '../cli/hairpin.js'
import { root } from '../../tools/sources.js'
import { beginOn } from './live-child.js'
import type { Event } from './live-child.js'
import { withoutPrograms } from './machine.js'
import { without } from './probes.js'
import { datagrams, handedByQueue } from './queues.js'
import { knockingFrames, oneWire } from './wire.js'

const skip = without('liveFrames') || withoutPrograms
const knocking = 'programs/port-knocking.ts'

interface Top {
  readonly programs: readonly {
    readonly packets: number
    readonly interfaces: readonly { readonly name: string }[]
    readonly cpus: readonly object[]
    readonly replicated: object
    readonly rebalancing?: { readonly migrations: number; readonly promotions?: number }
  }[]
}

/** A command that runs until it is told to end. */
const begin = (lab: Lab, ...args: string[]) => beginOn(lab, 'box', ...args)

const host = (address: string, device: string, namespace: string) => ({
  namespace,
  device,
  addresses: [`${address}/24`],
})

test(
  'packets on all queues of two interfaces have one sequencer; a restart after SIGKILL goes on',
  { skip },
  async () => {
    const lab = up({
      namespaces: { left: {}, right: {}, box: {} },
      pairs: [
        {
          queues: 4,
          staticNeighbours: true,
          ends: [host('10.9.1.1', 'a', 'left'), host('10.9.1.2', 'l', 'box')],
        },
        {
          queues: 4,
          staticNeighbours: true,
          ends: [host('10.9.2.1', 'a', 'right'), host('10.9.2.2', 'r', 'box')],
        },
      ],
    })
    try {
      const flood = (flows: number, each: number) =>
        Promise.all([
          lab.run('left', datagrams('10.9.1.2', flows, each)),
          lab.run('right', datagrams('10.9.2.2', flows, each)),
        ])
      const args = [knocking, '--iface', 'l', '--iface', 'r', '--cores', '3', '--recovery']
      const killed = await begin(lab, ...args)
      assert.equal(lab.interface('box', 'l').xdp.length, 1)
      const flooding = flood(50, 20)
      await setTimeout(300)
      killed.child.kill('SIGKILL')
      await flooding
      await killed.end()
      assert.deepEqual([lab.interface('box', 'l').xdp, lab.interface('box', 'r').xdp], [[], []])

      const again = await begin(lab, ...args)
      assert.match(
        again.events[0].sources!,
        /^sources: 8 queues funnelled through CPU 0; several interfaces .*; -s sharded takes packets of all queues/,
      )
      await flood(200, 10)
      const { stdout } = await lab.run('box', [process.execPath, main, 'top', '--json', '-n', '1', 'l'])
      const [seen] = (JSON.parse(stdout) as Top).programs
      assert.deepEqual(seen.interfaces.map(({ name }) => name).toSorted(), ['l', 'r'])
      const { code, last } = await again.end('SIGINT')
      assert.equal(code, 130, again.errors())
      assert.equal(seen.cpus.length, 3)
      assert.ok(seen.packets >= 4000 && seen.packets <= last.sequenced)
      const nothing = {
        detected: 0,
        recovered: 0,
        lostEverywhere: 0,
        unrecoverable: 0,
        pending: 0,
        stopped: [],
      }
      assert.deepEqual(seen.replicated, {
        headerBytes: again.events[0].headerBytes,
        stopped: [],
        recovery: nothing,
      })
      assert.deepEqual(last.recovery, nothing)
      assert.notEqual(again.events[0].funnel, undefined)
      const queues = lab.inNamespace('box', () => ['l', 'r'].map(handedByQueue))
      assert.ok(
        queues.flat().every(n => n > 0),
        `packets by queue: ${JSON.stringify(queues)}`,
      )
      assert.equal(last.event, 'ended')
      assert.ok(last.received >= 4000)
      assert.equal(last.unaccounted, 0)
      assert.equal(last.sequenced, last.received)
      for (const worker of last.workers) assert.equal(worker.last, last.sequenced)
    } finally {
      lab.down()
    }
  },
)

test('a recorded live run comes to the same verdicts and state from its file', { skip }, async () => {
  const lab = up({
    namespaces: { left: {}, box: {} },
    pairs: [
      {
        ends: [
          { namespace: 'left', device: 'a' },
          { namespace: 'box', device: 'b' },
        ],
      },
    ],
  })
  const file = join(folder, 'live.pcapng')
  const program = 'programs/token-bucket.ts'
  try {
    const live = await begin(lab, program, '--iface', 'b', '--cores', '3', '--record', file, '--state')
    const packets = knockingFrames()
    const sender = lab.inNamespace('left', () => openLiveSender({ packets, device: 'a', rate: 50_000 }))
    const { sent, dropped } = await sender.send(30_000)
    sender.close()
    const { code, last } = await live.end('SIGINT')
    assert.equal(code, 130, live.errors())
    assert.ok(last.sequenced + last.drops.workerQueue >= sent - dropped, JSON.stringify(last.drops))
    assert.equal(last.recordLost, 0)
    const { out } = await run(process.execPath, [main, 'run', program, '--in', file, '--state', '--json'])
    const again = JSON.parse(out) as Event
    assert.equal(again.received, last.sequenced)
    const { aborted: _, ...verdicts } = last.verdicts
    assert.deepEqual(again.verdicts, verdicts)
    assert.deepEqual(again.state, last.state)
    const { code: proved } = await run(process.execPath, [
      main,
      'verify',
      program,
      '--in',
      file,
      '--cores',
      '3',
    ])
    assert.equal(proved, 0)
  } finally {
    lab.down()
  }
})

test('frames of a sequencer on another host, sprayed over queues with a worker each', { skip }, async () => {
  const lab = up({
    namespaces: { left: {}, switch: {}, box: {} },
    pairs: [
      {
        ends: [
          { namespace: 'left', device: 'a' },
          { namespace: 'switch', device: 'in' },
        ],
      },
      {
        queues: 2,
        mtu: 1600,
        ends: [
          { namespace: 'switch', device: 'out' },
          { namespace: 'box', device: 'b' },
        ],
      },
    ],
  })
  try {
    const workers = await beginOn(lab, 'box', knocking, '--iface', 'b', '--sequenced', '--cores', '2')
    const sequencer = await beginOn(lab, 'switch', knocking, '--iface', 'in', '--to', 'out', '--cores', '2')
    const packets = Array.from({ length: 256 }, (_, k) => {
      const bytes = new Uint8Array(60)
      bytes.set([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0, 0, 46, 0, 0, 0, 0, 64, 6])
      bytes.set([10, 0, 0, k, 10, 0, 0, 2, 0x9c, 0x40, 0x1b, 0x59 + (k % 3)], 26)
      bytes[46] = 0x50
      return bytes
    })
    const sender = lab.inNamespace('left', () => openLiveSender({ packets, device: 'a', rate: 20_000 }))
    const { sent } = await sender.send(20_000)
    sender.close()
    const top = await lab.run('box', [process.execPath, main, 'top', '--json', '-n', '1', 'b'])
    const [seen] = (JSON.parse(top.stdout) as Top).programs
    assert.equal(seen.cpus.length, lab.inNamespace('box', () => handedByQueue('b')).filter(n => n > 0).length)
    const there = (await sequencer.end('SIGINT')).last
    const here = (await workers.end('SIGINT')).last
    assert.ok(there.sequenced + there.drops.workerQueue >= sent, JSON.stringify(there))
    assert.deepEqual([there.unaccounted, here.unaccounted], [0, 0])
    assert.equal(here.drops.flushes, 2)
    const queues = lab.inNamespace('box', () => handedByQueue('b'))
    // With one CPU for all, frames leave by one queue.
    if (queues.every(n => n > 0))
      for (const worker of here.workers) {
        assert.equal(worker.gaps, 0)
        assert.equal(worker.last, there.sequenced)
      }
  } finally {
    lab.down()
  }
})

test('a history that does not fit in front of packets is in memory, and that is said', { skip }, async () => {
  const lab = up({
    namespaces: { left: {}, box: {} },
    pairs: [
      {
        ends: [
          { namespace: 'left', device: 'a' },
          { namespace: 'box', device: 'b' },
        ],
      },
    ],
  })
  try {
    const live = await begin(
      lab,
      'programs/connection-tracker.ts',
      '--iface',
      'b',
      '--cores',
      '9',
      '--recovery',
    )
    const [started] = live.events
    assert.deepEqual([started.history, started.headerBytes], ['reference', 7 + 6])
    const packets = knockingFrames()
    const sender = lab.inNamespace('left', () => openLiveSender({ packets, device: 'a', rate: 20_000 }))
    await sender.send(10_000)
    sender.close()
    const { code, last } = await live.end('SIGINT')
    assert.equal(code, 130, live.errors())
    assert.equal(last.unaccounted, 0)
    assert.ok(last.sequenced >= 10_000 - last.drops.workerQueue)
    for (const worker of last.workers) assert.deepEqual([worker.last, worker.gaps], [last.sequenced, 0])
  } finally {
    lab.down()
  }
})

test('interfaces that go down or are deleted are named within seconds', { skip }, async () => {
  const lab = up({
    namespaces: { left: {}, box: {} },
    pairs: [
      {
        ends: [
          { namespace: 'left', device: 'a' },
          { namespace: 'box', device: 'b' },
        ],
      },
    ],
  })
  try {
    const live = await begin(lab, knocking, '--iface', 'b', '--cores', '2')
    await lab.run('box', ['ip', 'link', 'set', 'dev', 'b', 'down'])
    for (let k = 0; k < 30 && !/b is down/.test(live.errors()); k++) await setTimeout(100)
    assert.match(live.errors(), /b is down/)
    await lab.run('box', ['ip', 'link', 'del', 'dev', 'b'])
    const { code, last } = await live.end()
    assert.equal(code, 1)
    assert.match(live.errors(), /b was deleted/)
    assert.equal(last.event, 'ended')
  } finally {
    lab.down()
  }
})

test('a neighbour without an answer and a full queue are named within three seconds', { skip }, async () => {
  const lab = up({
    namespaces: { left: {}, box: {} },
    pairs: [
      {
        queues: 2,
        ends: [
          { namespace: 'left', device: 'a', xdp: 'drop' },
          { namespace: 'box', device: 'b', addresses: ['10.9.3.2/24'] },
        ],
      },
    ],
  })
  const named = async (errors: () => string, what: RegExp): Promise<void> => {
    for (const end = performance.now() + 3000; !what.test(errors()); await setTimeout(20))
      assert.ok(performance.now() < end, errors())
  }
  try {
    const single = await lab.run('box', [process.execPath, main, 'run', join(root, knocking), '--iface', 'b'])
    assert.equal(single.status, 3)
    assert.match(
      single.stderr,
      /needs one queue: ethtool -L b \w+ 1; the driver of b has no indirection table/,
    )
    const flags = ['--iface', 'b', '--cores', '2', '--queue', '32', '--set', 'iterations=4096']
    const live = await begin(lab, 'programs/busy-forwarder.ts', ...flags)
    assert.deepEqual([live.events[0].steered, live.events[0].funnel], [undefined, 0])
    assert.match(
      live.events[0].sources!,
      /2 queues funnelled through CPU 0; the driver of b has no indirection table$/,
    )
    await lab.run('box', datagrams('10.9.3.99', 1, 1))
    await named(live.errors, /1 neighbour on b without an answer/)
    const packets = [new Uint8Array(60).fill(2, 0, 12)]
    const sender = lab.inNamespace('left', () => openLiveSender({ packets, device: 'a' }))
    await sender.send(100_000)
    sender.close()
    await named(live.errors, /packets are lost \(workerQueue\)/)
    const { last } = await live.end('SIGINT')
    assert.ok(last.drops.workerQueue > 0)
    assert.equal(last.unaccounted, 0)
  } finally {
    lab.down()
  }
})

test('what cannot be is refused before anything is attached, with what to do', { skip }, async () => {
  const lab = up({
    namespaces: { left: {}, box: {} },
    pairs: [
      {
        mtu: 3800,
        ends: [
          { namespace: 'left', device: 'a' },
          { namespace: 'box', device: 'b' },
        ],
      },
    ],
  })
  const refused = async (...args: string[]): Promise<string> => {
    const { status, stderr } = await lab.run('box', [process.execPath, main, 'run', ...args])
    assert.ok(status === 2 || status === 3, `status ${status}`)
    assert.deepEqual(lab.interface('box', 'b').xdp, [])
    return stderr
  }
  const tracker = join(root, 'programs/connection-tracker.ts')
  const file = join(root, knocking)
  try {
    assert.match(
      await refused(tracker, '--iface', 'b', '--cores', '9', '--history', 'value'),
      /takes \d+ bytes in front of each packet.*room for 216.*--cores 7, or --history reference/,
    )
    assert.match(await refused(file, '--iface', 'b', '--cores', '2'), /ip link set dev b mtu 3506/)
    assert.match(
      await refused(file, '--iface', 'b', '-m', 'generic'),
      /come on any CPU.*--strategy replicated/,
    )
    assert.match(
      await refused(file, '--iface', 'b', '-s', 'rss++', '--epoch', '65536'),
      /--epoch takes milliseconds on live packets/,
    )
    assert.match(await refused(file, '--iface', 'nope', '--cores', '2'), /there is no interface nope/)
    assert.match(await refused(file, '--iface', 'b', '--loss', '1%'), /--loss is of captures/)
    assert.match(
      await refused(file, '--iface', 'b', '--sequenced', '--cores', '3'),
      /b has 1 receive queue, .*3 workers/,
    )
    assert.match(await refused(file, '--iface', 'b', '--steer', 'tabel', '--cores', '2'), /table/)
    assert.match(
      await refused(file, '--iface', 'b', '-s', 'shared', '--steer', 'table'),
      /of strategies replicated and hybrid, or single/,
    )
    assert.match(
      await refused(file, '--iface', 'b', '--steer', 'funnel'),
      /--steer funnel is of strategies replicated and hybrid/,
    )
    assert.match(await refused(file, '--iface', 'b', '--strategy', 'replcated'), /replicated/)
    assert.match(await refused(file, '--in', 'x.pcap', '--seconds', '3'), /--seconds is of live runs/)
  } finally {
    lab.down()
  }
})

for (const strategy of ['single', 'shared', 'sharded', 'rebalanced', 'hybrid'])
  test(`--strategy ${strategy}: each packet has its verdict`, { skip }, async () => {
    const lab = oneWire()
    try {
      const live = await begin(lab, knocking, '--iface', 'b', '-s', strategy, '--cores', '2')
      const sender = lab.inNamespace('gen', () =>
        openLiveSender({ packets: knockingFrames(), device: 'a', rate: 20_000 }),
      )
      const { sent, dropped } = await sender.send(4000)
      sender.close()
      const { code, last } = await live.end('SIGINT')
      assert.equal(code, 130, live.errors())
      assert.deepEqual([last.received, last.unaccounted], [sent - dropped, 0])
      const given = Object.values(last.verdicts).reduce((a, b) => a + b, 0)
      assert.equal(given, last.received)
    } finally {
      lab.down()
    }
  })

test('rebalanced says what changed its worker; after SIGKILL nothing is left', { skip }, async () => {
  const lab = oneWire()
  try {
    const args = [knocking, '--iface', 'b', '-s', 'rss++', '--cores', '3', '--epoch', '20ms', '--state']
    const killed = await begin(lab, ...args)
    assert.equal(lab.interface('box', 'b').xdp.length, 1)
    killed.child.kill('SIGKILL')
    await killed.end()
    assert.deepEqual(lab.interface('box', 'b').xdp, [])
    const live = await begin(lab, ...args)
    const sender = lab.inNamespace('gen', () =>
      openLiveSender({ packets: knockingFrames(), device: 'a', rate: 20_000 }),
    )
    const { sent, dropped } = await sender.send(8000)
    sender.close()
    const { stdout } = await lab.run('box', [process.execPath, main, 'top', '--json', '-n', '1', 'b'])
    const [seen] = (JSON.parse(stdout) as Top).programs
    assert.equal(seen.packets, sent - dropped)
    const { code, last } = await live.end('SIGINT')
    assert.equal(code, 130, live.errors())
    assert.deepEqual([last.received, last.unaccounted], [sent - dropped, 0])
    assert.equal(seen.rebalancing!.migrations, last.rebalancing!.migrations)
    assert.ok(last.rebalancing!.epochs > 5)
    assert.ok(last.rebalancing!.migrations <= last.rebalancing!.wishes)
    assert.ok(Array.isArray(last.state))
  } finally {
    lab.down()
  }
})

test('hybrid says what all workers came to have; after SIGKILL nothing is left', { skip }, async () => {
  const lab = oneWire(2)
  try {
    const args = [
      knocking,
      '--iface',
      'b',
      '-s',
      'hybrid',
      '--cores',
      '3',
      '--epoch',
      '50ms',
      '--queue',
      '8192',
      '--state',
    ]
    const killed = await begin(lab, ...args)
    assert.equal(lab.interface('box', 'b').xdp.length, 1)
    killed.child.kill('SIGKILL')
    await killed.end()
    assert.deepEqual(lab.interface('box', 'b').xdp, [])
    const live = await begin(lab, ...args)
    // One flow: its bucket is all of the traffic.
    const [frame] = knockingFrames()
    const sender = lab.inNamespace('gen', () =>
      openLiveSender({ packets: [frame], device: 'a', rate: 10_000 }),
    )
    const { sent, dropped } = await sender.send(8000)
    sender.close()
    const { stdout } = await lab.run('box', [process.execPath, main, 'top', '--json', '-n', '1', 'b'])
    const [seen] = (JSON.parse(stdout) as Top).programs
    const { code, last } = await live.end('SIGINT')
    assert.equal(code, 130, live.errors())
    assert.deepEqual([last.received, last.unaccounted], [sent - dropped, 0])
    assert.ok(last.rebalancing!.promotions! >= 1, JSON.stringify(last))
    assert.equal(last.rebalancing!.spread, last.rebalancing!.promotions! - last.rebalancing!.demotions!)
    assert.ok(seen.rebalancing!.promotions! >= 1)
    assert.ok(
      last.workers.every(w => w.packets > 1000),
      JSON.stringify(last),
    )
    assert.ok(Array.isArray(last.state))
  } finally {
    lab.down()
  }
})
