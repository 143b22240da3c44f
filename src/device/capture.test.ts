import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { openCapture } from './capture.js'
import { capturesMissing, indexedCaptures } from './development.js'
import { faultText } from './fault.js'
import { everyPacket } from './device.js'
import { collect, memorySink, type TakenPacket } from './memory.js'
import { hex, memory, openBytes, otherSlab, pcapOf, readBytes, slab } from './testing.js'

const header = 'd4c3b2a1 0200 0400 00000000 00000000 00000400 01000000'
const first = '01000000 02000000 03000000 04000000 aabbcc'

function summary(packets: readonly TakenPacket[]): unknown[] {
  return packets.map(({ bytes, original, timestamp, time }) => [
    Buffer.from(bytes).toString('hex'),
    original,
    timestamp,
    time,
  ])
}

test('a little-endian microsecond capture of two packets', () => {
  const { reader, packets } = readBytes(hex(`${header} ${first} 02000000 01000000 02000000 02000000 ddee`))
  assert.equal(reader.fault, undefined)
  assert.equal(reader.start, 1_000_002_000n)
  assert.equal(reader.format, 'pcap, little-endian, microseconds')
  assert.deepEqual(reader.interfaces, [{ name: undefined, link: 1, snaplen: 262_144 }])
  assert.deepEqual(summary(packets), [
    ['aabbcc', 4, 0n, 1_000_002_000n],
    ['ddee', 2, 999_999_000n, 2_000_001_000n],
  ])
})

test('big-endian, nanoseconds', () => {
  const { reader, packets } = readBytes(
    hex(`a1b23c4d 0002 0004 00000000 00000000 0000ffff 00000001
      00000001 00000002 00000003 00000004 aabbcc`),
  )
  assert.equal(reader.format, 'pcap, big-endian, nanoseconds')
  assert.deepEqual(summary(packets), [['aabbcc', 4, 0n, 1_000_000_002n]])
})

test('until version 2.2 the lengths are swapped, in 2.3 they may be', () => {
  const old = readBytes(
    hex(`d4c3b2a1 0200 0200 ${'00'.repeat(8)} 00000400 01000000
    01000000 00000000 04000000 02000000 aabb`),
  )
  assert.deepEqual(summary(old.packets), [['aabb', 4, 0n, 1_000_000_000n]])
  const either = readBytes(
    hex(`d4c3b2a1 0200 0300 ${'00'.repeat(8)} 00000400 01000000
    01000000 00000000 04000000 02000000 aabb 01000000 00000000 02000000 04000000 ccdd`),
  )
  assert.deepEqual(
    either.packets.map(packet => [packet.bytes.length, packet.original]),
    [
      [2, 4],
      [2, 4],
    ],
  )
})

test('modified pcap has 24-byte record headers', () => {
  const { reader, packets } = readBytes(
    hex(`34cdb2a1 0200 0400 ${'00'.repeat(8)} 00000400 01000000
      01000000 02000000 02000000 02000000 0700000000000000 aabb
      01000000 03000000 02000000 02000000 0700000000000000 ccdd`),
  )
  assert.equal(reader.fault, undefined)
  assert.deepEqual(summary(packets), [
    ['aabb', 2, 0n, 1_000_002_000n],
    ['ccdd', 2, 1000n, 1_000_003_000n],
  ])
})

test('a clock that steps back is clamped and counted; the own time stays', () => {
  const records = ['05', '03', '04', '06'].map(second => `${second}000000 00000000 01000000 01000000 aa`)
  const { reader, packets } = readBytes(hex(header + records.join('')))
  assert.deepEqual(
    packets.map(({ timestamp, time }) => [timestamp, time / 1_000_000_000n]),
    [
      [0n, 5n],
      [0n, 3n],
      [0n, 4n],
      [1_000_000_000n, 6n],
    ],
  )
  assert.equal(reader.clamped, 2)
})

test('an original length below the captured one is raised to it and counted', () => {
  const { reader, packets } = readBytes(pcapOf(1, [['aabb', 1]]))
  assert.equal(packets[0].original, 2)
  assert.equal(reader.repaired, 1)
})

test('an odd version and a time zone are noted, not refused', () => {
  const { reader, packets } = readBytes(
    hex(`d4c3b2a1 0100 0400 10000000 00000000 00000400 01000000 ${first}`),
  )
  assert.equal(packets.length, 1)
  assert.deepEqual(reader.notes, [
    'pcap version 1.4 is read as 2.4',
    'the time zone field is 16; times are read as UTC',
  ])
})

const damaged: readonly (readonly [
  what: string,
  bytes: string,
  packets: number,
  kind: string,
  offset: number,
])[] = [
  ['an empty file', '', 0, 'format', 0],
  ['three bytes', 'd4c3b2', 0, 'format', 0],
  ['a cut file header', header.slice(0, 20), 0, 'truncated', 0],
  ['an unknown magic', '0011223344556677', 0, 'format', 0],
  ['a cut record header', `${header} ${first} 0200`, 1, 'truncated', 43],
  ['a cut packet', `${header} ${first} ${first.slice(0, -4)}`, 1, 'truncated', 43],
  ['an absurd length', `${header} ${first} 01000000 00000000 01000400 01000400`, 1, 'corrupt', 43],
  ['a link type that is not read', header.replace('01000000', '7f000000'), 0, 'link', 20],
  ['snoop', '736e6f6f70000000 00000002 00000004', 0, 'format', 0],
]

