import assert from 'node:assert/strict'
import { test } from 'node:test'
import { collect } from './memory.js'
import { hex, memory, openBytes, readBytes, slab } from './testing.js'

const section = '0a0d0d0a 1c000000 4d3c2b1a 01000000 ffffffffffffffff 1c000000'
const ethernet = '01000000 14000000 0100 0000 00000000 14000000'

/** A little-endian block: type, body in hexadecimal, padded to 4 bytes. */
function block(type: number, body: string): string {
  const bytes = hex(body)
  const total = 12 + ((bytes.length + 3) & ~3)
  const whole = new Uint8Array(total)
  const view = new DataView(whole.buffer)
  view.setUint32(0, type, true)
  view.setUint32(4, total, true)
  whole.set(bytes, 8)
  view.setUint32(total - 4, total, true)
  return Buffer.from(whole).toString('hex')
}

function described(link: number, options: string, snaplen = '00000000'): string {
  return block(1, `${link.toString(16).padStart(2, '0')}00 0000 ${snaplen} ${options}`)
}

/** An interface with a name of four letters. */
function named(link: number, name: string): string {
  return described(link, `0200 0400 ${Buffer.from(name).toString('hex')} 0000 0000`)
}

/** An enhanced packet of interface `number` at `high`:`low` ticks with the bytes aabbcc of 4. */
function packet(number: number, high: number, low: number): string {
  const view = new DataView(new ArrayBuffer(20))
  for (const [index, value] of [number, high, low, 3, 4].entries()) view.setUint32(index * 4, value, true)
  return block(6, `${Buffer.from(view.buffer).toString('hex')} aabbcc`)
}

function times(...blocks: string[]): bigint[] {
  const { reader, packets } = readBytes(hex(section + blocks.join('')))
  assert.equal(reader.fault, undefined)
  return packets.map(({ time }) => time)
}

test('an enhanced packet, in both byte orders', () => {
  const little = readBytes(hex(section + ethernet + packet(0, 1, 2)))
  const big = readBytes(
    hex(`0a0d0d0a 0000001c 1a2b3c4d 0001 0000 ffffffffffffffff 0000001c
      00000001 00000014 0001 0000 00000000 00000014
      00000006 00000024 00000000 00000001 00000002 00000003 00000004 aabbcc00 00000024`),
  )
  for (const { reader, packets } of [little, big]) {
    assert.equal(reader.fault, undefined)
    assert.equal(reader.format, 'pcapng')
    assert.equal(packets.length, 1)
    assert.deepEqual(Buffer.from(packets[0].bytes).toString('hex'), 'aabbcc')
    assert.equal(packets[0].original, 4)
    assert.equal(packets[0].time, 4_294_967_298_000n)
  }
})

test('resolutions of ten and of two, and an offset', () => {
  assert.deepEqual(times(described(1, '0900 0100 09000000'), packet(0, 0, 7)), [7n])
  assert.deepEqual(times(described(1, '0900 0100 03000000'), packet(0, 0, 7)), [7_000_000n])
  assert.deepEqual(times(described(1, '0900 0100 0c000000'), packet(0, 0, 7999)), [7n])
  assert.deepEqual(times(described(1, '0900 0100 7f000000'), packet(0, 9, 9)), [0n])
  assert.deepEqual(times(described(1, '0900 0100 8a000000'), packet(0, 0, 1536)), [1_500_000_000n])
  assert.deepEqual(times(described(1, '0900 0100 a0000000'), packet(0, 1, 0x4000_0000)), [1_250_000_000n])
  assert.deepEqual(times(described(1, '0900 0100 bf000000'), packet(0, 0x4000_0000, 0)), [500_000_000n])
  assert.deepEqual(times(described(1, '0900 0100 ff000000'), packet(0, 9, 9)), [0n])
  assert.deepEqual(times(described(1, '0e00 0800 0a00000000000000'), packet(0, 0, 7)), [10_000_007_000n])
})

test('several interfaces: names, devices and link types', () => {
  const raw = block(6, '01000000 00000000 00000000 01000000 01000000 45')
  const reader = openBytes(hex(section + named(1, 'eth0') + named(101, 'tun0') + raw + packet(0, 0, 1)), 5)
  const packets = collect(reader, memory, slab)
  assert.equal(reader.fault, undefined)
  assert.deepEqual(reader.interfaces, [
    { name: 'eth0', link: 1, snaplen: 0 },
    { name: 'tun0', link: 101, snaplen: 0 },
  ])
  assert.deepEqual(
    packets.map(({ device, link, bytes }) => [device, link, bytes.length]),
    [
      [6, 101, 15],
      [5, 1, 3],
    ],
  )
})

