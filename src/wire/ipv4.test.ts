import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hex } from './bytes.js'
import { parseIpv4, printIpv4 } from './ipv4.js'

// RFC 1071's favourite example header, as in many textbooks.
const header = '4500 0073 0000 4000 4011 b861 c0a80001 c0a800c7'

test('an IPv4 header', () => {
  const view = parseIpv4(hex(header), 0)!
  assert.deepEqual(view.fields, {
    version: 4,
    headerLength: 5,
    dscp: 0,
    ecn: 0,
    totalLength: 0x73,
    identification: 0,
    dontFragment: true,
    moreFragments: false,
    fragmentOffset: 0,
    ttl: 64,
    protocol: 17,
    checksum: 0xb861,
    source: 0xc0a80001,
    destination: 0xc0a800c7,
  })
  assert.equal(printIpv4(view), 'IPv4 192.168.0.1 > 192.168.0.199, Udp, ttl 64, length 115')
})

test('bits within a byte: DSCP, ECN, flags and fragment offset', () => {
  const { fields } = parseIpv4(hex(header.replace('4500', '45ba').replace('4000', '3fff')), 0)!
  assert.equal(fields.dscp, 0b101110)
  assert.equal(fields.ecn, 0b10)
  assert.equal(fields.dontFragment, false)
  assert.equal(fields.moreFragments, true)
  assert.equal(fields.fragmentOffset, 0x1fff)
})

test('options belong to the header and must be there', () => {
  const long = hex(`46${header.slice(2)} 94040000`)
  assert.equal(parseIpv4(long, 0)!.next, 24)
  assert.match(printIpv4(parseIpv4(long, 0)!), /options$/)
  assert.equal(parseIpv4(long.subarray(0, 23), 0), undefined)
})

test('another version, a length below five words, a header cut off: no view', () => {
  for (const first of ['65', '44', '40', '55'])
    assert.equal(parseIpv4(hex(first + header.slice(2)), 0), undefined)
  assert.equal(parseIpv4(hex(header).subarray(0, 19), 0), undefined)
})

test('fragments say so', () => {
  assert.match(
    printIpv4(parseIpv4(hex(header.replace('0000 4000', '002a 2003')), 0)!),
    /fragment 42 at 24\+$/,
  )
})
