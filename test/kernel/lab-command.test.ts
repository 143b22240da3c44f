/** hairpin lab as a user types it: up, run, list, down, demo; nothing is left behind however it ends. */

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { foundNamespaces, keptLabs } from '../../src/lab/name.js'
import { openLab } from '../../src/lab/lab.js'
import { root } from '../../tools/sources.js'
import { folder, hairpin, main } from '../cli/hairpin.js'
import { problemsOf } from '../schema.js'
import { without, withoutLab } from './probes.js'
import { withoutPrograms } from './machine.js'

const skip = withoutLab || withoutPrograms
/** Labs of other runs have other names. */
const name = `test${process.pid}`

after(() => {
  for (const lab of [name, `${name}b`]) openLab(lab)?.down()
})

function parsed(schema: string, line: string): Record<string, unknown> {
  const found = JSON.parse(line) as Record<string, unknown>
  const text = readFileSync(join(root, 'docs/schema', `${schema}.json`), 'utf8')
  assert.deepEqual(problemsOf(found, JSON.parse(text) as object), [], line)
  return found
}

test('up, run, list, down', { skip }, async () => {
  const made = await hairpin(['lab', 'up', name, '--json'])
  assert.equal(made.code, 0, made.err)
  assert.equal((parsed('lab-up', made.out).devices as unknown[]).length, 6)
  const again = await hairpin(['lab', 'up', name])
  assert.equal(again.code, 3)
  assert.match(again.err, /is up already; take it down: (npx )?hairpin lab down test/)

  const inside = (namespace: string, ...command: string[]) =>
    hairpin(['lab', 'run', `${name}/${namespace}`, '--', ...command])
  const where = await inside('client', 'ip', '-brief', 'address', 'show', 'eth0')
  assert.match(where.out, /^eth0@\S+ +UP +10\.1\.0\.2\/24/)
  assert.equal((await inside('client', 'sh', '-c', 'exit 7')).code, 7)
  assert.equal((await inside('client', 'sh', '-c', 'kill -TERM $$')).code, 143)
  assert.match((await inside('box', process.execPath, main, '--help')).out, /usage: hairpin COMMAND/)
  const absent = await inside('client', 'no-such-command')
  assert.deepEqual([absent.code, absent.err], [2, 'hairpin lab: there is no command no-such-command\n'])
  assert.match((await inside('cliend', 'true')).err, /no namespace cliend.*Did you mean client/)

  const listed = await hairpin(['lab', 'list', '--json'])
  const { labs } = parsed('lab-list', listed.out) as { labs: { lab: string }[] }
  assert.ok(labs.some(({ lab }) => lab === name))
  assert.match((await hairpin(['lab', 'list'])).out, new RegExp(`lab ${name}\n`))

  const off = await hairpin(['lab', 'down', name, '--json'])
  assert.deepEqual(parsed('lab-down', off.out).down, [name])
  assert.ok(!keptLabs().includes(name))
  const gone = await hairpin(['lab', 'down', name])
  assert.equal(gone.code, 3)
  assert.match(gone.err, /there is no lab test/)
})

test('up from a file in the foreground goes with Ctrl-C and with SIGTERM', { skip }, async () => {
  const file = join(folder, 'lab.json')
  const end = (namespace: string) => ({
    namespace,
    device: 'eth0',
    addresses: [`10.5.0.${namespace.length}/24`],
  })
  writeFileSync(
    file,
    JSON.stringify({
      namespaces: { left: {}, right: {} },
      pairs: [{ ends: [end('left'), end('right')], queues: 3, mtu: 1400 }],
    }),
  )
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    const args = [main, 'lab', 'up', `${name}b`, '--file', file, '--foreground', '--json']
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    const [line] = (await once(child.stdout.setEncoding('utf8'), 'data')) as [string]
    const { devices } = parsed('lab-up', line) as { devices: { mtu: number; queues: number }[] }
    assert.deepEqual(
      devices.map(d => [d.mtu, d.queues]),
      [
        [1400, 3],
        [1400, 3],
      ],
    )
    child.kill(signal)
    assert.deepEqual(await once(child, 'exit'), [130, null])
    assert.ok(!keptLabs().includes(`${name}b`))
  }
  writeFileSync(file, '{ "namespaces": {}, "pairs": [{ "ends": [] }] }')
  const wrong = await hairpin(['lab', 'up', `${name}b`, '--file', file])
  assert.equal(wrong.code, 2)
  assert.match(wrong.err, /lab\.json:\n {2}pairs\[0\]\.ends: a pair has 2 ends, not 0/)
})

