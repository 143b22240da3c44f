import assert from 'node:assert/strict'
import { test } from 'node:test'
import { up } from '../../src/lab/lab.js'
import { foundNamespaces } from '../../src/lab/name.js'
import { Unsupported } from '../../src/sys/failure.js'
import { attachXdp } from '../../src/sys/xdp.js'
import { openLiveSender } from '../../src/traffic/live.js'
import { counterProgram, frame, verdicts } from './counter.js'
import { without } from './probes.js'

test(
  'live frames leave whole, in turn, at their rate and up to their number',
  { skip: without('liveFrames') },
  async () => {
    const lab = up({
      namespaces: { left: {}, right: {} },
      pairs: [
        {
          ends: [
            { namespace: 'left', device: 'a' },
            { namespace: 'right', device: 'b' },
          ],
        },
      ],
    })
    const counter = counterProgram(verdicts.drop)
    const packets = [frame(60), frame(1500), frame(14)]
    try {
      const open = (rate?: number) =>
        lab.inNamespace('left', () => openLiveSender({ packets, device: 'a', rate }))
      assert.throws(
        () => open(1000),
        (error: unknown) =>
          error instanceof Unsupported && /attach an XDP program to its other end/.test(error.message),
      )
      const attachment = lab.inNamespace('right', () => attachXdp(counter.program, 'b', 'native'))

      const paced = open(20_000)
      const report = await paced.send(3000)
      assert.equal(report.sent, 3000)
      assert.equal(report.dropped, 0)
      assert.ok(report.seconds >= (2999 / 20_000) * 0.999, `faster than asked: ${report.seconds} s`)
      assert.equal(counter.count(), 3000)
      assert.equal(lab.interface('right', 'b').counters.receivedBytes, 1000 * (60 + 1500 + 14))

      const stopped = await paced.send(1_000_000, AbortSignal.timeout(30))
      assert.ok(stopped.sent > 0 && stopped.sent < 1_000_000)
      paced.close()
      paced.close()

      const unpaced = open()
      const before = counter.count()
      const { sent, dropped } = await unpaced.send(10_000)
      assert.equal(sent, 10_000)
      assert.equal(counter.count() - before + dropped, 10_000)
      unpaced.close()
      attachment.detach()

      assert.throws(
        () => lab.inNamespace('left', () => openLiveSender({ packets: [], device: 'a' })),
        RangeError,
      )
      assert.throws(
        () => lab.inNamespace('left', () => openLiveSender({ packets: [frame(60)], device: 'none' })),
        /no device none/,
      )
    } finally {
      counter.close()
      lab.down()
    }
    assert.deepEqual(
      foundNamespaces().filter(({ owner }) => owner?.pid === process.pid),
      [],
    )
  },
)
