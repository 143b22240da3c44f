/** hairpin run --iface --backend wasm as a user types it. */

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { up } from '../../../src/lab/lab.js'
import { interfaces } from '../../../src/sys/interfaces.js'
import { openLiveSender } from '../../../src/traffic/live.js'
import { root } from '../../../tools/sources.js'
import { folder, main, run } from '../../cli/hairpin.js'
import { problemsOf } from '../../schema.js'
import { withoutAfXdp } from '../probes.js'
import { answers, hosts, udpFrame, udpServer } from './hosts.js'

const schema = JSON.parse(readFileSync(join(root, 'docs/schema/run-live-wasm.json'), 'utf8')) as object

test(
  'run --iface --backend wasm replicates over two workers, and passes what is not its business',
  { skip: withoutAfXdp },
  async () => {
    const lab = hosts()
    const inside = (...args: string[]): string[] => [
      `--net=${lab.path('right')}`, process.execPath, main, 'run', 'programs/dns-flood.ts', '--iface', 'wire', '--backend', 'wasm', ...args,
    ] // prettier-ignore
    try {
      const wrong = await run('nsenter', inside('--loss', '1%'))
      assert.deepEqual([wrong.code, /--loss does not go with/.test(wrong.err)], [2, true], wrong.err)
      const server = await udpServer(lab, 'right', '10.77.0.2', 54)
      const child = spawn('nsenter', inside('--json', '-s', 'scr', '-c', '2', '--set', 'limit=300'), {
        cwd: root,
        env: { ...process.env, HAIRPIN_CACHE: join(folder, 'cache') },
      })
      let [out, err] = ['', '']
      child.stdout.on('data', (part: Buffer) => (out += part.toString()))
      child.stderr.on('data', (part: Buffer) => (err += part.toString()))
      for (const end = performance.now() + 20_000; !out.includes('started'); await pause(20))
        assert.ok(performance.now() < end && child.exitCode === null, err)
      await pause(300)
      assert.ok(await answers(lab, 'left', '10.77.0.2'))
      const query = udpFrame(53)
      query.set([1, 2, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0], 42)
      const sender = lab.inNamespace('left', () =>
        openLiveSender({ packets: [query, udpFrame(53), udpFrame(54), query], device: 'out', rate: 5000 }),
      )
      await sender.send(2000)
      sender.close()
      await pause(1200)
      child.kill('SIGINT')
      const [code] = (await once(child, 'close')) as [number]
      assert.equal(code, 130, err)
      const events = out
        .trim()
        .split('\n')
        .map(line => JSON.parse(line) as Record<string, unknown>)
      for (const event of events) assert.deepEqual(problemsOf(event, schema), [], JSON.stringify(event))
      const ended = events.at(-1)!
      const workers = ended.workers as { packets: number; replayed: number }[]
      assert.equal(ended.unaccounted, 0)
      const counters = ended.counters as { malformed: number; exceeding: number }
      assert.equal(counters.malformed, 500)
      assert.ok(counters.exceeding >= 1000 - 2 * 300, `${counters.exceeding}`)
      assert.equal(await server.count(), 500)
      assert.ok(workers.every(w => w.packets > 900))
      // Whatever changes state on one worker is replayed by the other.
      assert.equal(workers[0].replayed + workers[1].replayed, 1000)
      assert.deepEqual(
        lab.inNamespace('right', () => interfaces().map(i => i.name)),
        ['lo', 'wire'],
      )
      server.stop()
    } finally {
      lab.down()
    }
  },
)

