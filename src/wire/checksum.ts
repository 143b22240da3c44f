// The Internet checksum: RFC 1071 (computation), RFC 1624 (update from a change), and the pseudo-headers of RFC 768,
// RFC 9293 section 3.1 and RFC 8200 section 8.1.
//
// Heads up: read RFC 1071 section 1 for the sum and RFC 1624 section 3 for why equation 3 and not the older one is
// right. This is for our tools and tests; compiled programs carry their own update (src/lang/views-write.ts), which
// is tested against this file. Nothing here throws on any bytes.

import { dissect } from './frame.js'
import type { Frame } from './frame.js'
import { ipProtocols } from './ipv4.js'

/** The one's complement sum of some bytes as 16-bit big-endian words, an odd last byte padded with 0; not folded. */
export function wordSum(bytes: Uint8Array, start = 0, end = bytes.length): number {
  let sum = 0
  for (let at = start; at < end; at += 2) sum += (bytes[at] << 8) | (at + 1 < end ? bytes[at + 1] : 0)
  return sum
}

/** A sum folded to 16 bits with end-around carry. */
export function fold(sum: number): number {
  let folded = sum
  while (folded > 0xffff) folded = (folded % 0x10000) + Math.floor(folded / 0x10000)
  return folded
}

/** The checksum to store for bytes whose checksum field is 0 (RFC 1071). */
export const checksumOf = (bytes: Uint8Array, start = 0, end = bytes.length): number =>
  fold(wordSum(bytes, start, end)) ^ 0xffff

/** The checksum after a 16-bit word changed from `before` to `after`: RFC 1624, equation 3. */
export const updated = (checksum: number, before: number, after: number): number =>
  fold((checksum ^ 0xffff) + (before ^ 0xffff) + after) ^ 0xffff

/** One checksum of a frame. */
export interface Checksum {
  readonly of: 'ipv4' | 'tcp' | 'udp' | 'icmp' | 'icmpv6'
  /** Where it stands. */
  readonly at: number
  readonly stored: number
  /** What it should be, from all the bytes it covers; undefined if they are not all there. */
  readonly computed?: number
  /** A UDP checksum of 0: the sender computed none. */
  readonly none: boolean
}

/** The checksums of a frame (outermost headers; those inside VXLAN with `dissect` of the inner bytes). */
export function checksumsOf(bytes: Uint8Array, frame: Frame = dissect(bytes)): Checksum[] {
  const list: Checksum[] = []
  const { ipv4, ipv6, transport } = frame
  const field = (at: number): number => (bytes[at] << 8) | bytes[at + 1]
  if (ipv4) {
    const at = ipv4.base + 10
    const computed = fold(wordSum(bytes, ipv4.base, ipv4.next) - field(at)) ^ 0xffff
    list.push({ of: 'ipv4', at, stored: field(at), computed, none: false })
  }
  if (!transport) return list
  const { tcp, udp, icmp, icmpv6, packet } = transport
  const found = tcp
    ? ({ of: 'tcp', base: tcp.base, at: tcp.base + 16, protocol: ipProtocols.Tcp } as const)
    : udp
      ? ({ of: 'udp', base: udp.base, at: udp.base + 6, protocol: ipProtocols.Udp } as const)
      : icmp
        ? ({ of: 'icmp', base: icmp.base, at: icmp.base + 2, protocol: undefined } as const)
        : icmpv6
          ? ({ of: 'icmpv6', base: icmpv6.base, at: icmpv6.base + 2, protocol: ipProtocols.Icmpv6 } as const)
          : undefined
  if (!found) return list
  const stored = field(found.at)
  const none = found.of === 'udp' && stored === 0
  const stated = ipv4 ? ipv4.base + ipv4.fields.totalLength : ipv6 ? ipv6.next + ipv6.fields.payloadLength : 0
  const whole = stated === packet.end && !ipv4?.fields.moreFragments
  if (!whole) return [...list, { of: found.of, at: found.at, stored, none }]
  const end = udp && udp.fields.length >= 8 ? Math.min(udp.base + udp.fields.length, packet.end) : packet.end
  let sum = wordSum(bytes, found.base, end) - stored
  if (found.protocol !== undefined) {
    if (ipv4) sum += wordSum(bytes, ipv4.base + 12, ipv4.base + 20)
    if (ipv6) sum += wordSum(bytes, ipv6.base + 8, ipv6.base + 40)
    sum += found.protocol + (end - found.base)
  }
  const computed = fold(sum) ^ 0xffff
  list.push({ ...found, stored, computed: found.of === 'udp' && computed === 0 ? 0xffff : computed, none })
  return list
}
