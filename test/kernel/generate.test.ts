// Generating and replaying out of a veth: at the other end an XDP program counts.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { up } from '../../src/lab/lab.js'
import { attachXdp } from '../../src/sys/xdp.js'
import { openLiveSender } from '../../src/traffic/live.js'
import { defaultStream, streamPackets } from '../../src/traffic/stream.js'
import { transmit } from '../../src/traffic/transmission.js'
import { XdpSender } from '../../src/traffic/xdp-sender.js'
import { counterProgram, verdicts } from './counter.js'
import { without, withoutAfXdp } from './probes.js'

const cable = {
  namespaces: { left: {}, right: {} },
  pairs: [
    {
      ends: [
        { namespace: 'left', device: 'a' },
        { namespace: 'right', device: 'b' },
      ] as const,
    },
  ],
}

test(
  'packets leave at their own times, and completions are counted',
  { skip: without('liveFrames') },
  async () => {
    const lab = up(cable)
    const counter = counterProgram(verdicts.drop)
    try {
      const attachment = lab.inNamespace('right', () => attachXdp(counter.program, 'b', 'native'))
      const packets = [64, 200, 1518].flatMap(size => streamPackets({ ...defaultStream, size, flows: 2 }))
      // Six packets in 40 ms, with a gap that no spinning covers; again after 50 ms.
      const times = Float64Array.of(0, 1e3, 1e6, 1e6, 39e6, 40e6)
      const sender = lab.inNamespace('left', () =>
        openLiveSender({ packets, device: 'a', times, span: 50e6 }),
      )
      const order = { count: 15, seconds: Infinity, drain: 500 }
      const found = await transmit(sender, packets, order, 0.5)
      sender.close()
      // The fifteenth packet is the third of the third round: 2 × 50 ms and 1 ms.
      assert.ok(found.seconds >= 0.101 && found.seconds < 2, `${found.seconds} s`)
      assert.deepEqual([found.sent, found.completed, found.dropped, found.unaccounted], [15, 15, 0, 0])
      assert.equal(counter.count(), 15)
      const lengths = [0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5, 0, 1, 2].map(k => packets[k].length)
      const bytes = lengths.reduce((a, b) => a + b, 0)
      assert.equal(lab.interface('right', 'b').counters.receivedBytes, bytes)
      attachment.detach()
      assert.throws(
        () => lab.inNamespace('left', () => openLiveSender({ packets, device: 'a', times, span: 1 })),
        /span ends after/,
      )
    } finally {
      counter.close()
      lab.down()
    }
  },
)

test(
  'a socket sends every packet in order, more of them than it has frames, and completes them all',
  { skip: withoutAfXdp },
  async () => {
    const lab = up(cable)
    const counter = counterProgram(verdicts.drop)
    try {
      const attachment = lab.inNamespace('right', () => attachXdp(counter.program, 'b', 'native'))
      for (const flows of [3, 5000]) {
        const packets = streamPackets({ ...defaultStream, size: 128, flows })
        const sender = lab.inNamespace('left', () => XdpSender.open({ packets, device: 'a', queue: 0 }))
        await sender.bind()
        const before = counter.count()
        const found = await transmit(sender, packets, { count: 6000, seconds: Infinity, drain: 2000 })
        sender.close()
        assert.deepEqual([found.sent, found.completed, found.unaccounted], [6000, 6000, 0])
        assert.equal(counter.count() - before, 6000)
      }
      attachment.detach()
      const { packets } = { packets: streamPackets(defaultStream) }
      const open = (device: string, queue: number) =>
        lab.inNamespace('left', () => XdpSender.open({ packets, device, queue }))
      assert.throws(() => open('none', 0), /no device none/)
      assert.throws(() => open('a', 7), /a has 1 send queues/)
    } finally {
      counter.close()
      lab.down()
    }
  },
)
