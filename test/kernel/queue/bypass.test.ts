/** hairpin bypass as a user types it, in a lab. */

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import type { Lab } from '../../../src/lab/lab.js'
import { offloads, setOffloads } from '../../../src/sys/ethtool.js'
import { interfaces } from '../../../src/sys/interfaces.js'
import { openLiveSender } from '../../../src/traffic/live.js'
import { root } from '../../../tools/sources.js'
import { folder, main, run } from '../../cli/hairpin.js'
import type { Ended } from '../../cli/hairpin.js'
import { problemsOf } from '../../schema.js'
import { withoutAfXdp } from '../probes.js'
import { answers, hosts, udpFrame, udpServer } from './hosts.js'

type Event = { readonly event: string } & Readonly<Record<string, unknown>>

const schema = JSON.parse(readFileSync(join(root, 'docs/schema/bypass.json'), 'utf8')) as object
const inside = (lab: Lab, args: readonly string[]): string[] => [
  `--net=${lab.path('right')}`,
  process.execPath,
  main,
  'bypass',
  ...args,
]
const hairpin = (lab: Lab, ...args: string[]): Promise<Ended> => run('nsenter', inside(lab, args))
const flags = ['--steer', 'udp dst port 53', 'programs/dns-flood.ts', '--cpu', 'any', '--json']

/** A bypass that runs; `until` waits for an event, which is also checked against the schema. */
class Running {
  readonly child: ChildProcess
  readonly events: Event[] = []
  err = ''
  readonly closed: Promise<unknown[]>

  constructor(lab: Lab, args: readonly string[]) {
    this.child = spawn('nsenter', inside(lab, args), {
      cwd: root,
      env: { ...process.env, HAIRPIN_CACHE: join(folder, 'cache') },
    })
    let text = ''
    this.child.stdout!.on('data', (part: Buffer) => {
      text += part.toString()
      const lines = text.split('\n')
      text = lines.pop()!
      for (const line of lines) {
        const event = JSON.parse(line) as Event
        assert.deepEqual(problemsOf(event, schema), [], line)
        this.events.push(event)
      }
    })
    this.child.stderr!.on('data', (part: Buffer) => (this.err += part.toString()))
    this.closed = once(this.child, 'close')
  }

  async until(wanted: (event: Event) => boolean, milliseconds = 15_000): Promise<Event> {
    for (const end = performance.now() + milliseconds; performance.now() < end; await pause(20)) {
      const found = this.events.find(wanted)
      if (found) return found
      if (this.child.exitCode !== null) break
    }
    throw new Error(`it did not come; there was ${JSON.stringify(this.events.slice(-3))} ${this.err}`)
  }

  async end(signal: NodeJS.Signals): Promise<number | null> {
    this.child.kill(signal)
    const [code] = (await this.closed) as [number | null]
    return code
  }
}

/** A question to a name server, from 10.77.0.N. */
function query(from: number): Uint8Array {
  const bytes = udpFrame(53)
  bytes.set([1, 2, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0], 42)
  bytes[29] = from
  // The header's checksum follows the address.
  const view = new DataView(bytes.buffer)
  view.setUint16(24, view.getUint16(24) - (from - 1))
  return bytes
}

async function flood(lab: Lab, packets: readonly Uint8Array[], count: number, rate: number): Promise<number> {
  const sender = lab.inNamespace('left', () => openLiveSender({ packets, device: 'out', rate }))
  const { sent } = await sender.send(count)
  sender.close()
  return sent
}

const names = (lab: Lab): string[] => lab.inNamespace('right', () => interfaces().map(i => i.name))
const merging = (lab: Lab): boolean | undefined =>
  lab.inNamespace('right', () => offloads('wire').receiveOffload)

