/** hairpin top on programs that are attached, in a lab: totals, rates, JSON by its schema, a clean end. */

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { removePins } from '../../src/engine/kernel/attached.js'
import { up } from '../../src/lab/lab.js'
import type { Lab } from '../../src/lab/lab.js'
import { root } from '../../tools/sources.js'
import { main, run } from '../cli/hairpin.js'
import type { Ended } from '../cli/hairpin.js'
import { problemsOf } from '../schema.js'
import { withoutPrograms } from './machine.js'
import { withoutLab } from './probes.js'

const skip = withoutLab || withoutPrograms
const pin = `top-${process.pid}`
let lab: Lab

const inside = (args: readonly string[]): string[] => [
  `--net=${lab.path('right')}`,
  process.execPath,
  main,
  ...args,
]
const hairpin = (...args: string[]): Promise<Ended> => run('nsenter', inside(args))
const schema = JSON.parse(readFileSync(join(root, 'docs/schema/top.json'), 'utf8')) as object

interface Look {
  readonly seconds: number
  readonly programs: readonly {
    readonly packets: number
    readonly packetsPerSecond: number | null
    readonly verdicts: Readonly<Record<string, number>>
    readonly cpus: readonly { readonly packets: number }[]
    readonly tables: readonly { readonly name: string; readonly capacity: number; readonly count: number }[]
    readonly interfaces: readonly { readonly name: string }[]
    readonly nanosecondsPerPacket?: number | null
  }[]
}

before(async () => {
  if (skip) return
  lab = up({
    namespaces: { left: {}, right: {} },
    pairs: [
      {
        ends: [
          { namespace: 'left', device: 'a', addresses: ['10.9.1.1/24'] },
          { namespace: 'right', device: 'b', addresses: ['10.9.1.2/24'] },
        ],
      },
    ],
  })
  const attached = await hairpin('attach', 'programs/heavy-hitter.ts', 'b', '--pin', pin)
  assert.equal(attached.code, 0, attached.err)
})
after(async () => {
  if (skip) return
  await hairpin('detach', pin)
  removePins(pin)
  lab.down()
})

test('every look is what the schema says, and rates are of the interval', { skip }, async () => {
  const send = lab.run('left', ['ping', '-c', '20', '-i', '0.05', '-q', '10.9.1.2'])
  const { code, out, err } = await hairpin('top', 'b', '--json', '--count', '3', '-i', '0.5', '--time')
  await send
  assert.equal(code, 0, err)
  const looks = out
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as Look)
  assert.equal(looks.length, 3)
  for (const look of looks) {
    assert.deepEqual(problemsOf(look, schema), [])
    const [program] = look.programs
    assert.equal(program.interfaces[0].name, 'b')
    const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0)
    assert.equal(sum(Object.values(program.verdicts)), program.packets)
    assert.equal(sum(program.cpus.map(c => c.packets)), program.packets)
  }
  assert.equal(looks[0].programs[0].packetsPerSecond, null)
  const [last, earlier] = [looks[2], looks[1]].map(l => l.programs[0])
  const rate = (last.packets - earlier.packets) / looks[2].seconds
  assert.ok(Math.abs(rate - last.packetsPerSecond!) < 1e-6)
  assert.ok(
    looks.some(l => (l.programs[0].nanosecondsPerPacket ?? 0) > 0) || last.packets === earlier.packets,
  )
  assert.ok(last.tables[0].count <= last.tables[0].capacity)
})

test('in a pipe it prints pages, and Ctrl-C ends it', { skip }, async () => {
  const page = await hairpin('top', pin, '--count', '1')
  assert.equal(page.code, 0, page.err)
  assert.match(page.out, /on b native {2}program \d+, up .*pinned as top-/)
  assert.match(page.out, /^ {2}pass /m)
  const child = spawn('nsenter', inside(['top', '--json', '-i', '30']), {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(child.stdout, 'data')
  child.kill('SIGINT')
  assert.deepEqual(await once(child, 'exit'), [130, null])
})

test('names that mean nothing, and flags out of range', { skip }, async () => {
  const wrong = await hairpin('top', 'bb')
  assert.equal(wrong.code, 1)
  assert.match(wrong.err, /no program of hairpin is on or called bb; there is .*\bb\b.* Did you mean b\?/)
  assert.equal((await hairpin('top', '-i', '0')).code, 2)
})
