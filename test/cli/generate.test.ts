// hairpin generate and replay into memory: what needs no privileges.

import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { root } from '../../tools/sources.js'
import { problemsOf } from '../schema.js'
import { demoCapture, folder, hairpin } from './hairpin.js'

const schema = JSON.parse(readFileSync(join(root, 'docs/schema/generate.json'), 'utf8')) as object

interface Sent {
  readonly sent: number
  readonly seconds: number
  readonly packets: number
  readonly requested: { readonly packets: number; readonly layer1: number } | null
  readonly offered: { readonly packets: number }
  readonly notes: readonly string[]
}

async function sends(args: readonly string[], codes = [0]): Promise<Sent> {
  const ended = await hairpin([...args, '--to', 'memory', '--json'])
  assert.ok(codes.includes(ended.code!), `${args.join(' ')}: ${ended.code} ${ended.err}`)
  const found = JSON.parse(ended.out) as Sent
  assert.deepEqual(problemsOf(found, schema), [])
  return found
}

test('a stream at a rate: the number is exact, and it takes its time', async () => {
  const found = await sends(['generate', '--rate', '20k', '--seconds', '0.5'], [0, 1])
  assert.equal(found.sent, 10_000)
  assert.ok(found.seconds > 0.499, `${found.seconds} s`)
  assert.equal(found.requested?.packets, 20_000)
  assert.equal(found.requested?.layer1, 20_000 * 84 * 8)
})

test('bits on the wire become packets, and a law makes different ones', async () => {
  const wire = await sends(['generate', '--rate', '67.2Mbps', '--count', '1000'], [0, 1])
  assert.ok(Math.abs(wire.requested!.packets / 100_000 - 1) < 1e-9)
  const law = ['generate', '--law', 'campus', '--packets', '3000', '--top-speed', '--count', '6000']
  const found = await sends([...law, '--size', '192'])
  assert.deepEqual([found.packets, found.sent, found.requested], [3000, 6000, null])
})

test('a capture at a multiple of its times, and a damaged one', async () => {
  const found = await sends(['replay', demoCapture, '--speed', '2000'], [0, 1])
  assert.equal(found.sent, 850)
  assert.ok(found.seconds > 0.1 && found.seconds < 5, `${found.seconds} s`)
  const cut = join(folder, 'cut-replay.pcap')
  writeFileSync(cut, readFileSync(join(root, demoCapture)).subarray(0, 5000))
  const damaged = await sends(['replay', cut, '--top-speed'], [4])
  assert.equal(damaged.sent, 15)
  assert.match(damaged.notes.join(), /damaged/)
})

test('mistakes are told in words', async () => {
  const cases: [string[], number, RegExp][] = [
    [['generate', '--rate', '1k'], 2, /--to DEVICE is missing/],
    [['generate', '--to', 'memory'], 2, /--rate R or --top-speed is missing/],
    [['generate', '--to', 'memory', '--rate', 'fast'], 2, /--rate takes a number/],
    [
      ['generate', '--to', 'memory', '--rate', '1k', '--size', '63'],
      2,
      /--size takes a whole number from 64/,
    ],
    [['generate', '--to', 'memory', '--rate', '1k', '--law', 'campos'], 2, /Did you mean campus\?/],
    [
      ['generate', '--to', 'memory', '--rate', '1k', '--source', '10.0.0'],
      2,
      /--source takes an IPv4 address/,
    ],
    [['generate', '--to', 'memory', '--rate', '1k', '--packets', '5'], 2, /--packets belongs to --law/],
    [['replay', '--to', 'memory'], 2, /FILE is missing/],
    [['replay', 'none.pcap', '--to', 'memory'], 4, /none\.pcap/],
    [['replay', demoCapture, '--to', 'memory', '--rate', '1k', '--speed', '2'], 2, /exclude each other/],
    [['generate', '--to', 'memory', '--rate', '1k', '--count', '5', '--seconds', '1'], 2, /give one/],
  ]
  for (const [args, code, says] of cases) {
    const ended = await hairpin(args)
    assert.match(ended.err, says)
    assert.equal(ended.code, code, ended.err)
  }
})

test('Ctrl-C ends it with what was sent', async () => {
  const ended = await hairpin(['generate', '--to', 'memory', '--rate', '10k', '--seconds', '60', '--json'], {
    interruptAfter: 1500,
  })
  assert.equal(ended.code, 130, ended.err)
  assert.ok((JSON.parse(ended.out) as Sent).sent < 600_000)
})