test(
  'a DNS flood is dropped, the valid rest reaches the server, and the host answers as ever',
  { skip: withoutAfXdp },
  async () => {
    const lab = hosts()
    try {
      lab.inNamespace('right', () => setOffloads('wire', { receiveOffload: true }))
      const server = await udpServer(lab, 'right', '10.77.0.2', 53)
      const other = await udpServer(lab, 'right', '10.77.0.2', 54)
      const bypass = new Running(lab, ['wire', '--queue', '0', ...flags])
      const opened = await bypass.until(e => e.event === 'opened')
      assert.deepEqual(
        [opened.xdp, opened.zeroCopy, opened.steering, opened.queue],
        ['native', false, 'xdp', 0],
      )
      assert.equal(merging(lab), false, 'GRO is off meanwhile')
      assert.ok(names(lab).includes('hp0'))
      // Ten sources, of which each may ask 20 questions a second; what is none; and packets for another port.
      const packets = [...Array.from({ length: 10 }, (_, k) => query(k + 10)), udpFrame(53), udpFrame(54)]
      await flood(lab, packets, 60_000, 60_000)
      assert.ok(await answers(lab, 'left', '10.77.0.2'))
      await pause(100)
      const code = await bypass.end('SIGINT')
      const ended = bypass.events.at(-1)!
      assert.deepEqual([code, ended.event], [130, 'ended'], bypass.err)
      const verdicts = ended.verdicts as { passed: number }
      const counters = ended.counters as { malformed: number; exceeding: number }
      assert.equal(ended.taken, 55_000)
      assert.equal(ended.unaccounted, 0)
      // On a busy machine the worker may miss some; then they are counted as that.
      const received = ended.received as number
      const drops = ended.drops as { frameMissing: number; receiveRingFull: number; program: number }
      assert.equal(received + drops.frameMissing + drops.receiveRingFull, 55_000)
      assert.equal(counters.malformed + counters.exceeding, drops.program)
      assert.equal(drops.program + verdicts.passed, received)
      assert.ok(received === 55_000 ? counters.malformed === 5000 : counters.malformed > 2000)
      assert.ok(verdicts.passed >= 200 && verdicts.passed <= 600, `${verdicts.passed} passed`)
      assert.equal(await server.count(), verdicts.passed, 'the server has all of the valid rest')
      assert.equal(await other.count(), 5000, 'what does not match never left the kernel')
      assert.ok(bypass.events.some(e => e.event === 'second' && (e.pps as number) > 10_000))
      assert.deepEqual(names(lab), ['lo', 'wire'])
      assert.deepEqual(lab.interface('right', 'wire').xdp, [])
      assert.equal(merging(lab), true, 'GRO is as it was')
      server.stop()
      other.stop()
    } finally {
      lab.down()
    }
  },
)

test(
  'SIGKILL in the middle of a flood: nothing stays, the kernel has its packets, and a restart works',
  { skip: withoutAfXdp },
  async () => {
    const lab = hosts()
    try {
      lab.inNamespace('right', () => setOffloads('wire', { receiveOffload: true }))
      const bypass = new Running(lab, ['wire', '--queue', '0', ...flags])
      await bypass.until(e => e.event === 'opened')
      const sending = flood(lab, [query(20)], 60_000, 100_000)
      await pause(200)
      await bypass.end('SIGKILL')
      const killed = performance.now()
      const clean = (): boolean =>
        names(lab).join() === 'lo,wire' &&
        lab.interface('right', 'wire').xdp.length === 0 &&
        merging(lab) === true
      while (!clean() && performance.now() - killed < 3000) await pause(20)
      assert.ok(
        clean(),
        `${names(lab).join()} ${JSON.stringify(lab.interface('right', 'wire').xdp)} ${merging(lab)}`,
      )
      await sending
      const server = await udpServer(lab, 'right', '10.77.0.2', 53)
      assert.ok(await answers(lab, 'left', '10.77.0.2'))
      const again = new Running(lab, ['wire', '--queue', '0', ...flags])
      await again.until(e => e.event === 'opened')
      await flood(lab, [query(21)], 10, 1000)
      await again.until(e => e.event === 'second' && (e.taken as number) === 10)
      assert.equal(await again.end('SIGTERM'), 130)
      assert.equal(await server.count(), 10)
      server.stop()
    } finally {
      lab.down()
    }
  },
)

test('too few frames: what is lost is named within three seconds', { skip: withoutAfXdp }, async () => {
  const lab = hosts()
  try {
    const few = ['--frames', '64', '--batch', '16', '--set', 'iterations=4096']
    const all = ['--steer', 'all', 'programs/busy-forwarder.ts', '--cpu', 'any', '--json']
    const bypass = new Running(lab, ['wire', '--queue', '0', ...few, ...all])
    await bypass.until(e => e.event === 'opened')
    const sender = lab.inNamespace('left', () => openLiveSender({ packets: [udpFrame(9)], device: 'out' }))
    await sender.send(60_000)
    sender.close()
    await bypass.until(
      e => e.event === 'warning' && /packets are lost \(frameMissing\)/.test(e.text as string),
      3000,
    )
    assert.equal(await bypass.end('SIGINT'), 130, bypass.err)
    const { drops, unaccounted } = bypass.events.at(-1) as unknown as {
      drops: { frameMissing: number }
      unaccounted: number
    }
    assert.ok(drops.frameMissing > 0 && unaccounted === 0, JSON.stringify(drops))
  } finally {
    lab.down()
  }
})

