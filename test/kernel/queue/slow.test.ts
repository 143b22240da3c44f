import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { pool as poolField, socket as field } from '../../../src/backend/wasm/rings/memory.js'
import { QueueCrew } from '../../../src/engine/queue/crew.js'
import { everything } from '../../../src/engine/queue/match.js'
import { openPool } from '../../../src/engine/queue/pool.js'
import { livePartsOf, makeLiveMemory, planLive } from '../../../src/engine/queue/program.js'
import { loadSteering } from '../../../src/engine/queue/steering.js'
import { workerSocket } from '../../../src/engine/queue/turn.js'
import { shared } from '../../../src/strategy/shared.js'
import { attachXdp } from '../../../src/sys/xdp.js'
import { openLiveSender } from '../../../src/traffic/live.js'
import { counterProgram, verdicts } from '../counter.js'
import { withoutAfXdp } from '../probes.js'
import { hosts, udpFrame, verdictsByPort } from './hosts.js'

test(
  'a worker that is slow holds up its own packets only: what the other sends leaves, and comes home',
  { skip: withoutAfXdp },
  async () => {
    const lab = hosts()
    const back = counterProgram(verdicts.drop, 'test_back')
    const wire = lab.interface('right', 'wire')
    const artifact = verdictsByPort(wire.index)
    const live = planLive(
      artifact,
      { strategy: shared, cores: 2 },
      { pools: 1, socketsPerPool: 2, frames: 4096, frameSize: 2048, batch: 16 },
    )
    if ('error' in live) throw new Error(live.error)
    const { layout } = live
    const memory = makeLiveMemory(artifact, live)
    const view = new DataView(memory.buffer)
    const steering = loadSteering(everything, 2)
    const crew = new QueueCrew(livePartsOf(artifact, live, memory), live, [], process.hrtime.bigint())
    const options = {
      interfaceIndex: wire.index, queue: 0, mode: 'either', needWakeup: true, busyPoll: 0,
    } as const // prettier-ignore
    const opening = lab.inNamespace('right', () => ({ pool: openPool(memory, layout, 0, options) }))
    const pool = await opening.pool
    const attachment = lab.inNamespace('right', () => attachXdp(steering.program, 'wire', 'native'))
    const far = lab.inNamespace('left', () => attachXdp(back.program, 'out', 'native'))
    try {
      for (const w of [0, 1]) await crew.open(w, workerSocket(pool, w, { receives: true, forwards: false }))
      steering.setSockets(0, pool.sockets)
      // 16 packets of a batch and 200 ms of sleep: 80 packets a second.
      await crew.slow(0, 200)
      const sender = lab.inNamespace('left', () =>
        openLiveSender({ packets: [udpFrame(3)], device: 'out', rate: 10_000 }),
      )
      const { sent } = await sender.send(2000)
      sender.close()
      const [slow, quick] = layout.places[0].sockets.map(({ block }) => ({
        received: () => Number(view.getBigUint64(block + field.received, true)),
        transmitted: () => Number(view.getBigUint64(block + field.transmitted, true)),
      }))
      const completed = (): number =>
        Number(view.getBigUint64(layout.places[0].block + poolField.completed, true))
      for (const end = performance.now() + 1000; quick.transmitted() < sent / 2 && performance.now() < end;)
        await pause(10)
      assert.equal(quick.received(), sent / 2)
      assert.equal(quick.transmitted(), sent / 2, 'all of the quick worker has left')
      assert.ok(slow.received() < sent / 4, `the slow one is far behind: ${slow.received()}`)
      await pause(50)
      assert.ok(completed() >= sent / 2, 'and has been seen to leave')
      const { sendDropped } = lab.interface('right', 'wire').counters
      assert.ok(back.count() + sendDropped >= sent / 2)
    } finally {
      steering.setSockets(0, undefined)
      await crew.stop()
      attachment.detach()
      far.detach()
      pool.close()
      steering.close()
      back.close()
      lab.down()
    }
  },
)
