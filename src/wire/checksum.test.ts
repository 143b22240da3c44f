import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hex } from './bytes.js'
import { checksumOf, checksumsOf, fold, updated, wordSum } from './checksum.js'
import { dissect } from './frame.js'

test("RFC 1071's example", () => {
  const bytes = hex('0001 f203 f4f5 f6f7')
  assert.equal(fold(wordSum(bytes)), 0xddf2)
  assert.equal(checksumOf(bytes), 0x220d)
})

test('an odd last byte counts as if a zero followed', () => {
  assert.equal(checksumOf(hex('0001 f2')), checksumOf(hex('0001 f200')))
})

test("RFC 1624's example, which the older equation gets wrong", () => {
  assert.equal(updated(0xdd2f, 0x5555, 0x3285), 0x0000)
})

test('an IPv4 header', () => {
  assert.equal(checksumOf(hex('4500 0073 0000 4000 4011 0000 c0a80001 c0a800c7')), 0xb861)
})

const ethernet = '020000000002 020000000001'

test('a UDP datagram over IPv4: both checksums', () => {
  const bytes = hex(`${ethernet} 0800
    4500 0020 0000 0000 4011 0000 0a000001 0a000002
    1388 1389 000c 0000 68616972`)
  const [ip, udp] = checksumsOf(bytes)
  assert.deepEqual([ip.of, ip.at, ip.computed], ['ipv4', 24, 0x66cb])
  // By hand: 0a00 + 0001 + 0a00 + 0002 + 0011 + 000c + 1388 + 1389 + 000c + 6861 + 6972 = 10d10, folded 0d11.
  assert.deepEqual([udp.of, udp.at, udp.computed, udp.none], ['udp', 40, 0xf2ee, true])
})

test('a checksum over bytes that are not all there is not computed', () => {
  const bytes = hex(`${ethernet} 0800
    4500 0040 0000 0000 4006 0000 0a000001 0a000002
    1388 1389 00000000 00000000 5000 0000 0000 0000`)
  assert.deepEqual(
    checksumsOf(bytes).map(c => [c.of, c.computed === undefined]),
    [
      ['ipv4', false],
      ['tcp', true],
    ],
  )
})

test('a frame without headers has no checksums', () => {
  assert.deepEqual(checksumsOf(hex('00'), dissect(hex('00'))), [])
})
