// hairpin test: equal, different, missing and unexpected packets, and mistakes.

import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { root } from '../../tools/sources.js'
import { problemsOf } from '../schema.js'
import { demoCapture, folder, hairpin } from './hairpin.js'

const program = 'programs/port-knocking.ts'
const expected = join(folder, 'expected.pcap')
const call = (expect: string, ...more: string[]) =>
  hairpin(['test', program, '--in', demoCapture, '--expect', expect, ...more])
const schema = JSON.parse(readFileSync(join(root, 'docs/schema/test.json'), 'utf8')) as object

test('equal to what run wrote; another byte, a packet less, a packet more', async () => {
  const made = await hairpin(['run', program, '--in', demoCapture, '--out', expected])
  assert.equal(made.code, 0, made.err)
  const equal = await call(expected, '--repeat', '3')
  assert.equal(equal.code, 0, equal.err)
  assert.match(equal.out, /: equal; received/)
  assert.match(equal.out, /ns\/packet, median of 3 runs/)

  const bytes = readFileSync(expected)
  const changed = join(folder, 'changed.pcap')
  // The first packet's IPv4 source: headers of file, record and Ethernet before it.
  const source = 24 + 16 + 14 + 12
  writeFileSync(
    changed,
    Buffer.concat([bytes.subarray(0, source), Buffer.of(9, 9, 9, 9), bytes.subarray(source + 4)]),
  )
  const different = await call(changed)
  assert.equal(different.code, 1, different.err)
  assert.match(different.out, /packet 0 of the output \(packet \d+ of the input\) is different/)
  assert.match(different.out, /ipv4\.source +9\.9\.9\.9/)

  const none = join(folder, 'none.pcap')
  writeFileSync(none, bytes.subarray(0, 24))
  assert.match((await call(none)).out, /packet 0 of the output .* is unexpected/)

  const first = bytes.subarray(24, 24 + 16 + bytes.readUInt32LE(24 + 8))
  const longer = join(folder, 'longer.pcap')
  writeFileSync(longer, Buffer.concat([bytes, first]))
  const missing = await call(longer, '--json')
  assert.equal(missing.code, 1, missing.err)
  const found = JSON.parse(missing.out) as { difference: { kind: string } }
  assert.equal(found.difference.kind, 'missing')
  assert.deepEqual(problemsOf(found, schema), [])
})

test('without --expect, and with a capture cut short', async () => {
  const without = await hairpin(['test', program, '--in', demoCapture])
  assert.equal(without.code, 2)
  assert.match(without.err, /--expect FILE is missing/)
  const cut = join(folder, 'cut.pcap')
  writeFileSync(cut, readFileSync(demoCapture).subarray(0, 50))
  assert.equal((await call(cut)).code, 4)
})
