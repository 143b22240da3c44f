import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { readCapture } from './capture.js'
import { writePcap } from './pcapfile.js'
import { readTrace } from './testing.js'
import type { TraceSpecification } from './specification.js'

const specifications: TraceSpecification[] = [
  { law: 'university-1', packets: 4000, flows: 200, ipv6: 0.3, udp: 0.2, knockers: 2, arrival: 'poisson' },
  { law: 'web-search', packets: 3000, flows: 20, frameLimit: 192 },
  { law: 'backbone', packets: 3000, flows: 500, segment: 8900, frameMinimum: 60, elephant: 0.2, flood: 0.1 },
]

function inFolder<T>(use: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'hairpin-pcap-'))
  try {
    return use(folder)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

test('the file holds the packets of the trace, at their times', () =>
  inFolder(folder => {
    const path = join(folder, 'a.pcap')
    const specification = { ...specifications[0], start: 1.5, snap: 128 }
    let calls = 0
    const written = writePcap(path, specification, () => calls++)
    assert.ok(calls > 0)
    const file = new Uint8Array(readFileSync(path))
    assert.equal(written.bytes, file.length)
    const capture = readCapture(file)
    assert.ok(
      !('problem' in capture) && capture.nanoseconds && capture.littleEndian && capture.linkType === 1,
    )
    const frames = readTrace(specification, 100)
    assert.equal(capture.records.length, frames.length)
    for (const [i, record] of capture.records.entries()) {
      assert.deepEqual(record.bytes.subarray(16), frames[i].bytes)
      assert.equal(record.time, 1_500_000_000n + BigInt(frames[i].time))
      assert.equal(Buffer.from(record.bytes).readUInt32LE(12), frames[i].length)
    }
  }))

test('a bad specification leaves the file alone', () =>
  inFolder(folder => {
    const path = join(folder, 'b.pcap')
    assert.throws(() => writePcap(path, { law: 'nothing', packets: 1 }))
    assert.ok(!existsSync(path))
  }))

const tshark = spawnSync('tshark', ['--version']).status === 0

test(
  'tshark finds nothing malformed, no bad checksum, no gap',
  { skip: !tshark && 'tshark is not installed' },
  () =>
    inFolder(folder => {
      for (const [i, specification] of specifications.entries()) {
        const path = join(folder, `${i}.pcap`)
        writePcap(path, specification)
        const checks = ['ip', 'tcp', 'udp'].flatMap(name => ['-o', `${name}.check_checksum:TRUE`])
        const bad = ['ip', 'tcp', 'udp'].map(name => `${name}.checksum.status == 0`)
        const analysis = ['lost_segment', 'ack_lost_segment', 'out_of_order', 'duplicate_ack', 'window_full']
        const filter = [...bad, '_ws.malformed', ...analysis.map(name => `tcp.analysis.${name}`)].join(' || ')
        const result = spawnSync('tshark', ['-n', '-r', path, ...checks, '-Y', filter], { encoding: 'utf8' })
        assert.equal(result.status, 0, result.stderr)
        assert.equal(result.stdout, '')
      }
    }),
)