for (const [what, bytes, count, kind, offset] of damaged) {
  test(`${what}: ${count} packets, then a fault of kind ${kind} at byte ${offset}`, () => {
    const { reader, packets } = readBytes(hex(bytes))
    assert.equal(packets.length, count)
    assert.equal(reader.fault?.kind, kind)
    assert.equal(reader.fault?.offset, offset)
    assert.equal(reader.read(slab).count, 0)
    assert.ok(faultText(reader.fault).length < 300)
  })
}

test('faults name the link type and what to do', () => {
  const { reader } = readBytes(hex(header.replace('01000000', '7f000000')))
  assert.match(reader.fault?.reason ?? '', /link type 127 \(IEEE 802\.11 with radiotap header\)/)
  assert.match(readBytes(hex('28b52ffd00000000')).reader.fault?.advice ?? '', /zstd -dc/)
  assert.match(readBytes(hex('736e6f6f70000000')).reader.fault?.advice ?? '', /editcap/)
})

test('a file that is not there, and one that is a directory', () => {
  for (const path of ['/nowhere/at/all.pcap', tmpdir()]) {
    const reader = openCapture(path, { memory, workspace: 0 })
    assert.deepEqual(reader.read(slab), { count: 0, bytes: 0, wireBytes: 0, end: true })
    assert.equal(reader.fault?.kind, 'system')
  }
})

/** A capture of `count` packets of up to 300 bytes, in which each packet says its number. */
function numbered(count: number): Uint8Array {
  const packets = Array.from({ length: count }, (_, index) => {
    const bytes = index.toString(16).padStart(8, '0') + 'ab'.repeat(index % 300)
    return [bytes, bytes.length / 2] as const
  })
  return pcapOf(1, packets)
}

function check(packets: readonly TakenPacket[], count: number): void {
  assert.equal(packets.length, count)
  for (const [index, { bytes }] of packets.entries()) {
    assert.equal(Buffer.from(bytes).readUInt32BE(0), index)
    assert.equal(bytes.length, 4 + (index % 300))
  }
}

test('records split between reads are whole, in one slab and in alternating ones', () => {
  const file = numbered(12_000)
  check(readBytes(file).packets, 12_000)
  const reader = openBytes(file)
  const sink = memorySink(memory)
  let bytes = 0
  for (let turn = 0; ; turn++) {
    const where = turn % 2 === 0 ? slab : otherSlab
    const batch = reader.read(where)
    sink.write(where, batch.count, everyPacket)
    bytes += batch.bytes
    if (batch.end) break
  }
  check(sink.packets, 12_000)
  assert.equal(bytes, file.length - 24 - 12_000 * 16)
})

test('the largest packet fits', () => {
  const { reader, packets } = readBytes(
    pcapOf(1, [
      ['00', 1],
      ['ab'.repeat(262_144), 262_144],
      ['01', 1],
    ]),
  )
  assert.equal(reader.fault, undefined)
  assert.deepEqual(
    packets.map(packet => packet.bytes.length),
    [1, 262_144, 1],
  )
})

test('gzip of a capture, and its damage', () => {
  const packed = gzipSync(numbered(5000))
  const whole = readBytes(packed)
  check(whole.packets, 5000)
  assert.equal(whole.reader.format, 'pcap, little-endian, microseconds in gzip')
  const cut = readBytes(packed.subarray(0, packed.length / 2))
  assert.equal(cut.reader.fault?.kind, 'truncated')
  assert.ok(cut.packets.length > 1000)
  check(cut.packets, cut.packets.length)
  assert.equal(readBytes(gzipSync('no capture')).reader.fault?.kind, 'format')
})

test('a pipe is read as it comes', { skip: process.platform === 'win32' && 'needs a shell' }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'hairpin-'))
  const [file, fifo] = [join(folder, 'in.pcap'), join(folder, 'fifo')]
  writeFileSync(file, numbered(3000))
  const made = spawnSync('sh', ['-c', `mkfifo ${fifo} && (cat ${file} >${fifo} &)`], { stdio: 'ignore' })
  assert.equal(made.status, 0)
  const reader = openCapture(fifo, { memory, workspace: 0 })
  check(collect(reader, memory, slab), 3000)
  assert.equal(reader.progress.size, undefined)
  rmSync(folder, { recursive: true })
})

test('development captures have the packets that their index says', { skip: capturesMissing }, () => {
  let read = 0
  for (const { path, file, format, packets, links, damage } of indexedCaptures()) {
    const reader = openCapture(path, { memory, workspace: 0 })
    let count = 0
    for (;;) {
      const batch = reader.read(slab)
      count += batch.count
      if (batch.end) break
    }
    const { fault } = reader
    if (format === 'snoop') assert.equal(fault?.kind, 'format', file)
    else if (fault?.kind === 'link') {
      assert.ok(
        links.split('+').some(link => fault.reason.includes(`link type ${link} `)),
        file,
      )
    } else {
      assert.equal(count, packets, file)
      assert.equal(fault !== undefined, damage !== '', `${file}: ${fault?.reason}`)
      read++
    }
  }
  assert.ok(read >= 540, `${read} captures were read whole`)
})

test('arbitrary bytes behind any header never throw', () => {
  const headers = [header, header.replace('01000000', '71000000'), 'a1b2c3d4', '1f8b08', '0a0d0d0a', '']
  const property = fc.property(
    fc.constantFrom(...headers),
    fc.uint8Array({ maxLength: 200 }),
    (start, rest) => {
      const { reader } = readBytes(Uint8Array.from([...hex(start), ...rest]))
      assert.ok(reader.read(slab).end)
    },
  )
  fc.assert(property, { numRuns: 1000 })
})
