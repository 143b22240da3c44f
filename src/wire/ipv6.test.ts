import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hex } from './bytes.js'
import { parseIpv6, printIpv6, upperLayer } from './ipv6.js'

const addresses = '20010db8000000000000000000000001 20010db8000000000000000000000002'
const packet = (next: string, rest: string): Uint8Array =>
  hex(`6 b8 12345 0040 ${next} 40 ${addresses} ${rest}`)
const upper = (next: string, rest: string): { protocol: number; at: number } => {
  const bytes = packet(next, rest)
  return upperLayer(bytes, parseIpv6(bytes, 0)!)
}
const zeros = (n: number): string => '00'.repeat(n)

test('an IPv6 header', () => {
  const view = parseIpv6(packet('06', ''), 0)!
  assert.deepEqual(view.fields, {
    version: 6,
    dscp: 0b101110,
    ecn: 0,
    flowLabel: 0x12345,
    payloadLength: 64,
    nextHeader: 6,
    hopLimit: 64,
    source: 0x20010db8000000000000000000000001n,
    destination: 0x20010db8000000000000000000000002n,
  })
  assert.equal(
    printIpv6(view),
    'IPv6 2001:db8::1 > 2001:db8::2, Tcp, hop limit 64, length 64, flow label 74565',
  )
})

test('another version or a header cut off: no view', () => {
  assert.equal(parseIpv6(packet('06', '').subarray(0, 39), 0), undefined)
  assert.equal(parseIpv6(hex(`45${zeros(39)}`), 0), undefined)
})

test('extension headers are looked through', () => {
  assert.deepEqual(upper('11', zeros(8)), { protocol: 17, at: 40 })
  assert.deepEqual(upper('00', `06 00 ${zeros(6)}`), { protocol: 6, at: 48 })
  assert.deepEqual(upper('3c', `2b 01 ${zeros(14)} 3a 00 ${zeros(6)}`), { protocol: 58, at: 64 })
})

test('a first fragment has its upper layer, a later one has none', () => {
  assert.deepEqual(upper('2c', '11 ff 0001 00000007'), { protocol: 17, at: 48 })
  assert.deepEqual(upper('2c', '11 00 0008 00000007'), { protocol: 255, at: 48 })
})

test('four extension headers are looked through, a fifth is not, nor one cut off', () => {
  const four = `3c 00 ${zeros(6)} 3c 00 ${zeros(6)} 3c 00 ${zeros(6)}`
  assert.deepEqual(upper('3c', `${four} 06 00 ${zeros(6)}`), { protocol: 6, at: 72 })
  assert.deepEqual(upper('3c', `${four} 3c 00 ${zeros(6)} 06 00 ${zeros(6)}`), { protocol: 255, at: 72 })
  assert.deepEqual(upper('00', zeros(7)), { protocol: 255, at: 40 })
})
