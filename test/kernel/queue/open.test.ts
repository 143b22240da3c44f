import assert from 'node:assert/strict'
import { release } from 'node:os'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { openQueue } from '../../../src/engine/queue/open.js'
import type { Queue, QueueOptions } from '../../../src/index.js'
import type { Lab } from '../../../src/lab/lab.js'
import { interfaces } from '../../../src/sys/interfaces.js'
import { attachXdp } from '../../../src/sys/xdp.js'
import { openLiveSender } from '../../../src/traffic/live.js'
import { counterProgram, verdicts } from '../counter.js'
import { withoutAfXdp } from '../probes.js'
import { hosts, udpFrame, udpServer } from './hosts.js'

/** Opens a queue of the lab's `wire`. */
const open = (lab: Lab, queue = 0, options: QueueOptions = {}): Promise<Queue> =>
  lab.inNamespace('right', () => ({ opening: openQueue('wire', queue, options) })).opening

/** Sends packets, as the program of the other end allows. */
async function send(lab: Lab, ports: readonly number[], count: number, rate = 100_000): Promise<void> {
  const sender = lab.inNamespace('left', () =>
    openLiveSender({ packets: ports.map(udpFrame), device: 'out', rate }),
  )
  await sender.send(count)
  sender.close()
}

test(
  'openQueue: packets are views, are given to the kernel or sent back, and what is made goes either way',
  { skip: withoutAfXdp },
  async () => {
    const lab = hosts()
    const back = counterProgram(verdicts.drop, 'test_back')
    try {
      const server = await udpServer(lab, 'right', '10.77.0.2', 53)
      const queue = await open(lab)
      assert.equal(queue.mode.zeroCopy, false)
      assert.equal(queue.mode.xdp, 'native')
      const far = lab.inNamespace('left', () => attachXdp(back.program, 'out', 'native'))
      const ports = new Map<number, number>()
      const receiving = (async () => {
        for await (const batch of queue)
          for (const packet of batch) {
            const port = packet.getUint16(36)
            ports.set(port, (ports.get(port) ?? 0) + 1)
            assert.equal(packet.bytes.buffer, queue.memory.buffer, 'a view')
            assert.equal(packet.bytes[12], 8)
            if (port === 53) queue.inject(packet)
            if (port === 7) queue.transmit(packet)
          }
      })()
      await send(lab, [53, 7, 9, 9], 4000)
      await pause(300)
      assert.deepEqual([...ports].toSorted(([a], [b]) => a - b), [[7, 1000], [9, 2000], [53, 1000]]) // prettier-ignore
      assert.equal(queue.inject(udpFrame(53)), true)
      assert.equal(queue.transmit(udpFrame(7)), true)
      await pause(100)
      const statistics = queue.statistics()
      await queue.close()
      await receiving
      assert.deepEqual(statistics, {
        taken: 4000, elsewhere: 0, received: 4000, receivedBytes: 240_000, dropped: 2000, injected: 1000,
        transmitted: 1000, sendRingFull: 0, frameMissing: 0, receiveRingFull: 0, fillRingEmpty: 0, made: 2, up: true,
      }) // prettier-ignore
      assert.equal(back.count() + lab.interface('right', 'wire').counters.sendDropped, 1001)
      assert.equal(await server.count(), 1001, 'a socket of that address gets what is injected')
      server.stop()
      far.detach()
      assert.deepEqual(lab.interface('right', 'wire').xdp, [], 'nothing stays attached')
    } finally {
      back.close()
      lab.down()
    }
  },
)