test(
  'in user space too: a neighbour, lost packets, a link that is down and one that is deleted are named',
  { skip: withoutAfXdp },
  async () => {
    const lab = hosts()
    let err = ''
    const named = async (what: RegExp): Promise<void> => {
      for (const end = performance.now() + 3000; !what.test(err); await pause(20))
        assert.ok(performance.now() < end, err)
    }
    try {
      const args = [
        'programs/busy-forwarder.ts',
        '--iface',
        'wire',
        '--backend',
        'wasm',
        '--set',
        'iterations=4096',
      ]
      const child = spawn(
        'nsenter',
        [`--net=${lab.path('right')}`, process.execPath, main, 'run', ...args, '--json'],
        { cwd: root, env: { ...process.env, HAIRPIN_CACHE: join(folder, 'cache') } },
      )
      let out = ''
      child.stdout.on('data', (part: Buffer) => (out += part.toString()))
      child.stderr.on('data', (part: Buffer) => (err += part.toString()))
      for (const end = performance.now() + 20_000; !out.includes('started'); await pause(20))
        assert.ok(performance.now() < end && child.exitCode === null, err)
      const source = `require('node:dgram').createSocket('udp4').send('x', 9, '10.77.0.99', () => process.exit())`
      await lab.run('right', [process.execPath, '-e', source])
      await named(/1 neighbour on wire without an answer/)
      const sender = lab.inNamespace('left', () => openLiveSender({ packets: [udpFrame(9)], device: 'out' }))
      await sender.send(100_000)
      sender.close()
      await named(/packets are lost \(frameMissing\)/)
      await lab.run('right', ['ip', 'link', 'set', 'dev', 'wire', 'down'])
      await named(/wire is down/)
      await lab.run('right', ['ip', 'link', 'delete', 'dev', 'wire'])
      const [code] = (await once(child, 'close')) as [number]
      assert.equal(code, 1, err)
      assert.match(err, /interface wire has gone/)
      for (const line of out.trim().split('\n'))
        assert.deepEqual(problemsOf(JSON.parse(line), schema), [], line)
    } finally {
      lab.down()
    }
  },
)

test(
  'a way out that is down: the ring before it fills, which is named, and empties when it is up again',
  { skip: withoutAfXdp },
  async () => {
    const lab = up({
      namespaces: { left: {}, right: {} },
      pairs: ['a', 'b', 'c'].map(name => ({
        ends: [
          { namespace: 'left', device: `out${name}`, xdp: 'drop' },
          { namespace: 'right', device: `wire${name}` },
        ] as const,
      })),
    })
    const program = join(folder, 'towards.ts')
    writeFileSync(
      program,
      `import { type Packet, Verdict, redirect } from 'hairpin'
export default function towards(packet: Packet): Verdict {
  return packet.length > 0 ? redirect(${lab.interface('right', 'wireb').index}) : Verdict.Drop
}
`,
    )
    const send = async (device: string, count: number): Promise<void> => {
      const sender = lab.inNamespace('left', () =>
        openLiveSender({ packets: [udpFrame(9)], device, rate: 20_000 }),
      )
      await sender.send(count)
      sender.close()
    }
    try {
      const devices = ['wirea', 'wireb', 'wirec'].flatMap(name => ['--iface', name])
      const child = spawn(
        'nsenter',
        [
          `--net=${lab.path('right')}`,
          process.execPath,
          main,
          'run',
          program,
          ...devices,
          '--backend',
          'wasm',
          '--json',
        ],
        { cwd: root, env: { ...process.env, HAIRPIN_CACHE: join(folder, 'cache') } },
      )
      let [out, err] = ['', '']
      child.stdout.on('data', (part: Buffer) => (out += part.toString()))
      child.stderr.on('data', (part: Buffer) => (err += part.toString()))
      for (const end = performance.now() + 20_000; !out.includes('started'); await pause(20))
        assert.ok(performance.now() < end && child.exitCode === null, err)
      await lab.run('right', ['ip', 'link', 'set', 'dev', 'wireb', 'down'])
      // The ring has as many entries as one interface has frames: those of the second find it full.
      await send('outa', 6000)
      await send('outc', 1000)
      for (
        const end = performance.now() + 3000;
        !/packets are lost \(sendRingFull\)/.test(err);
        await pause(20)
      )
        assert.ok(performance.now() < end, err)
      await lab.run('right', ['ip', 'link', 'set', 'dev', 'wireb', 'up'])
      await pause(500)
      await send('outa', 1000)
      await pause(500)
      child.kill('SIGINT')
      const [code] = (await once(child, 'close')) as [number]
      assert.equal(code, 130, err)
      const { drops, unaccounted, verdicts } = JSON.parse(out.trim().split('\n').at(-1)!) as {
        drops: { sendRingFull: number }
        unaccounted: number
        verdicts: { redirected: number }
      }
      assert.ok(drops.sendRingFull > 0)
      assert.equal(unaccounted, 0)
      const { sentPackets, sendDropped } = lab.interface('right', 'wireb').counters
      assert.equal(sentPackets + sendDropped, verdicts.redirected)
    } finally {
      lab.down()
    }
  },
)
