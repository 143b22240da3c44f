import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import fc from 'fast-check'
import { compiledWalkers } from './walker.js'
import { CaptureReader } from './capture.js'
import { control, entry, readerWorkspaceBytes, type Walkers } from './control.js'
import { capturesMissing, indexedCaptures } from './development.js'
import { carveSlab, descriptorBytes, minimumDataBytes } from './slab.js'
import { bytesSource } from './source.js'
import { referenceWalkers } from './walk.js'

const slab = carveSlab(readerWorkspaceBytes, 300, minimumDataBytes)
const other = carveSlab(readerWorkspaceBytes + 0x60000, 300, minimumDataBytes)

/** A memory with one of the walkers, and what was read through it. */
function bench(make: (memory: WebAssembly.Memory) => Walkers) {
  const memory = new WebAssembly.Memory({ initial: 16, maximum: 16, shared: true })
  return { memory, bytes: new Uint8Array(memory.buffer), walkers: make(memory) }
}

const reference = bench(memory => referenceWalkers(memory.buffer))
const compiled = bench(compiledWalkers)

/** Reads a capture with both walkers in step; the whole memories must stay equal. Answers the packets read. */
function compare(file: Uint8Array, name: string): number {
  const [first, second] = [reference, compiled].map(({ memory, walkers, bytes }) => {
    bytes.fill(0)
    return new CaptureReader(name, bytesSource(file), { memory, workspace: 0, walkers, firstDevice: 3 })
  })
  for (let round = 0; ; round++) {
    const where = round % 3 === 2 ? other : slab
    const batch = first.read(where)
    assert.deepEqual(second.read(where), batch, name)
    assert.equal(Buffer.compare(reference.bytes, compiled.bytes), 0, `${name}: memories differ`)
    if (batch.end) break
  }
  assert.deepEqual(second.fault, first.fault, name)
  assert.deepEqual(second.interfaces, first.interfaces)
  return first.packets
}

test('compiled and reference walkers agree on every development capture', { skip: capturesMissing }, () => {
  for (const capture of indexedCaptures()) {
    if (!capture.file.endsWith('.gz')) compare(readFileSync(capture.path), capture.file)
  }
})

const small = indexedCaptures()
  .map(capture => ({ ...capture, size: capturesMissing ? 0 : readFileSync(capture.path).length }))
  .filter(capture => capture.size < 4000)

test('they agree on damaged captures', { skip: capturesMissing }, () => {
  const damage = fc.array(fc.tuple(fc.nat(4000), fc.nat(255)), { minLength: 1, maxLength: 6 })
  const property = fc.property(fc.constantFrom(...small), damage, fc.nat(4000), (capture, changes, cut) => {
    const bytes = Uint8Array.from(readFileSync(capture.path))
    for (const [at, value] of changes) bytes[at % bytes.length] = value
    compare(bytes.subarray(0, cut < 200 ? cut : bytes.length), capture.file)
  })
  fc.assert(property, { numRuns: 300 })
})

/** Words that bring random bytes past the first checks. */
const word = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(0, 1, 2, 3, 4, 5, 6, 10, 24, 28, 30) },
  { weight: 6, arbitrary: fc.integer({ min: 8, max: 64 }).map(value => value & ~3) },
  { weight: 1, arbitrary: fc.constantFrom(0x0800_0000, 0xffff_ffff, 0x0a0d0d0a, 0x8000_0000) },
  { weight: 1, arbitrary: fc.nat() },
)

const tableEntry = fc.record({
  kind: fc.constantFrom(0, 1, 2, 3, 4, 5, 6, 255),
  snaplen: fc.constantFrom(0, 5, 40, 0xffff_ffff),
  mode: fc.nat(2),
  shift: fc.nat(63),
  factor: fc.oneof(fc.constantFrom(1n, 1000n, 10n ** 19n), fc.bigInt({ min: 1n, max: (1n << 64n) - 1n })),
  offset: fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n }),
})

/** One direct call of a walker on arbitrary words, everything in the control block arbitrary too. */
const call = fc.record({
  words: fc.array(word, { maxLength: 120 }),
  little: fc.boolean(),
  pcapng: fc.boolean(),
  times: fc.boolean(),
  started: fc.nat(1),
  capacity: fc.nat(6),
  order: fc.nat(2),
  recordBytes: fc.constantFrom(16, 24),
  skew: fc.nat(3),
  start: fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n }),
  entries: fc.array(tableEntry, { minLength: 1, maxLength: 3 }),
})
type Call = typeof call extends fc.Arbitrary<infer T> ? T : never

