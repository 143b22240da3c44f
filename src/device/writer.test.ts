import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { CaptureReader, openCapture } from './capture.js'
import { readerWorkspaceBytes } from './control.js'
import { capturesMissing, indexedCaptures } from './development.js'
import { everyPacket, type Selection } from './device.js'
import { capturedBytes, collect, memorySource, type TakenPacket } from './memory.js'
import { carveSlab, descriptor, descriptorBytes, minimumDataBytes } from './slab.js'
import { bytesSource } from './source.js'
import { bytesTarget } from './target.js'
import { CaptureWriter, openOutput, writerWorkspaceBytes, type OutputOptions } from './writer.js'

const memory = new WebAssembly.Memory({ initial: 48, maximum: 48, shared: true })
const view = new DataView(memory.buffer)
const workspace = readerWorkspaceBytes
const slab = carveSlab(workspace + writerWorkspaceBytes, 500, minimumDataBytes)

function read(bytes: Uint8Array): CaptureReader {
  return new CaptureReader('in', bytesSource(bytes), { memory, workspace: 0 })
}

/** Reads a capture and writes it again; answers the file written and both faults. */
function copy(bytes: Uint8Array, options: Partial<OutputOptions> = {}, selection: Selection = everyPacket) {
  const reader = read(bytes)
  const target = bytesTarget()
  const writer = new CaptureWriter('out', target, { memory, workspace, origin: reader, ...options })
  for (;;) {
    const batch = reader.read(slab)
    writer.write(slab, batch.count, selection)
    if (batch.end) break
  }
  writer.close()
  return { file: target.bytes(), reader, writer }
}

function hex(text: string): Buffer {
  return Buffer.from(text.replace(/[^0-9a-f]/g, ''), 'hex')
}

const header = 'd4c3b2a1 0200 0400 00000000 00000000 00000400 01000000'
const first = '01000000 02000000 03000000 04000000 aabbcc'
const second = '02000000 01000000 02000000 02000000 ddee'

test('a capture in microseconds is written back byte for byte', () => {
  const bytes = hex(header + first + second)
  assert.deepEqual(copy(bytes, { microseconds: true }).file, bytes)
})

test('by default times are in nanoseconds', () => {
  const expected = hex(`4d3cb2a1 0200 0400 00000000 00000000 00000400 01000000
    01000000 d0070000 03000000 04000000 aabbcc`)
  assert.deepEqual(copy(hex(header + first)).file, expected)
})

test('pcapng has its section, its interface when it is first needed, and padded blocks', () => {
  const expected = hex(`
    0a0d0d0a 2c000000 4d3c2b1a 01000000 ffffffffffffffff 0400 0700 68616972 70696e00 00000000 2c000000
    01000000 20000000 0100 0000 00000400 0900 0100 09000000 00000000 20000000
    06000000 24000000 00000000 00000000 d0d19a3b 03000000 04000000 aabbcc00 24000000`)
  const { file } = copy(hex(header + first), { format: 'pcapng' })
  assert.equal(file.toString('hex'), expected.toString('hex'))
})

test('a capture without packets is a file header', () => {
  assert.deepEqual(copy(hex(header), { microseconds: true }).file, hex(header))
})

test('only packets with the wanted verdicts are written', () => {
  const source = memorySource(
    memory,
    [1, 2, 3, 4, 4].map(value => ({ bytes: Uint8Array.of(value) })),
  )
  const { count } = source.read(slab)
  for (const [index, verdict] of [1, 2, 3, 4 | (7 << 8), 4 | (9 << 8)].entries()) {
    view.setUint32(slab.descriptors + index * descriptorBytes + descriptor.verdict, verdict, true)
  }
  const written = (selection: Selection): number[] => {
    const target = bytesTarget()
    const writer = new CaptureWriter('out', target, { memory, workspace, microseconds: true })
    writer.write(slab, count, selection)
    writer.close()
    return Array.from(
      { length: (target.bytes().length - 24) / 17 },
      (_, at) => target.bytes()[24 + 17 * at + 16],
    )
  }
  assert.deepEqual(written({ verdicts: 1 << 1 }), [1])
  assert.deepEqual(written({ verdicts: (1 << 2) | (1 << 3) }), [2, 3])
  assert.deepEqual(written({ verdicts: 1 << 4 }), [4, 4])
  assert.deepEqual(written({ verdicts: 1 << 4, redirect: 9 }), [4])
})

test('pcap refuses a second link type and says what to do', () => {
  const target = bytesTarget()
  const ethernet = memorySource(memory, [{ bytes: Uint8Array.of(1) }])
  const writer = new CaptureWriter('out', target, { memory, workspace, microseconds: true })
  ethernet.read(slab)
  assert.equal(writer.write(slab, 1, everyPacket), 1)
  view.setUint32(slab.descriptors + descriptor.link, 0x100 | (101 << 16), true)
  assert.equal(writer.write(slab, 1, everyPacket), 0)
  writer.close()
  assert.equal(writer.fault?.kind, 'link')
  assert.match(writer.fault?.advice ?? '', /pcapng/)
  assert.equal(target.bytes().length, 24 + 17)
})

test('a file that cannot be created is a fault, not an exception', () => {
  const writer = openOutput('/nowhere/at/all.pcap', { memory, workspace })
  memorySource(memory, [{ bytes: Uint8Array.of(1) }]).read(slab)
  assert.equal(writer.write(slab, 1, everyPacket), 0)
  writer.close()
  assert.equal(writer.fault?.kind, 'system')
})

