import assert from 'node:assert/strict'
import { test } from 'node:test'
import { verifyFunction } from '../../src/ir/verify.js'
import { openCapture } from '../../src/device/capture.js'
import { readerWorkspaceBytes } from '../../src/device/control.js'
import { capturesMissing, indexedCaptures } from '../../src/device/development.js'
import { carveSlab, minimumDataBytes, readDescriptor } from '../../src/device/slab.js'
import { differences, emitReader, expectedReadings, interpreterOf, readingsOf } from './everything.js'
import { randomOf, randomPacket } from './packets.js'

const reader = emitReader()
const run = interpreterOf(reader.func)

test('the function that reads everything verifies', () => {
  assert.deepEqual(verifyFunction(reader.func), [])
})

function check(bytes: Uint8Array, device: number, what: string): void {
  const actual = readingsOf(reader, run, bytes.slice(), device)
  const wrong = differences(actual, expectedReadings(bytes, device))
  const hex = Buffer.from(bytes.subarray(0, 200)).toString('hex')
  assert.deepEqual(wrong.slice(0, 10), [], `${what}, device ${device}: ${hex}`)
}

test('compiled views equal the plain ones on random packets', () => {
  const seeds = Number(process.env['HAIRPIN_SEEDS'] ?? 400)
  const first = Number(process.env['HAIRPIN_SEED'] ?? 1)
  for (let seed = first; seed < first + seeds; seed++) {
    const bytes = randomPacket(seed)
    const r = randomOf(seed)
    const device = r(10) ? r(80) : 0xffff_ffff - r(20)
    check(bytes, device, `HAIRPIN_SEED=${seed} HAIRPIN_SEEDS=1`)
  }
})

/** A third tag, and VXLAN inside VXLAN. */
const neverThere = /vlan\.inner\.inner\?|vxlan\.inner\..*vxlan\?/

test('random packets reach every view', () => {
  const seen = new Map<string, number>()
  for (let seed = 1; seed <= 2000; seed++)
    for (const [path, value] of expectedReadings(randomPacket(seed), 0))
      if (path.endsWith('?') && !path.includes('inner.vlan.inner')) {
        const view = path.replace('packet.ipv6.udp.', 'packet.ipv4.udp.')
        seen.set(view, (seen.get(view) ?? 0) + Number(value))
      }
  const never = [...seen].filter(([path, n]) => n === 0 && !neverThere.test(path)).map(([path]) => path)
  assert.deepEqual(never, [])
})

test('compiled views equal the plain ones on real captures', { skip: capturesMissing }, () => {
  const perCapture = Number(process.env['HAIRPIN_PACKETS'] ?? 4)
  const memory = new WebAssembly.Memory({ initial: 64, maximum: 64, shared: true })
  const slab = carveSlab(readerWorkspaceBytes, perCapture, minimumDataBytes)
  for (const { path, file } of indexedCaptures()) {
    const capture = openCapture(path, { memory, workspace: 0 })
    const view = new DataView(memory.buffer)
    const { count } = capture.read(slab)
    for (let k = 0; k < count; k++) {
      const { address, length } = readDescriptor(view, slab, k)
      check(new Uint8Array(memory.buffer, address, length).slice(), 40, `${file}, packet ${k + 1}`)
    }
    capture.close()
  }
})