function run(side: typeof reference, given: Call): number {
  side.bytes.fill(0)
  const view = new DataView(side.memory.buffer)
  const from = slab.data + 64 + given.skew
  given.words.forEach((value, index) => view.setUint32(from + index * 4, value, given.little))
  const set = (offset: number, value: number) => view.setUint32(offset, value, true)
  set(control.cursor, from)
  set(control.end, from + given.words.length * 4)
  set(control.descriptor, slab.descriptors)
  set(control.descriptorEnd, slab.descriptors + given.capacity * descriptorBytes)
  set(control.times, given.times ? slab.times : 0)
  set(control.lengthOrder, given.order)
  set(control.recordBytes, given.recordBytes)
  set(control.started, given.started)
  set(control.interfaces, given.entries.length)
  view.setBigInt64(control.start, given.start, true)
  // The reader never walks a pcap file whose only interface cannot be read.
  const entries = given.pcapng
    ? given.entries
    : given.entries.map(fields => ({ ...fields, kind: fields.kind % 7 }))
  entries.forEach((fields, index) => {
    const at = control.table + index * entry.bytes
    set(at + entry.kind, fields.kind)
    set(at + entry.type, 101 + index)
    set(at + entry.device, index)
    set(at + entry.snaplen, fields.snaplen)
    set(at + entry.mode, fields.mode)
    set(at + entry.shift, fields.shift)
    view.setBigUint64(at + entry.factor, fields.factor, true)
    view.setBigInt64(at + entry.offset, fields.offset, true)
  })
  return given.pcapng ? side.walkers.pcapng(0, given.little) : side.walkers.pcap(0, given.little)
}

test('they agree on arbitrary words in every mode', () => {
  const property = fc.property(call, given => {
    const expected = run(reference, given)
    assert.equal(run(compiled, given), expected)
    const touched = slab.data + 2048
    assert.equal(
      Buffer.compare(reference.bytes.subarray(0, touched), compiled.bytes.subarray(0, touched)),
      0,
      'memories differ',
    )
  })
  fc.assert(property, { numRuns: 2000 })
})

/** Well-formed packet blocks, so that every time mode and link kind is really walked. */
const packetBlocks = fc.array(
  fc.record({
    type: fc.constantFrom(6, 6, 6, 2, 3, 99),
    interface: fc.nat(2),
    high: fc.oneof(fc.nat(4), fc.nat()),
    low: fc.nat(0xffff_ffff),
    data: fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc
        .tuple(fc.constantFrom(0x02, 0x0a, 0x1e, 0x45, 0x60, 0), fc.uint8Array({ maxLength: 20 }))
        .map(([first, rest]) => Uint8Array.from([first, 0, 0, 0, ...rest])),
    ),
    original: fc.constantFrom(0, 20, 60, 1500, 0xffff_ffff),
  }),
  { maxLength: 8 },
)

function wordsOf(blocks: typeof packetBlocks extends fc.Arbitrary<infer T> ? T : never): number[] {
  return blocks.flatMap(block => {
    const padded = new Uint8Array((block.data.length + 3) & ~3)
    padded.set(block.data)
    const view = new DataView(padded.buffer)
    const data = Array.from({ length: padded.length / 4 }, (_, index) => view.getUint32(index * 4, true))
    const head =
      block.type === 3
        ? [block.original]
        : [block.interface, block.high, block.low, block.data.length, block.original]
    const total = 12 + 4 * (head.length + data.length)
    return [block.type, total, ...head, ...data, total]
  })
}

test('they agree on well-formed blocks of every kind', () => {
  const property = fc.property(call, packetBlocks, (given, blocks) => {
    const entries = [0, 1, 2].map(index => given.entries[index % given.entries.length])
    const whole = { ...given, entries, pcapng: true, capacity: 8, words: wordsOf(blocks) }
    const expected = run(reference, whole)
    assert.equal(run(compiled, whole), expected)
    assert.equal(Buffer.compare(reference.bytes, compiled.bytes), 0, 'memories differ')
  })
  fc.assert(property, { numRuns: 1500 })
})