test(
  'queues come and go while it runs; what comes in on others is told; a deleted interface ends it',
  { skip: withoutAfXdp },
  async () => {
    const lab = hosts(2)
    try {
      const refused = async (args: readonly string[], reason: RegExp, code = 3): Promise<void> => {
        const ended = await hairpin(lab, ...args)
        assert.equal(ended.code, code, ended.err)
        assert.match(ended.err, reason)
      }
      await refused(['wire', '--queue', '2', ...flags], /wire has no receive queue 2: it has 2, 0 to 1/)
      await refused(['nosuch', '--queue', '0', ...flags], /there is no interface nosuch/)
      await refused(
        ['wire', '--queue', '0', '--steer', 'udp port 53', 'programs/dns-flood.ts'],
        /say src port or dst port/,
        2,
      )
      await refused(['wire', '--queue', '0', 'programs/dns-flood.ts'], /--steer 'EXPRESSION' is missing/, 2)
      await refused(['wire', '--queue', '0', ...flags, '-s', 'scr'], /single or shared here/, 2)
      await refused(['add', 'wire', '1'], /no hairpin bypass runs on wire/)
      await refused(['wire', '--queue', '0', ...flags, '--copy', 'no'], /without copying .* needs a driver/)

      const bypass = new Running(lab, ['wire', '--queue', '0', ...flags, '--cores', '2'])
      await bypass.until(e => e.event === 'opened')
      await refused(
        ['wire', '--queue', '1', ...flags],
        /bypassed by another hairpin already|has the program|EBUSY/,
      )
      const both = async (): Promise<void> => {
        // Live frames come in on the queue of the CPU that sends them; AF_PACKET ones by a hash of their flow.
        const source = `const dgram = require('node:dgram')
for (let k = 0; k < 100; k++) {
  const s = dgram.createSocket('udp4')
  s.bind(20000 + k, '10.77.0.1', () => s.send(Buffer.from('010201000001000000000000', 'hex'), 53, '10.77.0.2', () => s.close()))
}`
        await lab.run('left', [process.execPath, '-e', source])
        await pause(1200)
      }
      const last = (): { taken: number; elsewhere: number } =>
        bypass.events.findLast(e => e.event === 'second') as unknown as { taken: number; elsewhere: number }
      await both()
      const one = last()
      assert.ok(
        one.taken > 20 && one.elsewhere > 20 && one.taken + one.elsewhere === 100,
        JSON.stringify(one),
      )
      assert.match(
        bypass.err,
        /come in on queue 1 too, which the kernel has; hairpin bypass add wire 1 takes them/,
      )
      const added = await hairpin(lab, 'add', 'wire', '1', '--json')
      assert.deepEqual(JSON.parse(added.out), { interface: 'wire', queues: [0, 1] })
      await both()
      const two = last()
      assert.deepEqual([two.taken - one.taken, two.elsewhere], [100, one.elsewhere])
      await refused(['add', 'wire', '1'], /queue 1 is bypassed already/)
      await refused(['remove', 'wire', '5'], /queue 5 is not bypassed/)
      assert.equal((await hairpin(lab, 'remove', 'wire', '0')).out, 'wire: bypassed queue 1\n')
      await both()
      assert.ok(last().elsewhere > one.elsewhere && last().taken > two.taken)

      await lab.run('right', ['ip', 'link', 'set', 'dev', 'wire', 'down'])
      await bypass.until(e => e.event === 'warning' && /wire is down/.test(e.text as string), 3000)
      await lab.run('right', ['ip', 'link', 'delete', 'dev', 'wire'])
      const gone = await bypass.until(e => e.event === 'ended', 3000)
      assert.match(gone.reason as string, /interface wire has gone/)
      assert.deepEqual(((await bypass.closed) as [number])[0], 3)
      assert.deepEqual(names(lab), ['lo'])
    } finally {
      lab.down()
    }
  },
)
