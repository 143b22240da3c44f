// Compiled steering against the Toeplitz hash over what the plain dissection of each packet says.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { batchModule } from '../backend/wasm/batch.js'
import { context, descriptorBytes } from '../backend/wasm/memory.js'
import { loadPackets } from '../engine/packets.js'
import { openCapture } from '../device/capture.js'
import { capturesMissing, indexedCaptures } from '../device/development.js'
import { FunctionBuilder } from '../ir/builder.js'
import { steeringBlock, steeringFunction } from './steering.js'
import type { SteeringFields } from './steering.js'
import {
  indirectionEntries,
  longestInput,
  standardKey,
  steeringLayout,
  symmetricKey,
  toeplitz,
} from './toeplitz.js'
import { hashInput, suite, suite6, v4, v6 } from './rss-suite.js'

const all = { source: true, destination: true, sourcePort: true, destinationPort: true }
const defaultWorkers = 5

type Steer = (packets: readonly Uint8Array[]) => number[]

/** Compiles steering once; the answer runs it over packets and gives the worker of each. */
function steeringBy(
  fields: SteeringFields,
  block = steeringBlock(fields, defaultWorkers),
  workers = defaultWorkers,
): Steer {
  const main = new FunctionBuilder('main', [], 'i32')
  main.return([main.const('i32', 1)])
  const wasm = batchModule({
    name: 'steering',
    placement: { objects: new Map(), settings: [], counters: [] },
    callees: [],
    main: main.finish(),
    steer: steeringFunction(fields),
  })
  const memory = new WebAssembly.Memory({ initial: 64, maximum: 64, shared: true })
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(wasm), { env: { memory } })
  const view = new DataView(memory.buffer)
  const bytes = new Uint8Array(memory.buffer)
  const [ctx, steering, descriptors, lists, data] = [64, 65_536, 4 * 65_536, 8 * 65_536, 22 * 65_536]
  assert.ok(steering + steeringLayout.size < descriptors)
  bytes.set(block, steering)
  view.setUint32(ctx + context.steering, steering, true)
  const room = 4 * 512
  const steer = exports.steer as (...args: unknown[]) => void
  return packets => {
    bytes.fill(0, lists, lists + workers * room)
    place(packets)
    steer(ctx, descriptors, packets.length, 1n, lists, room)
    return chosenOf(packets.length)
  }
  function place(packets: readonly Uint8Array[]): void {
    let at = data
    packets.forEach((p, i) => {
      bytes.set(p, at)
      view.setUint32(descriptors + i * descriptorBytes, at, true)
      view.setUint32(descriptors + i * descriptorBytes + 4, p.length, true)
      at += p.length
    })
  }
  function chosenOf(count: number): number[] {
    const chosen = Array.from({ length: count }, () => -1)
    for (let w = 0; w < workers; w++)
      for (let k = 1; k <= view.getUint32(lists + w * room, true); k++)
        chosen[view.getUint32(lists + w * room + 4 * k, true)] = w
    return chosen
  }
}

test('every development capture is steered by the Toeplitz hash of its fields', t => {
  if (capturesMissing) return t.skip(capturesMissing)
  const ways = [false, true].flatMap(symmetric => [
    { ...all, symmetric },
    { ...all, sourcePort: false, destinationPort: false, symmetric },
    { source: true, destination: false, sourcePort: false, destinationPort: false, symmetric },
  ])
  const compiled = ways.map(fields => ({ fields, steer: steeringBy(fields) }))
  for (const capture of indexedCaptures()) {
    const store = loadPackets((memory, workspace) => openCapture(capture.path, { memory, workspace }), 100)
    const packets = Array.from({ length: store.count }, (_, i) => store.packet(i).bytes)
    for (const { fields, steer } of compiled) {
      const key = fields.symmetric ? symmetricKey : standardKey
      const expected = packets.map(p => {
        const input = hashInput(p, fields)
        return (toeplitz(key, Uint8Array.from(input)) % indirectionEntries) % defaultWorkers
      })
      assert.deepEqual(steer(packets), expected, `${capture.path} ${JSON.stringify(fields)}`)
    }
  }
  return undefined
})

/** An Ethernet frame with a TCP header behind IPv4 or IPv6 addresses, in network order. */
function frameOf(from: readonly number[], to: readonly number[], ports: readonly number[]): Uint8Array {
  const isV4 = from.length === 4
  const frame = new Uint8Array(isV4 ? 54 : 74)
  frame.set(isV4 ? [8, 0, 0x45, 0, 0, 40] : [0x86, 0xdd, 0x60, 0, 0, 0, 0, 20, 6, 64], 12)
  if (isV4) frame.set([64, 6], 22)
  frame.set([...from, ...to, ...ports], isV4 ? 26 : 22)
  frame[frame.length - 8] = 0x50
  return frame
}

/**
 * The whole hash as compiled code computes it: it shows seven bits in the worker's number, of which there are 128 here.
 * The hash is a sum without carries, so that tables moved down show the bits above.
 */
function compiledHash(fields: SteeringFields, frames: readonly Uint8Array[]): number[] {
  const hashes = frames.map(() => 0)
  for (let shift = 0; shift < 32; shift += 7) {
    const block = new Uint32Array(steeringBlock(fields, indirectionEntries).buffer)
    for (let i = 0; i < longestInput * 256; i++) block[i] >>>= shift
    const found = steeringBy(fields, new Uint8Array(block.buffer), indirectionEntries)(frames)
    found.forEach((bits, k) => (hashes[k] |= bits << shift))
  }
  return hashes.map(h => h >>> 0)
}

test("Microsoft's verification suite through the compiled function, addresses alone and with ports", () => {
  const ports = (n: number): number[] => [n >> 8, n & 255]
  for (const [rows, parse] of [
    [suite, v4],
    [suite6, v6],
  ] as const) {
    const frames = rows.map(([to, toPort, from, fromPort]) =>
      frameOf(parse(from), parse(to), [...ports(fromPort), ...ports(toPort)]),
    )
    assert.deepEqual(
      compiledHash({ ...all, symmetric: false }, frames),
      rows.map(r => r[5]),
    )
    const addresses = { ...all, sourcePort: false, destinationPort: false, symmetric: false }
    assert.deepEqual(
      compiledHash(addresses, frames),
      rows.map(r => r[4]),
    )
  }
})