test(
  'demo: every packet is accounted for, and nothing stays',
  { skip: skip || without('liveFrames') },
  async () => {
    const { code, out, err } = await hairpin(['lab', 'demo', '--seconds', '1', '--rate', '20000', '--json'])
    assert.equal(code, 0, err)
    const lines = out
      .trim()
      .split('\n')
      .map(line => parsed('lab-demo', line))
    const end = lines.at(-1) as unknown as {
      event: string
      sent: number
      received: number
      lost: number
      returned: number
      unaccounted: number
      verdicts: { drop: number; transmit: number }
      phases: { phase: string; sent: number; verdicts: Record<string, number> }[]
    }
    assert.equal(end.event, 'ended')
    assert.equal(end.unaccounted, 0)
    assert.equal(end.sent, end.received + end.lost)
    assert.equal(end.verdicts.drop + end.verdicts.transmit, end.received)
    assert.equal(end.returned, end.verdicts.transmit)
    assert.deepEqual(
      end.phases.map(p => p.phase),
      ['closed', 'open'],
    )
    const [closed, open] = end.phases
    // Half a second each, if the machine kept up.
    assert.ok(closed.sent > 1000 && open.sent > 1000)
    assert.deepEqual(Object.keys(closed.verdicts), ['drop'])
    assert.deepEqual(Object.keys(open.verdicts), ['transmit'])
  },
)

test(
  'demo: Ctrl-C ends it with its sums, SIGKILL leaves what down removes',
  { skip: skip || without('liveFrames') },
  async () => {
    const forwarder = ['lab', 'demo', 'programs/forwarder.ts', '--seconds', '60', '--rate', '1000']
    const first = spawn(process.execPath, [main, ...forwarder], {
      stdio: ['ignore', 'pipe', 'inherit'],
      cwd: root,
    })
    let page = ''
    first.stdout.setEncoding('utf8').on('data', (text: string) => {
      page += text
      if (/ sent /.test(text)) first.kill('SIGINT')
    })
    assert.deepEqual(await once(first, 'close'), [130, null])
    assert.match(
      page.replace(/\s+/g, ' '),
      /conserved .* sent = .* received; .* transmit; .* came back to the sender; unaccounted 0/,
    )
    const args = [main, 'lab', 'demo', '--seconds', '60', '--rate', '1000']
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'], cwd: root })
    await once(child.stdout, 'data')
    const mine = () => foundNamespaces().filter(({ owner }) => owner?.pid === child.pid)
    assert.ok(mine().length >= 2)
    child.kill('SIGKILL')
    await once(child, 'exit')
    assert.equal((await hairpin(['lab', 'down', '--all', '--json'])).code, 0)
    assert.deepEqual(mine(), [])
  },
)

test('mistakes are answered in words', { skip }, async () => {
  const cases: readonly [args: string[], code: number, text: RegExp][] = [
    [[], 2, /what to do is missing: up, run, list, down, demo/],
    [['upp'], 2, /lab can up, run, list, down, demo, not upp\. Did you mean up/],
    [['up', 'Lab'], 2, /Lab is no name of a lab/],
    [['up', '--topology', 'star'], 2, /--topology takes one-arm, .* not star/],
    [['up', '--seconds', '3'], 2, /lab up takes --topology, .* not --seconds/],
    [['run', 'client'], 2, /a command is missing/],
    [['run', `${name}x/client`, '--', 'true'], 3, /there is no lab test/],
    [['demo', 'programs/none.ts'], 2, /programs\/none\.ts/],
    [['demo', '--rate', 'much'], 2, /--rate takes a whole number/],
  ]
  for (const [args, code, text] of cases) {
    const ended = await hairpin(['lab', ...args])
    assert.equal(ended.code, code, `${args.join(' ')}: ${ended.err}`)
    assert.match(ended.err, text)
  }
})