/** What must survive writing and reading again. */
function essence(packet: TakenPacket): { time: bigint; [field: string]: unknown } {
  const { link, original, timestamp, time } = packet
  return { bytes: Buffer.from(capturedBytes(packet)).toString('hex'), link, original, timestamp, time }
}

test(
  'every development capture survives being written as pcapng and as pcap',
  { skip: capturesMissing },
  () => {
    for (const { path, file, packets: count } of indexedCaptures()) {
      if (file.startsWith('big/') && count > 10_000) continue
      const bytes = readFileSync(path)
      const before = collect(read(bytes), memory, slab).map(essence)
      // A simple packet block before all others has no time; 1970 is written for it and becomes the start.
      const timeless = before.length > 0 && before[0].time === 0n
      const same = (written: Uint8Array): void => {
        const after = collect(read(written), memory, slab).map(essence)
        if (timeless) for (const packet of [...before, ...after]) delete packet['timestamp']
        assert.deepEqual(after, before, file)
      }
      same(copy(bytes, { format: 'pcapng' }).file)
      const { file: written, writer } = copy(bytes)
      if (writer.fault !== undefined) assert.equal(writer.fault.kind, 'link', file)
      else if (before.every(packet => packet.time < 2n ** 32n * 1_000_000_000n)) same(written)
    }
  },
)

test(
  'little-endian captures of plain packets are written back byte for byte',
  { skip: capturesMissing },
  () => {
    let same = 0
    for (const { path, file, format, damage, packets } of indexedCaptures()) {
      if (!format.startsWith('pcap-LE') || damage !== '' || packets > 10_000 || file.endsWith('.gz')) continue
      const bytes = readFileSync(path)
      const { file: written, reader } = copy(bytes, { microseconds: format.endsWith('us') })
      const unchanged = reader.fault === undefined && reader.notes.length === 0 && reader.repaired === 0
      if (!unchanged || packets === 0) continue
      if (hasOddFractions(bytes, format.endsWith('us') ? 1_000_000 : 1_000_000_000)) continue
      assert.equal(Buffer.compare(written.subarray(24), bytes.subarray(24)), 0, file)
      same++
    }
    assert.ok(same > 400, `${same} captures`)
  },
)

/** Does a record have a fraction of a whole second or more? Writing carries it into the seconds. */
function hasOddFractions(bytes: Buffer, limit: number): boolean {
  for (let at = 24; at + 16 <= bytes.length; at += 16 + bytes.readUInt32LE(at + 8)) {
    if (bytes.readUInt32LE(at + 4) >= limit) return true
  }
  return false
}

function installed(tool: string): boolean {
  return spawnSync(tool, ['--version']).error === undefined
}

const tshark = installed('tshark') ? false : 'tshark is not installed'
const tcpdump = installed('tcpdump') ? false : 'tcpdump is not installed'

test('tshark reads what was written as we do', { skip: capturesMissing || tshark }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'hairpin-'))
  const wanted = ['zeek/wikipedia.pcap', 'zeek/linux_dlt_sll2.pcap', 'pcapplusplus/many_interfaces-1.pcapng']
  for (const file of wanted) {
    const capture = indexedCaptures().find(one => one.file === file)
    if (capture === undefined) continue
    const out = join(folder, 'out.pcapng')
    const reader = openCapture(capture.path, { memory, workspace: 0 })
    const writer = openOutput(out, { memory, workspace, origin: reader })
    for (;;) {
      const batch = reader.read(slab)
      writer.write(slab, batch.count, everyPacket)
      if (batch.end) break
    }
    writer.close()
    const fields = [
      'frame.time_epoch',
      'frame.len',
      'frame.cap_len',
      'frame.protocols',
      'frame.interface_name',
    ]
    const show = (path: string): string => {
      const options = ['-r', path, '-T', 'fields', ...fields.flatMap(field => ['-e', field])]
      // Of a pcap file tshark knows no interface, of ours one without a name.
      return spawnSync('tshark', options, { encoding: 'utf8' }).stdout.replaceAll('\tunknown\n', '\t\n')
    }
    const [expected, found] = [show(capture.path), show(out)]
    assert.equal(expected.split('\n').length - 1, capture.packets)
    assert.equal(found, expected, file)
  }
  rmSync(folder, { recursive: true })
})

function dumped(path: string): string {
  return spawnSync('tcpdump', ['-r', path, '-n', '-tttt', '-xx'], { encoding: 'utf8' }).stdout
}

test('tcpdump reads what was written as we do', { skip: capturesMissing || tcpdump }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'hairpin-'))
  const capture = indexedCaptures().find(one => one.file === 'zeek/wikipedia.pcap')
  if (capture === undefined) return
  const out = join(folder, 'out.pcap')
  const reader = openCapture(capture.path, { memory, workspace: 0 })
  const writer = openOutput(out, { memory, workspace, origin: reader, microseconds: true })
  for (;;) {
    const batch = reader.read(slab)
    writer.write(slab, batch.count, everyPacket)
    if (batch.end) break
  }
  writer.close()
  assert.equal(dumped(out), dumped(capture.path))
  rmSync(folder, { recursive: true })
})
