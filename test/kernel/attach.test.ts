import assert from 'node:assert/strict'
import { test } from 'node:test'
import { up } from '../../src/lab/lab.js'
import type { Lab } from '../../src/lab/lab.js'
import { SystemError, Unsupported } from '../../src/sys/failure.js'
import { linkIds, linkInfo, links, programInfo, programIds } from '../../src/sys/info.js'
import { LiveFrameRun, park } from '../../src/sys/live-frames.js'
import { holders } from '../../src/sys/process.js'
import { attachXdp } from '../../src/sys/xdp.js'
import { counterProgram, frame, verdicts } from './counter.js'
import { withoutLab } from './probes.js'

const skip = withoutLab

const pair = {
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

function withLab(body: (lab: Lab) => void): void {
  const lab = up(pair)
  try {
    body(lab)
  } finally {
    lab.down()
  }
}

test('a program on a veth counts live frames, and goes without a trace', { skip }, () => {
  const mine: Record<'programs' | 'links', number[]> = { programs: [], links: [] }
  withLab(lab => {
    const counter = counterProgram(verdicts.drop)
    const sender = counterProgram(verdicts.transmit, 'test_sender')
    const [near, far] = [lab.interface('left', 'a'), lab.interface('right', 'b')]
    const attachment = lab.inNamespace('right', () => attachXdp(counter.program, 'b', 'auto'))
    assert.equal(attachment.mode, 'native')
    assert.equal(attachment.refusal, undefined)
    const programId = programInfo(counter.program).id
    assert.deepEqual(lab.interface('right', 'b').xdp, [{ mode: 'native', programId }])
    const { id } = linkInfo(attachment.link!)
    mine.links.push(id)
    mine.programs.push(programId, programInfo(sender.program).id)
    assert.deepEqual(
      links().find(link => link.id === id),
      { id, type: 6, programId, interfaceIndex: far.index },
    )
    assert.deepEqual(
      holders('link', id).map(({ pid }) => pid),
      [process.pid],
    )

    lab.inNamespace('left', () => {
      const parked = park(sender.program, near.index)
      const run = new LiveFrameRun(sender.program, {
        data: frame(60),
        ingress: { interfaceIndex: near.index, queue: 0 },
      })
      assert.ok(run.run(1000))
      parked.close()
    })
    assert.equal(sender.count(), 1000)
    assert.equal(counter.count(), 1000)

    attachment.detach()
    attachment.detach()
    assert.deepEqual(lab.interface('right', 'b').xdp, [])
    counter.close()
    sender.close()
  })
  assert.ok(mine.programs.every(id => ![...programIds()].includes(id)))
  assert.ok(mine.links.every(id => ![...linkIds()].includes(id)))
})

test('refusals say what is in the way and what to do', { skip }, () => {
  withLab(lab => {
    const counter = counterProgram(verdicts.pass)
    const other = counterProgram(verdicts.pass, 'test_other')
    const refused = (device: string, mode: 'native' | 'generic' | 'auto'): SystemError | Unsupported => {
      try {
        attachXdp(other.program, device, mode).detach()
      } catch (error) {
        assert.ok(error instanceof SystemError || error instanceof Unsupported)
        return error
      }
      throw new Error('it was attached')
    }
    lab.inNamespace('right', () => {
      const attachment = attachXdp(counter.program, 'b', 'native')
      for (const mode of ['native', 'auto'] as const) {
        assert.match(
          refused('b', mode).message,
          /EBUSY.*native program \d+ \(test_counter\).*hairpin detach b/,
        )
      }
      attachment.detach()
      const generic = attachXdp(counter.program, 'b', 'generic')
      assert.equal(generic.mode, 'generic')
      assert.match(
        refused('b', 'native').message,
        /the device has a program already: generic program \d+ \(test_counter\)/,
      )
      generic.detach()

      const unsupported = refused('lo', 'native')
      assert.ok(unsupported instanceof Unsupported)
      assert.equal(unsupported.feature, 'native XDP on lo')
      assert.match(unsupported.remedy!, /generic/)
      const fallback = attachXdp(other.program, 'lo', 'auto')
      assert.equal(fallback.mode, 'generic')
      assert.ok(fallback.refusal instanceof Unsupported)
      fallback.detach()

      assert.match(refused('none', 'auto').message, /ENODEV.*no interface none/)
    })
    counter.close()
    other.close()
  })
})

test('an MTU that native XDP cannot carry is named, with the way out', { skip }, () => {
  const lab = up({ ...pair, pairs: [{ ...pair.pairs[0], mtu: 9000 }] })
  const counter = counterProgram(verdicts.pass)
  try {
    lab.inNamespace('right', () =>
      assert.throws(
        () => attachXdp(counter.program, 'b', 'native'),
        /ERANGE.*MTU is too large.*ip link set dev b mtu 1500/,
      ),
    )
  } finally {
    counter.close()
    lab.down()
  }
})
