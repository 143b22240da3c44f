/** hairpin test with programs in the kernel: against an expected capture, and against the WebAssembly program. */

import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Agreement, runnableOf } from '../../src/cli/test/kernel.js'
import { compile } from '../../src/compile.js'
import { PacketStore } from '../../src/engine/packets.js'
import { runnable } from '../../src/engine/kernel/trial.js'
import { clearBlock } from '../../src/state/block.js'
import { stateMemory } from '../../src/state/memory.js'
import { root } from '../../tools/sources.js'
import { demoCapture, folder, hairpin } from '../cli/hairpin.js'
import { problemsOf } from '../schema.js'
import { withoutPrograms } from './machine.js'

const skip = withoutPrograms
const program = 'programs/port-knocking.ts'
const schema = JSON.parse(readFileSync(join(root, 'docs/schema/test.json'), 'utf8')) as object
/** A capture of frames, a second apart. */
function capture(name: string, frames: readonly Uint8Array[]): string {
  const header = Buffer.alloc(24)
  header.writeUInt32LE(0xa1b2c3d4, 0)
  header.writeUInt16LE(2, 4)
  header.writeUInt16LE(4, 6)
  header.writeUInt32LE(65_535, 16)
  header.writeUInt32LE(1, 20)
  const records = frames.map((frame, k) => {
    const record = Buffer.alloc(16)
    record.writeUInt32LE(k, 0)
    record.writeUInt32LE(frame.length, 8)
    record.writeUInt32LE(frame.length, 12)
    return Buffer.concat([record, frame])
  })
  const path = join(folder, name)
  writeFileSync(path, Buffer.concat([header, ...records]))
  return path
}

test('WebAssembly and kernel keep the same packets, and leave the same state', { skip }, async () => {
  const expected = join(folder, 'kernel-expected.pcap')
  assert.equal((await hairpin(['run', program, '--in', demoCapture, '--out', expected])).code, 0)
  const args = ['test', program, '--in', demoCapture, '--expect', expected, '--backend']
  const both = await hairpin([...args, 'both', '--repeat', '3', '--json'])
  assert.equal(both.code, 0, both.err)
  const found = JSON.parse(both.out) as Record<string, unknown>
  assert.deepEqual(problemsOf(found, schema), [])
  assert.equal(found.kept, 44)
  assert.equal(found.disagreement, null)
  const times = found.nanosecondsPerPacket as { wasm: number; ebpf: number }
  assert.ok(times.wasm > 0 && times.ebpf < 10_000)
  const wrong = await hairpin(['test', program, '--in', demoCapture, '-b', 'ebpf', '-e', demoCapture])
  assert.equal(wrong.code, 1, wrong.err)
  assert.match(wrong.out, /portKnocking in the kernel: DIFFERENT; received 850 packets, kept 44/)
})

test('packets that the kernel takes in no test run are left out and counted', { skip }, async () => {
  const { least, most } = runnable
  const sizes = [least - 1, least, 60, most, most + 1]
  const path = capture(
    'sizes.pcap',
    sizes.map(n => new Uint8Array(n)),
  )
  const { code, out, err } = await hairpin(['test', program, '--in', path, '--backend', 'both'])
  assert.equal(code, 0, err)
  assert.match(out, /equal; received 3 packets/)
  assert.match(out, /left out, .*: 1 shorter than an Ethernet header, 1 longer than a page holds/)
})

test('the first packet, or the state, on which the two part is told', () => {
  const compiled = compile(program, readFileSync(join(root, program), 'utf8')).compiled!
  const { size, objects } = compiled.artifact.stateLayout
  const [wasm, kernel] = [1, 1].map(() => {
    const memory = stateMemory(new ArrayBuffer(size))
    clearBlock(memory, 0, compiled.artifact.stateLayout, 1n)
    return memory
  })
  const left = { memory: wasm, base: 0, counters: { opened: 0n, refused: 0n } }
  const end = { state: kernel.bytes, counters: new Map([['opened', 0n]]) }
  const frame = new Uint8Array(60)

  const verdicts = new Agreement([5, 7])
  verdicts.remember(1, frame)
  verdicts.remember(3, frame)
  verdicts.compare(0, 1, frame)
  verdicts.compare(1, 4 | (9 << 8), frame)
  assert.deepEqual(verdicts.finish(compiled, left, end), {
    packet: 7,
    what: ['verdict: WebAssembly transmit, kernel redirect to device 9'],
  })

  const bytes = new Agreement([0])
  bytes.remember(3, frame)
  bytes.compare(0, 3, Uint8Array.from(frame).fill(1, 0, 6))
  assert.match(bytes.finish(compiled, left, end)!.what.join('\n'), /kernel: Ethernet .*01:01:01:01:01:01/)

  assert.equal(new Agreement([]).finish(compiled, left, end), undefined)
  const counted = { ...end, counters: new Map([['opened', 2n]]) }
  assert.deepEqual(new Agreement([]).finish(compiled, left, counted), {
    packet: null,
    what: ['counter opened: WebAssembly 0, kernel 2'],
  })
  const other = stateMemory(new ArrayBuffer(size))
  other.bytes.set(kernel.bytes)
  other.view.setUint32(objects[0].offset + 4, 3, true)
  assert.equal(new Agreement([]).finish(compiled, left, { ...end, state: other.bytes })!.packet, null)
})

test('what runs is what the kernel takes, with the numbers of the capture', () => {
  const store = new PacketStore('made')
  for (const n of [1, 14, 5000, 60]) store.add(new Uint8Array(n), n, 0n, 0)
  const { packets, numbers, skipped } = runnableOf(store)
  assert.deepEqual([packets.count, numbers, skipped], [2, [1, 3], { short: 1, long: 1 }])
})

test('a backend that is none, and a test with nothing to compare with', async () => {
  const wrong = await hairpin(['test', program, '--in', demoCapture, '--backend', 'bot'])
  assert.equal(wrong.code, 2)
  assert.match(wrong.err, /--backend takes wasm, ebpf, both, not bot\. Did you mean both\?/)
  const nothing = await hairpin(['test', program, '--in', demoCapture, '--backend', 'ebpf'])
  assert.equal(nothing.code, 2)
  assert.match(nothing.err, /--expect FILE is missing/)
})
