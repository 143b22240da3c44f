// Measuring between two machines: namespaces of a lab, a process in each, one cable for packets and one for words.

import assert from 'node:assert/strict'
import type { ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { up } from '../../src/lab/lab.js'
import type { Lab } from '../../src/lab/lab.js'
import { setOffloads } from '../../src/sys/ethtool.js'
import { folder, main } from '../cli/hairpin.js'
import { problemsOf } from '../schema.js'
import { root } from '../../tools/sources.js'
import { without } from './probes.js'

const machines = {
  namespaces: { generator: {}, tested: {} },
  pairs: [
    {
      ends: [
        { namespace: 'generator', device: 'words0', addresses: ['10.87.0.1/24'] },
        { namespace: 'tested', device: 'words0', addresses: ['10.87.0.2/24'] },
      ] as const,
    },
    {
      ends: [
        { namespace: 'generator', device: 'data0' },
        { namespace: 'tested', device: 'data0' },
      ] as const,
    },
  ],
}
const at = '10.87.0.1:7411'
const schema = (name: string): object =>
  JSON.parse(readFileSync(join(root, 'docs/schema', `${name}.json`), 'utf8')) as object

interface Ended {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

function ended(child: ChildProcess): Promise<Ended> {
  const [out, err]: [string[], string[]] = [[], []]
  child.stdout?.on('data', (part: Buffer) => out.push(part.toString()))
  child.stderr?.on('data', (part: Buffer) => err.push(part.toString()))
  return new Promise(resolve =>
    child.once('close', code => resolve({ code, out: out.join(''), err: err.join('') })),
  )
}

const start = (lab: Lab, namespace: string, words: readonly string[]): ChildProcess =>
  lab.start(namespace, [process.execPath, main, 'bench', ...words], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, HAIRPIN_CACHE: join(folder, 'cache'), NO_COLOR: '1' },
  })

/** Starts an agent and waits until it listens. */
async function agent(lab: Lab, words: readonly string[] = []): Promise<ChildProcess> {
  const child = start(lab, 'generator', ['agent', '--listen', at, '--iface', 'data0', ...words])
  await new Promise<void>((resolve, reject) => {
    child.stdout!.on('data', (part: Buffer) => {
      const said = part.toString()
      if (said.startsWith('{')) assert.deepEqual(problemsOf(JSON.parse(said), schema('bench-agent')), [])
      if (/listening/.test(said)) resolve()
    })
    child.once('close', () => reject(new Error('the agent ended')))
    child.stderr!.on('data', (part: Buffer) => process.stderr.write(part))
  })
  return child
}

/** What XDP programs are on a device. */
async function attachedTo(lab: Lab, namespace: string, device: string): Promise<number> {
  const { stdout } = await lab.run(namespace, ['ip', '-d', 'link', 'show', device])
  return (stdout.match(/prog\/xdp/g) ?? []).length
}

async function gone(lab: Lab, milliseconds: number): Promise<boolean> {
  const until = performance.now() + milliseconds
  while (performance.now() < until) {
    if ((await attachedTo(lab, 'tested', 'data0')) === 0) return true
    await setTimeout(100)
  }
  return false
}

const search = ['--agent', at, '--iface', 'data0', '--packets', '1000', '--trials', '1', '--rounds', '1']

test(
  'a rate is found with packets from an agent, who must be shown the token',
  { skip: without('liveFrames') },
  async () => {
    const lab = up(machines)
    try {
      const token = join(folder, 'token')
      const other = join(folder, 'other-token')
      for (const file of [token, other]) writeFileSync(file, randomBytes(16).toString('hex'))
      const server = await agent(lab, ['--token-file', token, '--json'])
      const quick = ['--loss', '1%', '--trial', '0.05', '--max-rate', '200k', '--json']
      const with_ = (file: string): Promise<Ended> =>
        ended(start(lab, 'tested', ['mlffr', 'port-knocking', ...search, ...quick, '--token-file', file]))
      const refused = await with_(other)
      assert.equal(refused.code, 4, refused.err)
      assert.match(refused.err, /token/)
      const found = await with_(token)
      assert.equal(found.code, 0, found.err)
      const result = JSON.parse(found.out) as {
        where: string
        results: { searches: { trials: { sent: number; lost: number; ends: Record<string, number> }[] }[] }[]
      }
      assert.deepEqual(problemsOf(result, schema('bench-mlffr')), [])
      assert.match(result.where, /packets from data0 of the agent/)
      const { trials } = result.results[0].searches[0]
      assert.ok(trials.length > 0)
      for (const { sent, lost, ends } of trials) {
        assert.ok(sent > 0 && ends.made === sent, JSON.stringify(ends))
        assert.equal(lost, Math.max(0, sent - ends.processed))
        assert.ok(ends.arrived >= ends.processed, JSON.stringify(ends))
      }
      assert.equal(await attachedTo(lab, 'tested', 'data0'), 0)
      server.kill('SIGINT')
    } finally {
      lab.down()
    }
  },
)

