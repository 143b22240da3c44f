import assert from 'node:assert/strict'
import { test } from 'node:test'
import { capturedBytes } from './memory.js'
import { hex, pcapOf, readBytes } from './testing.js'

const macs = '00'.repeat(12)
const ipv4 = '45000014'
const ipv6 = '60000000'
const cooked1 = '0000 0001 0006 001122334455 0000'
const cooked2 = '0000 00000002 0001 00 06 0011223344550000'

/** Link type, captured bytes, wire length; what a program sees, and the length it is told. */
const cases: readonly (readonly [string, number, string, number, string, number])[] = [
  ['raw IPv4', 101, ipv4, 4, `${macs} 0800 ${ipv4}`, 18],
  ['raw IPv6', 101, ipv6, 60, `${macs} 86dd ${ipv6}`, 74],
  ['raw IP of BSD', 12, ipv4, 4, `${macs} 0800 ${ipv4}`, 18],
  ['raw IP of OpenBSD', 14, ipv6, 4, `${macs} 86dd ${ipv6}`, 18],
  ['raw IP of no known version', 101, '00', 4, `${macs} 0000 00`, 18],
  ['raw IP without bytes', 101, '', 4, `${macs} 0000`, 18],
  ['raw IPv4 by its link type', 228, '99', 1, `${macs} 0800 99`, 15],
  ['raw IPv6 by its link type', 229, '', 0, `${macs} 86dd`, 14],
  ['loopback, little-endian', 0, `02000000 ${ipv4}`, 8, `${macs} 0800 ${ipv4}`, 18],
  ['loopback, big-endian', 0, `00000002 ${ipv4}`, 8, `${macs} 0800 ${ipv4}`, 18],
  ['loopback of OpenBSD', 108, `00000018 ${ipv6}`, 8, `${macs} 86dd ${ipv6}`, 18],
  ['loopback of FreeBSD', 0, `1c000000 ${ipv6}`, 8, `${macs} 86dd ${ipv6}`, 18],
  ['loopback of macOS', 0, `1e000000 ${ipv6}`, 8, `${macs} 86dd ${ipv6}`, 18],
  ['loopback of another family', 0, `07000000 ${ipv4}`, 8, `${macs} 0000 ${ipv4}`, 18],
  ['loopback cut short', 0, '0200', 8, `${macs} 0000`, 20],
  ['cooked v1', 113, `${cooked1} 0800 ${ipv4}`, 20, `${macs} 0800 ${ipv4}`, 18],
  ['cooked v1, 802.1Q', 113, `${cooked1} 8100 0001`, 18, `${macs} 8100 0001`, 16],
  ['cooked v1, LLC', 113, `${cooked1} 0004 4242`, 66, `${macs} 0032 4242`, 64],
  ['cooked v1, long LLC', 113, `${cooked1} 0004 4242`, 6000, `${macs} 05dc 4242`, 5998],
  ['cooked v1, CAN', 113, `${cooked1} 000c 4242`, 18, `${macs} 0000 4242`, 16],
  ['cooked v1 cut short', 113, '0000 0001 0006', 60, `${macs} 0000`, 68],
  ['cooked v2', 276, `86dd ${cooked2} ${ipv6}`, 24, `${macs} 86dd ${ipv6}`, 18],
  ['cooked v2, Novell', 276, `0001 ${cooked2} ffff`, 22, `${macs} 0002 ffff`, 16],
]

for (const [what, link, captured, original, seen, told] of cases) {
  test(`${what} is seen as Ethernet and kept as it was`, () => {
    const { reader, packets } = readBytes(
      pcapOf(link, [
        [captured, original],
        [captured, original],
      ]),
    )
    assert.equal(reader.fault, undefined)
    assert.equal(packets.length, 2)
    for (const packet of packets) {
      assert.equal(Buffer.from(packet.bytes).toString('hex'), seen.replace(/ /g, ''))
      assert.equal(packet.original, told)
      assert.equal(packet.link, link)
      assert.deepEqual(capturedBytes(packet), hex(captured))
    }
  })
}

test('Ethernet packets are as captured, short ones too', () => {
  const { packets } = readBytes(pcapOf(1, [['0102', 60]]))
  assert.deepEqual(packets[0].bytes, hex('0102'))
  assert.equal(packets[0].header.length, 0)
})