test('a second section describes its interfaces anew; equal ones are one device', () => {
  const big = `0a0d0d0a 0000001c 1a2b3c4d 0001 0000 ffffffffffffffff 0000001c
    00000001 00000014 0001 0000 00000000 00000014
    00000006 00000024 00000000 00000000 00000002 00000003 00000004 aabbcc00 00000024`
  const { reader, packets } = readBytes(hex(section + ethernet + packet(0, 0, 1) + big))
  assert.equal(reader.fault, undefined)
  assert.equal(reader.interfaces.length, 1)
  assert.deepEqual(
    packets.map(({ device, time }) => [device, time]),
    [
      [0, 1000n],
      [0, 2000n],
    ],
  )
  const forgotten = readBytes(hex(section + ethernet + section + packet(0, 0, 1)))
  assert.match(forgotten.reader.fault?.reason ?? '', /not described/)
})

test('simple and obsolete packets', () => {
  const simple = block(3, '06000000 aabbccdd')
  const obsolete = block(2, '0000 0500 00000000 02000000 03000000 09000000 ddeeff')
  const { reader, packets } = readBytes(
    hex(section + described(1, '', '04000000') + obsolete + simple + packet(0, 0, 9)),
  )
  assert.equal(reader.fault, undefined)
  assert.deepEqual(
    packets.map(({ bytes, original, time }) => [Buffer.from(bytes).toString('hex'), original, time]),
    [
      ['ddeeff', 9, 2000n],
      ['aabbccdd', 6, 2000n],
      ['aabbcc', 4, 9000n],
    ],
  )
})

test('unknown blocks are passed over, also those longer than a slab', () => {
  const small = block(0xbad, '0011223344')
  const long = block(0x40000bad, '5a'.repeat(700_000))
  const { reader, packets } = readBytes(
    hex(section + ethernet + small + packet(0, 0, 1) + long + packet(0, 0, 2) + small),
  )
  assert.equal(reader.fault, undefined)
  assert.equal(packets.length, 2)
})

const whole = section + ethernet + packet(0, 0, 1)
const at = hex(whole).length
const damaged: readonly (readonly [what: string, rest: string, kind: string, reason: RegExp])[] = [
  ['a cut block', packet(0, 0, 2).slice(0, -8), 'truncated', /ends inside a record/],
  ['a cut long block', block(0xbad, '00'.repeat(400_000)).slice(0, -2000), 'truncated', /inside a block/],
  ['an impossible length', '06000000 07000000 00000000', 'corrupt', /claims 7 bytes/],
  ['lengths that differ', packet(0, 0, 2).slice(0, -8) + '20000000', 'corrupt', /not repeated/],
  ['an interface that was not described', packet(1, 0, 2), 'corrupt', /not described/],
  [
    'a packet longer than its block',
    packet(0, 0, 2).replace('03000000', '09000000'),
    'corrupt',
    /9 captured/,
  ],
  ['a packet block longer than a slab', '06000000 00000010 00000000', 'corrupt', /0x6 claims/],
  ['a section without byte order', '0a0d0d0a 1c000000 00000000', 'corrupt', /byte-order/],
  ['an endless interface block', '01000000 00000010 01000000', 'corrupt', /describes/],
  ['a link type that is not read', described(105, '') + packet(1, 0, 2), 'link', /link type 105/],
]

for (const [what, rest, kind, reason] of damaged) {
  test(`${what} is a fault of kind ${kind} at its own offset`, () => {
    const { reader, packets } = readBytes(hex(whole + rest))
    assert.equal(packets.length, 1)
    assert.equal(reader.fault?.kind, kind)
    assert.match(reader.fault?.reason ?? '', reason)
    const own = kind === 'link' ? at + hex(described(105, '')).length : at
    if (!/inside a block/.test(reader.fault?.reason ?? '')) assert.equal(reader.fault?.offset, own)
  })
}

test('control characters of names do not reach a terminal', () => {
  const name = Buffer.from('\x1b[2Jeth').toString('hex')
  const { reader } = readBytes(hex(section + described(1, `0200 0700 ${name} 00`)))
  assert.equal(reader.interfaces[0].name, '[2Jeth')
})