/** Says lines to the agent and prints what it says, until it hangs up. */
const saying = (lines: readonly string[], options = ''): readonly string[] => [
  process.execPath,
  '-e',
  `const s = require('node:net').connect({ port: 7411, host: '10.87.0.1', ${options} }, () => s.write(${JSON.stringify(lines.map(line => `${line}\n`).join(''))}))
   s.on('data', d => process.stdout.write(d)).on('close', () => process.exit()).on('error', () => {})
   ${options && "s.on('end', () => setTimeout(() => process.exit(), 500))"}`,
]
const hello = '{"type":"hello","version":1}'
const open = '{"type":"open","trace":"uniform","packets":100,"destination":"02:00:00:00:00:01"}'

test(
  'whichever end dies, the other ends within seconds and nothing stays attached',
  { skip: without('liveFrames') },
  async () => {
    const lab = up(machines)
    try {
      // The agent dies in the middle of a trial.
      const first = await agent(lab)
      const long = ['mlffr', 'port-knocking', ...search, '--trial', '60', '--max-rate', '10k']
      const orphan = start(lab, 'tested', long)
      const over = ended(orphan)
      while ((await attachedTo(lab, 'tested', 'data0')) === 0) await setTimeout(100)
      await setTimeout(500)
      first.kill('SIGKILL')
      // `ip netns exec` has become the agent itself.
      const late = setTimeout(10_000, undefined)
      const { code, err } = (await Promise.race([over, late])) ?? { code: null, err: 'it goes on' }
      assert.equal(code, 4, err)
      assert.match(err, /hung up|nothing was heard/)
      assert.equal(await attachedTo(lab, 'tested', 'data0'), 0)

      // The device under test dies; its agent stops sending and serves the next one.
      const second = await agent(lab)
      const dying = start(lab, 'tested', long)
      while ((await attachedTo(lab, 'tested', 'data0')) === 0) await setTimeout(100)
      await setTimeout(1500)
      dying.kill('SIGKILL')
      assert.ok(await gone(lab, 5000))
      await setTimeout(500)
      const sent = lab.interface('generator', 'data0').counters.sentPackets
      await setTimeout(500)
      assert.equal(lab.interface('generator', 'data0').counters.sentPackets, sent)

      // Nonsense gets an answer and no more.
      const nonsense = await lab.run('tested', saying(['{"type":"trial","id":1}']))
      assert.match(nonsense.stdout, /"type":"error","message":"a message trial with a wrong rate"/)
      const again = await lab.run('tested', saying([hello, hello]))
      assert.match(again.stdout, /"type":"error","message":"hello came before"/)

      // Who hangs up while the agent waits a minute for the next packet keeps nobody out; nor does who is refused and stays.
      const trial = '{"type":"trial","id":1,"rate":1,"seconds":100}'
      lab.inNamespace('tested', () => setOffloads('data0', { receiveOffload: true }))
      const waiting = lab.start('tested', saying([hello, open, trial]))
      await new Promise<void>(resolve =>
        waiting.stdout!.on('data', (part: Buffer) => part.includes('"opened"') && resolve()),
      )
      await setTimeout(200)
      const refused = await lab.run('tested', saying([], 'allowHalfOpen: true'))
      assert.match(refused.stdout, /"message":"the agent serves another machine now"/)
      waiting.kill('SIGKILL')
      await setTimeout(500)
      const next = await lab.run('tested', saying([hello, hello]))
      assert.match(next.stdout, /"type":"ready"/)
      second.kill('SIGINT')
      assert.equal((await ended(second)).code, 130)
    } finally {
      lab.down()
    }
  },
)
