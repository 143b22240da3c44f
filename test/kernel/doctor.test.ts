/** hairpin doctor on real interfaces of a lab: what it says is so, and it changes nothing. */

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { up } from '../../src/lab/lab.js'
import type { Lab } from '../../src/lab/lab.js'
import { attachXdp } from '../../src/sys/xdp.js'
import { root } from '../../tools/sources.js'
import { main, run } from '../cli/hairpin.js'
import type { Ended } from '../cli/hairpin.js'
import { problemsOf } from '../schema.js'
import { counterProgram, verdicts } from './counter.js'
import { withoutPrograms } from './machine.js'
import { withoutLab } from './probes.js'

const skip = withoutLab || withoutPrograms
const schema = JSON.parse(readFileSync(join(root, 'docs/schema/doctor.json'), 'utf8')) as object
let lab: Lab

/** In namespace `one`, which has both ends of a pair with an MTU that native XDP cannot carry. */
const doctor = (...args: string[]): Promise<Ended> =>
  run('nsenter', [`--net=${lab.path('one')}`, process.execPath, main, 'doctor', ...args])

before(() => {
  if (skip) return
  lab = up({
    namespaces: { one: {}, two: {} },
    pairs: [
      {
        mtu: 9000,
        ends: [
          { namespace: 'one', device: 'a' },
          { namespace: 'one', device: 'b' },
        ],
      },
      {
        ends: [
          { namespace: 'one', device: 'c' },
          { namespace: 'two', device: 'd' },
        ],
      },
    ],
  })
})
after(() => {
  if (!skip) lab.down()
})

interface Row {
  readonly id: string
  readonly subject: string
  readonly level: string
  readonly evidence: string
  readonly remedy?: string
}

async function rows(name: string, code: number): Promise<Map<string, Row>> {
  const ended = await doctor(name, '--json')
  assert.equal(ended.code, code, ended.err || ended.out)
  const found = JSON.parse(ended.out) as { rows: Row[] }
  assert.deepEqual(problemsOf(found, schema), [])
  return new Map(found.rows.map(row => [row.id, row]))
}

test('an MTU that the driver refuses is a failure before anybody tries', { skip }, async () => {
  const found = await rows('a', 1)
  assert.equal(found.get('HP-MTU')!.level, 'fail')
  assert.equal(found.get('HP-MTU')!.remedy, 'ip link set dev b mtu 1500')
  assert.equal(found.get('HP-FEATURES')!.level, 'ok')
  const counter = counterProgram(verdicts.pass)
  assert.throws(() => lab.inNamespace('one', () => attachXdp(counter.program, 'a', 'native')), /ERANGE/)
  assert.match((await lab.run('one', ['ip', 'link', 'set', 'dev', 'b', 'mtu', '3506'])).stderr, /^$/)
  assert.equal((await rows('a', 1)).get('HP-MTU')!.level, 'ok')
  lab.inNamespace('one', () => attachXdp(counter.program, 'a', 'native').detach())
  counter.close()
})

test('a program of somebody else is in the way, and stays', { skip }, async () => {
  const counter = counterProgram(verdicts.pass)
  const attachment = lab.inNamespace('one', () => attachXdp(counter.program, 'c', 'native'))
  const present = (await rows('c', 1)).get('HP-XDP-PRESENT')!
  assert.equal(present.level, 'fail')
  assert.match(present.evidence, /^native program \d+ \(test_counter\)$/)
  assert.equal(lab.interface('one', 'c').xdp.length, 1)
  attachment.detach()
  counter.close()
})

test('a peer in another namespace cannot be seen, and that is said', { skip }, async () => {
  const found = await rows('c', 2)
  assert.equal(found.get('HP-PEER')!.level, 'unseen')
  assert.equal(found.get('HP-XDP-PRESENT')!.level, 'ok')
})

test('without privilege it says what it could not see', { skip }, async () => {
  // Still root, so that it may read its own files wherever they are, but without a single capability.
  const without = ['--bounding-set=-all', '--inh-caps=-all', '--ambient-caps=-all']
  const ended = await run('setpriv', [...without, process.execPath, main, 'doctor'])
  assert.match(ended.out, /FAIL {2}HP-CAPS +root, with no capabilities that matter\n.*lacks CAP_BPF/)
  assert.match(ended.out, /\? {5}HP-FEATURES/)
  assert.equal(ended.code, 1)
})

test('ignored rows do not count, and mistakes are answered in words', { skip }, async () => {
  assert.equal((await doctor('c', '--ignore', 'HP-PEER')).code, 0)
  const wrong = await doctor('cc')
  assert.equal(wrong.code, 2)
  assert.match(wrong.err, /there is no interface cc .* Did you mean c\?/)
  assert.match((await doctor('--ignore', 'mtu')).err, /takes an id such as HP-MTU, not mtu/)
})
