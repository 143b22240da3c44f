// A whole frame taken apart: which headers it has and where, by the rules of the protocol files. This is what `trace`
// prints, and the reference for what compiled programs see.
//
// Promises: never throws, whatever the bytes; every view lies within them. A header that is cut off, malformed or
// unknown ends the walk, and what was found so far stands. Read the protocol files in the order of the fields below.

import { parseArp, printArp } from './arp.js'
import type { arp } from './arp.js'
import { etherTypes, parseEthernet, printEthernet } from './ethernet.js'
import type { ethernet } from './ethernet.js'
import { parseGre, printGre } from './gre.js'
import type { GreView } from './gre.js'
import { parseIcmp, printIcmp } from './icmp.js'
import type { icmp } from './icmp.js'
import { parseIcmpv6, printIcmpv6 } from './icmpv6.js'
import type { icmpv6 } from './icmpv6.js'
import { ipProtocols, parseIpv4, printIpv4 } from './ipv4.js'
import type { ipv4 } from './ipv4.js'
import { parseIpv6, printIpv6, upperLayer } from './ipv6.js'
import type { ipv6 } from './ipv6.js'
import { parseSctp, printSctp } from './sctp.js'
import type { sctp } from './sctp.js'
import { parseTcp, printTcp } from './tcp.js'
import type { tcp } from './tcp.js'
import { parseUdp, printUdp, udpPorts } from './udp.js'
import type { udp } from './udp.js'
import type { View } from './view.js'
import { isTagType, maxTags, parseVlan, printVlan } from './vlan.js'
import type { vlan } from './vlan.js'
import { parseVxlan, printVxlan } from './vxlan.js'
import type { vxlan } from './vxlan.js'

/** Offsets of the first byte and of the byte behind the last one; start <= end. */
export interface Extent {
  readonly start: number
  readonly end: number
}

/** What stands behind an IP header. */
export interface Transport {
  readonly tcp?: View<typeof tcp>
  readonly udp?: View<typeof udp>
  readonly sctp?: View<typeof sctp>
  readonly icmp?: View<typeof icmp>
  readonly icmpv6?: View<typeof icmpv6>
  readonly gre?: GreView
  readonly vxlan?: View<typeof vxlan>
  /** The frame inside VXLAN. */
  readonly inner?: Frame
  /** What follows the IP header (extension headers included), by the lengths in the headers. */
  readonly packet: Extent
  /** What follows the transport header. */
  readonly payload?: Extent
}

export interface Frame {
  readonly ethernet?: View<typeof ethernet>
  /** Outer tag first; two at most. */
  readonly tags: readonly View<typeof vlan>[]
  readonly arp?: View<typeof arp>
  readonly ipv4?: View<typeof ipv4>
  readonly ipv6?: View<typeof ipv6>
  /** Behind IPv6: the protocol behind the extension headers. */
  readonly protocol?: number
  readonly transport?: Transport
}

/** Takes the frame at `base` apart. `carried` frames, those inside VXLAN, are not searched for further VXLAN. */
export function dissect(bytes: Uint8Array, base = 0, carried = false): Frame {
  const tags: View<typeof vlan>[] = []
  const ethernet = parseEthernet(bytes, base)
  if (!ethernet) return { tags }
  let type = ethernet.fields.type
  let at = ethernet.next
  while (tags.length < maxTags && isTagType(type)) {
    const tag = parseVlan(bytes, at)
    if (!tag) return { ethernet, tags }
    tags.push(tag)
    type = tag.fields.type
    at = tag.next
  }
  if (type === etherTypes.Arp) {
    const arp = parseArp(bytes, at)
    return { ethernet, tags, ...(arp && { arp }) }
  }
  if (type === etherTypes.Ipv4) {
    const ipv4 = parseIpv4(bytes, at)
    if (!ipv4) return { ethernet, tags }
    const { totalLength, fragmentOffset, protocol } = ipv4.fields
    const packet = extent(ipv4.next, at, totalLength, bytes.length)
    const found = fragmentOffset === 0 ? transport(bytes, protocol, 4, packet, carried) : { packet }
    return { ethernet, tags, ipv4, transport: found }
  }
  if (type === etherTypes.Ipv6) {
    const ipv6 = parseIpv6(bytes, at)
    if (!ipv6) return { ethernet, tags }
    const { protocol, at: next } = upperLayer(bytes, ipv6)
    const packet = extent(next, ipv6.next, ipv6.fields.payloadLength, bytes.length)
    return { ethernet, tags, ipv6, protocol, transport: transport(bytes, protocol, 6, packet, carried) }
  }
  return { ethernet, tags }
}

