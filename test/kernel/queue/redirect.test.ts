import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { compile } from '../../../src/compile.js'
import { runLive } from '../../../src/engine/queue/live-run.js'
import { up } from '../../../src/lab/lab.js'
import { strategyWith } from '../../../src/strategy/strategies.js'
import { interfaces } from '../../../src/sys/interfaces.js'
import { attachXdp } from '../../../src/sys/xdp.js'
import { openLiveSender } from '../../../src/traffic/live.js'
import { counterProgram, verdicts } from '../counter.js'
import { withoutAfXdp } from '../probes.js'
import { udpFrame } from './hosts.js'

/** What comes in by one interface leaves by the other; one sum counts both. */
const source = (
  one: number,
  other: number,
): string => `import { type Packet, Verdict, cell, redirect, u32 } from 'hairpin'
const sum = cell(u32)
export default function cross(packet: Packet): Verdict {
  sum.set(sum.get() + 1)
  if (packet.device === ${one}) return redirect(${other})
  if (packet.device === ${other}) return redirect(${one})
  return redirect(1)
}
`

test(
  'two interfaces, one sequencer: packets cross without being copied, and state is of both',
  { skip: withoutAfXdp },
  async () => {
    const lab = up({
      namespaces: { left: {}, right: {} },
      pairs: ['a', 'b'].map(name => ({
        ends: [
          { namespace: 'left', device: `out${name}` },
          { namespace: 'right', device: `wire${name}` },
        ] as const,
      })),
    })
    const counters = ['a', 'b'].map(name => counterProgram(verdicts.drop, `test_${name}`))
    try {
      const [one, other] = ['a', 'b'].map(name => lab.interface('right', `wire${name}`).index)
      const { compiled } = compile('cross.ts', source(one, other))
      let stop = false
      let opened = (): void => {}
      const ready = new Promise<void>(resolve => (opened = resolve))
      const running = lab.inNamespace('right', () => ({
        result: runLive({
          devices: ['wirea', 'wireb'],
          artifact: compiled!.artifact,
          run: { strategy: strategyWith('replicated', {})!, cores: 2 },
          mode: 'either',
          xdp: 'native',
          frames: 4096,
          batch: 256,
          busyPoll: 0,
          stopped: () => stop,
          ready: () => opened(),
        }),
      })).result
      running.catch(() => {})
      await Promise.race([ready, running])
      for (const [k, name] of ['a', 'b'].entries())
        lab.inNamespace('left', () => attachXdp(counters[k].program, `out${name}`, 'native'))
      for (const [name, count] of [
        ['outa', 3000],
        ['outb', 1000],
      ] as const) {
        const sender = lab.inNamespace('left', () =>
          openLiveSender({ packets: [udpFrame(9)], device: name, rate: 20_000 }),
        )
        await sender.send(count)
        sender.close()
      }
      await pause(100)
      stop = true
      const { run, figures, blocks } = await running
      await pause(50)
      assert.equal(figures.taken, 4000)
      assert.equal(figures.unaccounted, 0)
      const lost = figures.drops.frameMissing + figures.drops.receiveRingFull + figures.drops.sendRingFull
      assert.equal(figures.redirected, 4000 - lost)
      const arrived = counters.map(
        (c, k) => c.count() + lab.interface('right', `wire${'ab'[k]}`).counters.sendDropped,
      )
      assert.equal(arrived[0] + arrived[1], figures.redirected)
      if (lost === 0) assert.deepEqual(arrived, [1000, 3000], 'what came in by one left by the other')
      const view = new DataView(run.memory.buffer)
      const cell = compiled!.artifact.stateLayout.objects[0]
      for (const at of blocks) {
        const size = compiled!.artifact.stateLayout.size
        const words = Array.from({ length: size / 4 }, (_, k) => view.getUint32(at + 4 * k, true))
        assert.ok(words.includes(run.received), `${cell.name} is ${run.received} in each replica`)
      }
      assert.deepEqual(
        lab.inNamespace('right', () => interfaces().map(i => i.name)),
        ['lo', 'wirea', 'wireb'],
      )
    } finally {
      for (const counter of counters) counter.close()
      lab.down()
    }
  },
)
