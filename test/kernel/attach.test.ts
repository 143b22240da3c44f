import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { up } from '../../src/lab/lab.js'
import type { Lab } from '../../src/lab/lab.js'
import { SystemError, Unsupported } from '../../src/sys/failure.js'
import { linkIds, linkInfo, links, programInfo, programIds } from '../../src/sys/info.js'
import { findInterface } from '../../src/sys/interfaces.js'
import { kernel, replaceKernel } from '../../src/sys/kernel.js'
import { LiveFrameRun, park } from '../../src/sys/live-frames.js'
import { mountBpfFilesystem, openPinnedLink, unpin } from '../../src/sys/pin.js'
import { holders } from '../../src/sys/process.js'
import { attachXdp } from '../../src/sys/xdp.js'
import { builtFile } from '../../tools/sources.js'
import { counterProgram, frame, verdicts } from './counter.js'
import { without, withoutLab } from './probes.js'

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

test(
  'a program on a veth counts live frames, and goes without a trace',
  { skip: without('liveFrames') },
  () => {
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
  },
)

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

test('a link dies with its owner, however that ends, unless it is pinned', { skip }, async () => {
  const lab = up(pair)
  const pins = mkdtempSync(join(tmpdir(), 'hairpin-pins-'))
  try {
    mountBpfFilesystem(pins)
    const place = (file: string): string => JSON.stringify(builtFile(file))
    for (const pinned of [false, true]) {
      const script = `Promise.all([${['src/sys/xdp.ts', 'src/sys/namespace.ts', 'src/sys/pin.ts', 'test/kernel/counter.ts'].map(file => `import(${place(file)})`).join(', ')}])
        .then(([{ attachXdp }, { inNamespace }, { pin }, { counterProgram }]) => {
          const { program } = counterProgram(2, 'test_orphan')
          const { link } = inNamespace(${JSON.stringify(lab.path('right'))}, () => attachXdp(program, 'b', 'native'))
          if (${pinned}) pin(link, ${JSON.stringify(join(pins, 'link'))})
          console.log('attached')
          setInterval(() => {}, 1000)
        })`
      const owner = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
      await once(owner.stdout, 'data')
      assert.equal(lab.interface('right', 'b').xdp.length, 1)
      owner.kill('SIGKILL')
      await once(owner, 'exit')
      assert.equal(lab.interface('right', 'b').xdp.length, pinned ? 1 : 0)
    }
    const link = openPinnedLink(join(pins, 'link'))
    link.detach()
    assert.deepEqual(lab.interface('right', 'b').xdp, [])
    assert.equal(linkInfo(link).interfaceIndex, 0)
    link.close()
    unpin(join(pins, 'link'))

    const counter = counterProgram(verdicts.pass)
    lab.inNamespace('right', () => attachXdp(counter.program, 'b', 'native').detach())
    counter.close()
  } finally {
    kernel().umount(pins, 2)
    rmdirSync(pins)
    lab.down()
  }
})

test('a kernel without links for XDP is served over netlink', { skip }, () => {
  withLab(lab => {
    const counter = counterProgram(verdicts.pass)
    const real = kernel()
    const LINK_CREATE = 28
    const restore = replaceKernel({
      ...real,
      bpf: (command, attributes) => (command === LINK_CREATE ? -22 : real.bpf(command, attributes)),
    })
    try {
      lab.inNamespace('right', () => {
        for (const mode of ['native', 'generic'] as const) {
          const attachment = attachXdp(counter.program, 'b', mode)
          assert.equal(attachment.link, undefined)
          assert.equal(attachment.mode, mode)
          assert.throws(() => attachXdp(counter.program, 'b', mode), /the device has a program already/)
          attachment.detach()
          attachment.detach()
          assert.deepEqual(findInterface('b')?.xdp, [])
        }
      })
    } finally {
      restore()
      counter.close()
    }
  })
})