/** From `start` to `from` + the stated length, but not beyond `limit`; a length of 0 counts as unknown. */
function extent(start: number, from: number, length: number, limit: number): Extent {
  const end = length === 0 ? limit : Math.min(from + length, limit)
  return { start, end: Math.max(start, end) }
}

function transport(
  bytes: Uint8Array,
  protocol: number,
  version: 4 | 6,
  packet: Extent,
  carried: boolean,
): Transport {
  const { start } = packet
  const rest = (next: number): Extent => ({ start: next, end: Math.max(next, packet.end) })
  if (protocol === ipProtocols.Tcp) {
    const tcp = parseTcp(bytes, start)
    return tcp ? { tcp, packet, payload: rest(tcp.next) } : { packet }
  }
  if (protocol === ipProtocols.Udp) {
    const udp = parseUdp(bytes, start)
    if (!udp) return { packet }
    const payload = extent(udp.next, start, udp.fields.length, packet.end)
    const vxlan =
      udp.fields.destinationPort === udpPorts.vxlan && !carried ? parseVxlan(bytes, udp.next) : undefined
    return { udp, packet, payload, ...(vxlan && { vxlan, inner: dissect(bytes, vxlan.next, true) }) }
  }
  if (protocol === ipProtocols.Sctp) {
    const sctp = parseSctp(bytes, start)
    return sctp ? { sctp, packet, payload: rest(sctp.next) } : { packet }
  }
  if (protocol === ipProtocols.Gre) {
    const gre = parseGre(bytes, start)
    return gre ? { gre, packet, payload: rest(gre.next) } : { packet }
  }
  if (protocol === ipProtocols.Icmp && version === 4) {
    const icmp = parseIcmp(bytes, start)
    return icmp ? { icmp, packet, payload: rest(icmp.next) } : { packet }
  }
  if (protocol === ipProtocols.Icmpv6 && version === 6) {
    const icmpv6 = parseIcmpv6(bytes, start)
    return icmpv6 ? { icmpv6, packet, payload: rest(icmpv6.next) } : { packet }
  }
  return { packet }
}

/** The frame as lines, one header each, indented by depth. */
export function printFrame(frame: Frame): string[] {
  const lines: string[] = []
  const add = (line: string | undefined): void => {
    if (line !== undefined) lines.push(' '.repeat(2 * lines.length) + line)
  }
  add(frame.ethernet && printEthernet(frame.ethernet))
  for (const tag of frame.tags) add(printVlan(tag))
  add(frame.arp && printArp(frame.arp))
  add(frame.ipv4 && printIpv4(frame.ipv4))
  add(frame.ipv6 && printIpv6(frame.ipv6))
  const t = frame.transport
  if (!t) return lines
  add(t.tcp && printTcp(t.tcp))
  add(t.udp && printUdp(t.udp))
  add(t.sctp && printSctp(t.sctp))
  add(t.icmp && printIcmp(t.icmp))
  add(t.icmpv6 && printIcmpv6(t.icmpv6))
  add(t.gre && printGre(t.gre))
  add(t.vxlan && printVxlan(t.vxlan))
  const depth = ' '.repeat(2 * lines.length)
  if (t.inner) lines.push(...printFrame(t.inner).map(line => depth + line))
  else if (t.payload) add(`${t.payload.end - t.payload.start} bytes`)
  return lines
}
