import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { compile } from '../../../src/compile.js'
import { runLive } from '../../../src/engine/queue/live-run.js'
import { dumpState } from '../../../src/state/dump.js'
import { stateMemory } from '../../../src/state/memory.js'
import { strategyWith } from '../../../src/strategy/strategies.js'
import { interfaces } from '../../../src/sys/interfaces.js'
import { attachXdp } from '../../../src/sys/xdp.js'
import { openLiveSender } from '../../../src/traffic/live.js'
import { counterProgram, verdicts } from '../counter.js'
import { withoutAfXdp } from '../probes.js'
import { hosts, udpFrame } from './hosts.js'

/** Counts packets of each source; every fourth of a source goes back. */
const source = `import { type Packet, Verdict, ipv4, table, u32 } from 'hairpin'
const sources = table({ key: ipv4, value: { packets: u32 }, capacity: 64 })
export default function fourth(packet: Packet): Verdict {
  const ip = packet.ipv4
  if (!ip) return Verdict.Drop
  const entry = sources.upsert(ip.source)
  if (!entry) return Verdict.Drop
  entry.packets += 1
  return entry.packets % 4 === 0 ? Verdict.Transmit : Verdict.Drop
}
`
const { compiled } = compile('fourth.ts', source, { hybrid: true })

const cases = [
  ['single', 1],
  ['replicated', 2],
  ['replicated', 3, 'value'],
  ['sharded', 2],
  ['rebalanced', 2],
  ['hybrid', 2],
  ['shared', 2],
] as const

test(
  'live packets by every strategy: conservation is exact, and replicas end equal',
  { skip: withoutAfXdp },
  async t => {
    const lab = hosts(2)
    const back = counterProgram(verdicts.drop, 'test_back')
    const far = lab.inNamespace('left', () => attachXdp(back.program, 'out', 'native'))
    let returned = 0
    try {
      for (const [name, cores, history] of cases)
        await t.test(`${name}${history ? ` by ${history}` : ''}, ${cores} worker(s)`, async () => {
          const strategy = strategyWith(name, { ...(history && { history }) })!
          let stop = false
          let opened = (): void => {}
          const ready = new Promise<void>(resolve => (opened = resolve))
          const running = lab.inNamespace('right', () => ({
            result: runLive({
              devices: ['wire'],
              artifact: compiled!.artifact,
              run: { strategy, cores },
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
          const sender = lab.inNamespace('left', () =>
            openLiveSender({ packets: [udpFrame(9)], device: 'out', rate: 40_000 }),
          )
          // With silence in between, after which nothing may be done twice.
          let sent = 0
          for (let burst = 0; burst < 4; burst++) {
            sent += (await sender.send(2000)).sent
            await pause(40)
          }
          sender.close()
          stop = true
          const { run, figures, blocks } = await running
          const lost = figures.drops.frameMissing + figures.drops.receiveRingFull
          assert.equal(figures.taken, sent)
          assert.equal(figures.unaccounted, 0, JSON.stringify(figures))
          assert.equal(run.received + lost, sent)
          // One source: every fourth, whatever the strategy.
          const transmit = Math.floor(run.received / 4)
          assert.equal(figures.transmitted + figures.drops.sendRingFull, transmit)
          assert.equal(run.verdicts[3].packets, transmit)
          await pause(50)
          // The ring of the other end is short, and drops are its device's to count.
          const arrived = back.count() + lab.interface('right', 'wire').counters.sendDropped
          assert.equal(arrived - returned, figures.transmitted)
          returned = arrived
          // The state is that of a serial run over what was received: each packet counted once.
          const packetsOf = (at: number): number =>
            dumpState(stateMemory(run.memory.buffer), at, compiled!.artifact.stateLayout)
              .flatMap(dump => (dump.kind === 'table' ? dump.entries : []))
              .reduce((sum, { value }) => sum + Number(value[0]), 0)
          if (name === 'replicated') for (const at of blocks) assert.equal(packetsOf(at), run.received)
          else if (name !== 'hybrid')
            assert.equal(
              blocks.reduce((n, at) => n + packetsOf(at), 0),
              run.received,
            )
          if (name === 'replicated') {
            const bytes = new Uint8Array(run.memory.buffer)
            const [first, ...others] = blocks.map(at =>
              bytes.slice(at, at + compiled!.artifact.stateLayout.size),
            )
            for (const other of others) assert.deepEqual(other, first, 'replicas are equal after the flush')
            assert.ok(run.workers.every(w => w.packets > 0))
          }
          assert.equal(
            run.workers.reduce((sum, w) => sum + w.packets, 0),
            run.received,
          )
          assert.deepEqual(
            lab.inNamespace('right', () => interfaces().map(i => i.name)),
            ['lo', 'wire'],
          )
          assert.deepEqual(lab.interface('right', 'wire').xdp, [])
        })
    } finally {
      far.detach()
      back.close()
      lab.down()
    }
  },
)