test('openQueue says what is wrong before and while it is open', { skip: withoutAfXdp }, async () => {
  const lab = hosts(2)
  try {
    const refused = (queue: number, options: QueueOptions, reason: RegExp): Promise<void> =>
      assert.rejects(() => open(lab, queue, options), reason)
    await refused(2, {}, /wire has no receive queue 2: it has 2, 0 to 1/)
    await refused(-1, {}, /no receive queue -1/)
    await refused(0, { steer: 'port 53' }, /say src port or dst port/)
    await refused(0, { frames: 100 }, /a power of two from 64/)
    await refused(0, { frameSize: 1024 as 2048 }, /2048 or 4096 bytes, not 1024/)
    await refused(0, { mode: 'zeroCopy' }, /without copying .* needs a driver/)
    await lab.run('right', ['ip', 'link', 'set', 'dev', 'wire', 'mtu', '3823'])
    await refused(0, {}, /up to 3823 bytes, .* which holds 3822: ip link set dev wire mtu 3822/)
    await lab.run('right', ['ip', 'link', 'set', 'dev', 'wire', 'mtu', '3400'])
    const jumbo = await open(lab, 0)
    assert.equal(jumbo.memory.length % (4096 * 4096), 0, 'frames of 4096 bytes')
    await jumbo.close()
    await lab.run('right', ['ip', 'link', 'set', 'dev', 'wire', 'mtu', '1500'])
    await assert.rejects(() => openQueue('nosuch', 0), /there is no interface nosuch/)

    // Two queues of an interface share its XDP program, if they want the same packets.
    const second = await open(lab, 1, { steer: 'udp' })
    await refused(0, {}, /another queue of wire is open with steer 'udp'/)
    const third = await open(lab, 0, { steer: 'udp' })
    await second.close()
    assert.equal(lab.interface('right', 'wire').xdp.length, 1, 'the other goes on')
    await third.close()
    assert.deepEqual(lab.interface('right', 'wire').xdp, [])
    const first = await open(lab, 0)
    await refused(0, {}, /another socket with memory of its own has the queue/)
    await first.close()
    assert.deepEqual(
      lab.inNamespace('right', () => interfaces().map(i => i.name)),
      ['lo', 'wire'],
      'no hp0 is left',
    )
    // The kernel gives the queue back.
    const queue = await open(lab, 0)
    const ended = (async () => {
      for await (const batch of queue) void batch
    })()
    const began = performance.now()
    await lab.run('right', ['ip', 'link', 'set', 'dev', 'wire', 'down'])
    while (queue.statistics().up && performance.now() - began < 3000) await pause(20)
    assert.equal(queue.statistics().up, false, 'an interface that is down is told within 3 s')
    await lab.run('right', ['ip', 'link', 'delete', 'dev', 'wire'])
    const gone = performance.now()
    await assert.rejects(() => ended, /interface wire has gone/)
    assert.ok(performance.now() - gone < 3000)
    await queue.close()
  } finally {
    lab.down()
  }
})

test(
  'too few frames, or a slow reader: what is lost is counted, and never more',
  { skip: withoutAfXdp },
  async () => {
    const lab = hosts()
    try {
      const queue = await open(lab, 0, { frames: 64, batch: 16 })
      let received = 0
      const receiving = (async () => {
        for await (const batch of queue) {
          received += batch.length
          await pause(1)
        }
      })()
      await send(lab, [9], 20_000, 400_000)
      await pause(200)
      const { taken, frameMissing, receiveRingFull, fillRingEmpty, dropped } = queue.statistics()
      await queue.close()
      await receiving
      assert.equal(taken, 20_000)
      assert.ok(frameMissing > 1000 && fillRingEmpty > 1000, `${frameMissing} ${fillRingEmpty}`)
      assert.equal(received + frameMissing + receiveRingFull, taken)
      assert.equal(dropped, received)
    } finally {
      lab.down()
    }
  },
)

test(
  'openQueue: busy polling of a veth is taken, polls nothing since Linux 6.13, and says so; packets come all the same',
  { skip: withoutAfXdp },
  async () => {
    const lab = hosts()
    try {
      const queue = await open(lab, 0, { busyPoll: 20 })
      let packets = 0
      const receiving = (async () => {
        for await (const batch of queue) packets += batch.length
      })()
      await send(lab, [53], 1000)
      await pause(200)
      const [major, minor] = release().split('.').map(Number)
      assert.equal(queue.mode.busyPoll, major > 6 || (major === 6 && minor >= 13) ? 0 : 20)
      assert.equal(packets, 1000)
      await queue.close()
      await receiving
      assert.equal(queue.mode.busyPoll, 0, 'nothing is polled any more')
    } finally {
      lab.down()
    }
  },
)
