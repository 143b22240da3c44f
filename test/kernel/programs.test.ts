import assert from 'node:assert/strict'
import { mkdtempSync, rmdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { loadBtf, BtfRejection } from '../../src/sys/btf.js'
import { kernel } from '../../src/sys/kernel.js'
import * as info from '../../src/sys/info.js'
import { mapMemory, mapMemoryInto } from '../../src/sys/map-memory.js'
import { pageSize } from '../../src/sys/overlay.js'
import { createMap, mapFlags, updateFlags } from '../../src/sys/map.js'
import {
  mountBpfFilesystem,
  openPinnedMap,
  openPinnedProgram,
  pin,
  pinned,
  unpin,
} from '../../src/sys/pin.js'
import { loadProgram, VerifierRejection } from '../../src/sys/program.js'
import { testRun } from '../../src/sys/test-run.js'
import { counterProgram, frame, verdicts } from './counter.js'
import { exit, instructionBytes, moveImmediate } from '../../src/sys/instruction.js'
import { without, withoutBpf, withoutLab } from './probes.js'

const skip = withoutBpf
const key = (n: number): Uint8Array => new Uint8Array(new Uint32Array([n]).buffer)
const value = (n: bigint): Uint8Array => new Uint8Array(new BigUint64Array([n]).buffer)

test('a hash map: update, look-up, iteration, batches, removal', { skip }, () => {
  const map = createMap({ type: 'hash', name: 'test_hash', keySize: 4, valueSize: 8, maxEntries: 100 })
  try {
    for (let n = 0; n < 100; n++) assert.ok(map.update(key(n), value(BigInt(n) << 32n)))
    assert.deepEqual(map.lookup(key(7)), value(7n << 32n))
    assert.equal(map.lookup(key(100)), undefined)
    assert.equal(map.update(key(7), value(0n), updateFlags.NOEXIST), false)
    assert.equal(map.update(key(200), value(0n), updateFlags.EXIST), false)
    assert.throws(() => map.update(key(100), value(0n)), /map test_hash is full: it holds 100 entries/)
    assert.throws(() => map.update(key(100), new Uint8Array(4)), RangeError)
    assert.equal([...map.entries()].length, 100)
    const batched = [...map.batches(10)]
    assert.equal(
      batched.reduce((sum, { count }) => sum + count, 0),
      100,
    )
    for (const { count, keys, values } of batched)
      for (let k = 0; k < count; k++)
        assert.deepEqual(values.slice(8 * k + 4, 8 * k + 8), keys.slice(4 * k, 4 * k + 4))
    assert.equal(map.delete(key(7)), true)
    assert.equal(map.delete(key(7)), false)
    map.deleteBatch(Buffer.concat([key(1), key(2)]))
    map.updateBatch(Buffer.concat([key(300), key(301)]), Buffer.concat([value(1n), value(2n)]))
    assert.equal([...map.keys()].length, 99)
  } finally {
    map.close()
  }
})

test('a per-CPU map has a value for each CPU, a trie the longest prefix', { skip }, () => {
  const perCpu = createMap({
    type: 'percpu_array',
    name: 'test_cpus',
    keySize: 4,
    valueSize: 4,
    maxEntries: 2,
  })
  const trie = createMap({ type: 'lpm_trie', name: 'test_lpm', keySize: 8, valueSize: 4, maxEntries: 10 })
  try {
    assert.equal(perCpu.lookup(key(0))?.length, perCpu.valueBytes)
    assert.equal(perCpu.valueBytes % 8, 0)
    const route = (prefix: number, ...address: number[]): Uint8Array =>
      Uint8Array.of(prefix, 0, 0, 0, ...address)
    trie.update(route(8, 10, 0, 0, 0), key(1))
    trie.update(route(24, 10, 1, 2, 0), key(2))
    assert.deepEqual(trie.lookup(route(32, 10, 1, 2, 3)), key(2))
    assert.deepEqual(trie.lookup(route(32, 10, 9, 2, 3)), key(1))
    assert.equal(trie.lookup(route(32, 11, 1, 2, 3)), undefined)
  } finally {
    perCpu.close()
    trie.close()
  }
})

test('values of a map as memory, also inside WebAssembly memory, and none after unmapping', { skip }, () => {
  const map = createMap({
    type: 'array',
    name: 'test_mmap',
    keySize: 4,
    valueSize: 12,
    maxEntries: 1000,
    flags: mapFlags.MMAPABLE,
  })
  const memory = new WebAssembly.Memory({ initial: 2, maximum: 2, shared: true })
  const own = mapMemory(map)
  const inside = mapMemoryInto(map, memory.buffer, pageSize)
  assert.equal(own.stride, 16)
  assert.equal(own.bytes.length, 4 * pageSize)
  own.bytes[3 * 16] = 42
  assert.deepEqual(map.lookup(key(3))?.[0], 42)
  assert.equal(inside.bytes[3 * 16], 42)
  assert.equal(new Uint8Array(memory.buffer)[pageSize + 3 * 16], 42)
  assert.throws(() => mapMemoryInto(map, memory.buffer, 64), /page boundary/)
  map.close()
  for (const view of [own, inside]) {
    view.unmap()
    view.unmap()
    assert.equal(view.bytes[3 * 16], 0)
  }
  const plain = createMap({ type: 'array', name: 'test_plain', keySize: 4, valueSize: 4, maxEntries: 1 })
  assert.throws(() => mapMemory(plain), /made without MMAPABLE/)
  plain.close()
})

test('a program runs on given packets, and can be looked at', { skip }, () => {
  const counter = counterProgram(verdicts.transmit)
  try {
    const { verdict, data } = testRun(counter.program, { data: frame(60) })
    assert.equal(verdict, verdicts.transmit)
    assert.deepEqual(data, frame(60))
    assert.equal(counter.count(), 1)
    assert.ok(testRun(counter.program, { data: frame(60), repeat: 1000 }).duration < 10_000)
    assert.equal(counter.count(), 1001)
    assert.equal(testRun(counter.program, { data: frame(60), metadata: 8 }).metadata, 8)
    assert.throws(() => testRun(counter.program, { data: new Uint8Array(13) }), /at least 14 bytes, not 13/)

    const described = info.programInfo(counter.program)
    assert.equal(described.type, 'xdp')
    assert.equal(described.name, 'test_counter')
    assert.deepEqual(described.mapIds, [info.mapInfo(counter.map).id])
    assert.equal(described.gplCompatible, false)
    assert.ok(described.jitedBytes > 0)
    assert.ok(info.programs().some(({ id }) => id === described.id))
    assert.ok(info.maps().some(({ id }) => id === described.mapIds[0]))
    const again = info.openProgram(described.id)!
    assert.equal(again.name, 'test_counter')
    again.close()
    assert.equal(info.openProgram(0x7fff_fff0), undefined)
  } finally {
    counter.close()
  }
})

test('statistics count runs while somebody asks for them', { skip }, () => {
  const counter = counterProgram(verdicts.drop)
  const statistics = info.enableStatistics()
  testRun(counter.program, { data: frame(60), repeat: 10 })
  statistics.close()
  testRun(counter.program, { data: frame(60), repeat: 10 })
  assert.equal(info.programInfo(counter.program).runCount, 10n)
  counter.close()
})

test('the verifier’s refusal comes with its log', { skip }, () => {
  const instructions = instructionBytes([[0x61, 2, 1, 0, 0], [0x71, 0, 2, 0, 0], exit])
  assert.throws(
    () => loadProgram({ type: 'xdp', name: 'unsafe', instructions, licence: 'GPL' }),
    (error: unknown) => {
      assert.ok(error instanceof VerifierRejection)
      assert.equal(error.code, 'EACCES')
      assert.match(error.message, /the verifier refuses unsafe: .*outside of the packet/)
      assert.match(error.log, /invalid access to packet/)
      return true
    },
  )
  const { log, ...program } = loadProgram({
    type: 'xdp',
    name: 'safe',
    instructions: instructionBytes([moveImmediate(0, 2), exit]),
    licence: 'GPL',
    logLevel: 2,
  })
  assert.equal(program.name, 'safe')
  assert.match(log, /processed 2 insns/)
})

test('refused type information comes with the kernel’s log', { skip }, () => {
  assert.throws(() => loadBtf(new Uint8Array(40)), BtfRejection)
})

test('pinned objects outlive their descriptors until they are unpinned', { skip: withoutLab }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'hairpin-pins-'))
  try {
    mountBpfFilesystem(folder)
    const counter = counterProgram(verdicts.pass)
    pin(counter.map, join(folder, 'lab/count'))
    pin(counter.program, join(folder, 'program'))
    assert.throws(() => pin(counter.map, join(folder, 'program')), /EEXIST.*already there/)
    counter.close()
    assert.deepEqual(pinned(folder), [join(folder, 'lab/count'), join(folder, 'program')])
    const program = openPinnedProgram(join(folder, 'program'))
    const map = openPinnedMap(join(folder, 'lab/count'))
    testRun(program, { data: frame(60) })
    assert.deepEqual(map.lookup(key(0)), value(1n))
    program.close()
    map.close()
    assert.ok(unpin(join(folder, 'program')))
    assert.equal(unpin(join(folder, 'program')), false)
    assert.throws(() => openPinnedProgram(join(folder, 'program')), /nothing is pinned/)
    assert.throws(() => pin(program, join(tmpdir(), 'nowhere')), /closed/)
  } finally {
    kernel().umount(folder, 2)
    rmdirSync(folder)
  }
})

