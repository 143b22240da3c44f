import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CaptureReader } from './capture.js'
import { readerWorkspaceBytes } from './control.js'
import { collect } from './memory.js'
import { carveSlab, minimumDataBytes } from './slab.js'
import { bytesSource } from './source.js'

const memory = new WebAssembly.Memory({ initial: 16, maximum: 16, shared: true })
const slab = carveSlab(readerWorkspaceBytes, 100, minimumDataBytes)

function bytes(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex.replace(/[^0-9a-f]/g, ''), 'hex'))
}

function open(hex: string): CaptureReader {
  return new CaptureReader('test', bytesSource(bytes(hex)), { memory, workspace: 0 })
}

const header = 'd4c3b2a1 0200 0400 00000000 00000000 00000400 01000000'

test('a little-endian microsecond capture of two packets', () => {
  const reader = open(`${header}
    01000000 02000000 03000000 04000000 aabbcc
    02000000 01000000 02000000 02000000 ddee`)
  const packets = collect(reader, memory, slab)
  assert.equal(reader.fault, undefined)
  assert.equal(reader.start, 1_000_002_000n)
  assert.deepEqual(
    packets.map(packet => [packet.bytes, packet.original, packet.timestamp, packet.time]),
    [
      [bytes('aabbcc'), 4, 0n, 1_000_002_000n],
      [bytes('ddee'), 2, 999_999_000n, 2_000_001_000n],
    ],
  )
})

test('a record cut short leaves what came before and says where', () => {
  const reader = open(`${header}
    01000000 02000000 03000000 04000000 aabbcc
    02000000 01000000 02000000 02000000 dd`)
  assert.equal(collect(reader, memory, slab).length, 1)
  assert.equal(reader.fault?.kind, 'truncated')
  assert.equal(reader.fault?.offset, 24 + 19)
})
