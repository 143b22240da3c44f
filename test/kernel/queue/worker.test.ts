import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { socket as field } from '../../../src/backend/wasm/rings/memory.js'
import { QueueCrew } from '../../../src/engine/queue/crew.js'
import { everything } from '../../../src/engine/queue/match.js'
import { openPool } from '../../../src/engine/queue/pool.js'
import { livePartsOf, makeLiveMemory, planLive } from '../../../src/engine/queue/program.js'
import { loadSteering } from '../../../src/engine/queue/steering.js'
import { workerSocket } from '../../../src/engine/queue/turn.js'
import { shared } from '../../../src/strategy/shared.js'
import { single } from '../../../src/strategy/single.js'
import { attachXdp } from '../../../src/sys/xdp.js'
import { openLiveSender } from '../../../src/traffic/live.js'
import { counterProgram, verdicts } from '../counter.js'
import { withoutAfXdp } from '../probes.js'
import { hosts, udpFrame, verdictsByPort } from './hosts.js'

for (const workers of [1, 2])
  test(
    `${workers} worker(s) on a queue: every packet is dropped, sent back or counted as lost, and no frame leaks`,
    { skip: withoutAfXdp },
    async () => {
      const lab = hosts()
      const back = counterProgram(verdicts.drop, 'test_back')
      const wire = lab.interface('right', 'wire')
      const artifact = verdictsByPort(wire.index)
      const live = planLive(
        artifact,
        { strategy: workers === 1 ? single : shared, cores: workers },
        { pools: 1, socketsPerPool: workers, frames: 1024, frameSize: 2048, batch: 64 },
      )
      if ('error' in live) throw new Error(live.error)
      const { layout } = live
      const memory = makeLiveMemory(artifact, live)
      const view = new DataView(memory.buffer)
      const steering = loadSteering(everything, workers)
      const crew = new QueueCrew(livePartsOf(artifact, live, memory), live, [], process.hrtime.bigint())
      const options = {
        interfaceIndex: wire.index, queue: 0, mode: 'either', needWakeup: true, busyPoll: 0,
      } as const // prettier-ignore
      try {
        const pool = await lab.inNamespace('right', () => ({ opening: openPool(memory, layout, 0, options) }))
          .opening
        assert.deepEqual(pool.mode, { zeroCopy: false, needWakeup: true, busyPoll: 0, sendBudget: 1024 })
        for (let w = 0; w < workers; w++)
          await crew.open(w, workerSocket(pool, w, { receives: true, forwards: false }))
        steering.setSockets(0, pool.sockets)
        const attachment = lab.inNamespace('right', () => attachXdp(steering.program, 'wire', 'native'))
        const far = lab.inNamespace('left', () => attachXdp(back.program, 'out', 'native'))
        const sender = lab.inNamespace('left', () =>
          openLiveSender({
            packets: [1, 2, 3, 3, 4, 4, 4, 9].map(udpFrame),
            device: 'out',
            rate: 200_000,
          }),
        )
        const { sent } = await sender.send(80_000)
        sender.close()
        await pause(200)
        assert.equal(crew.failure, undefined)
        const sum = (name: keyof typeof field): number =>
          layout.places[0].sockets.reduce(
            (a, s) => a + Number(view.getBigUint64(s.block + field[name], true)),
            0,
          )
        const { taken } = steering.counts(0)
        const lost = pool.statistics()
        assert.equal(taken, sent)
        assert.equal(sum('received') + Number(lost.dropped + lost.receiveRingFull), taken, 'received')
        const [dropped, noKernel, transmitted, noTarget, full] = [
          sum('dropped'), sum('noKernel'), sum('transmitted'), sum('noTarget'), sum('sendRingFull'),
        ] // prettier-ignore
        // Nothing leads to the kernel here, and no other interface is open.
        assert.equal(dropped + noKernel + transmitted + noTarget + full, sum('received'), 'conservation')
        if (Number(lost.dropped + lost.receiveRingFull) === 0) {
          assert.deepEqual([dropped, noKernel, noTarget], [20_000, 10_000, 30_000])
          assert.equal(transmitted + full, 20_000)
        }
        assert.equal(sum('posted'), transmitted)
        // The ring of the other end is short, and drops are its device's to count.
        const { sendDropped } = lab.interface('right', 'wire').counters
        assert.equal(back.count() + sendDropped, transmitted, 'what was sent arrives')
        await crew.close(0, 0)
        if (workers > 1) await crew.close(1, 0)
        // Every frame that came in went back to the kernel, once.
        const counted = view.getUint32(layout.places[0].block + 12, true)
        assert.equal(counted - sum('received'), 1024, 'no frame leaks')
        assert.ok(
          workers === 1 ||
            layout.places[0].sockets.every(s => view.getBigUint64(s.block + field.received, true) > 0n),
        )
        attachment.detach()
        far.detach()
        pool.close()
      } finally {
        await crew.stop()
        steering.close()
        back.close()
        lab.down()
      }
    },
  )