test('type information is loaded and read back', { skip }, () => {
  const types = new Uint32Array([1, 1 << 24, 4, 32])
  const strings = Buffer.from('\0u32\0')
  const header = new Uint8Array(24)
  const view = new DataView(header.buffer)
  view.setUint16(0, 0xeb9f, true)
  view.setUint8(2, 1)
  ;[24, 0, types.byteLength, types.byteLength, strings.length].forEach((word, k) =>
    view.setUint32(4 + 4 * k, word, true),
  )
  const bytes = Buffer.concat([header, new Uint8Array(types.buffer), strings])
  const btf = loadBtf(bytes)
  assert.deepEqual(Buffer.from(info.btfBytes(btf)), bytes)
  btf.close()
})

test('an arena is memory from the start', { skip: without('arena') }, () => {
  const arena = createMap({
    type: 'arena',
    name: 'test_arena',
    keySize: 0,
    valueSize: 0,
    maxEntries: 4,
    flags: mapFlags.MMAPABLE,
  })
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true })
  const inside = mapMemoryInto(arena, memory.buffer, pageSize)
  assert.equal(inside.bytes.length, 4 * pageSize)
  inside.bytes[pageSize] = 1
  assert.equal(inside.bytes[pageSize], 1)
  inside.unmap()
  arena.close()
})
