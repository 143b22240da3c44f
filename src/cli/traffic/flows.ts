// Which flow each packet of a capture belongs to, and what the flows add up to.
//
// Both directions of a conversation are one flow: two addresses, two ports, a protocol. Protocols without ports, and
// later fragments, have port 0. Looks at packets faster than wire/frame.ts, which its test compares it with; what it
// cannot read has no flow. Reads per packet, so it keeps one string a flow and nothing else.

import { etherTypes } from '../../wire/ethernet.js'
import { ipProtocols } from '../../wire/ipv4.js'

const withPorts: ReadonlySet<number> = new Set([ipProtocols.Tcp, ipProtocols.Udp, ipProtocols.Sctp])
const tags: ReadonlySet<number> = new Set([0x8100, 0x88a8])
/** IPv6 extension headers that are passed over: hop-by-hop, routing, fragment, destination options. */
const extensions: ReadonlySet<number> = new Set([0, 43, 44, 60])

export interface Found {
  /** `IPv4 Tcp`, `ARP`, `EtherType 0x88cc`. */
  readonly protocol: string
  /** Equal for packets of one flow; undefined for what is no IP packet. */
  readonly flow: string | undefined
}

const protocolNames = new Map(Object.entries(ipProtocols).map(([name, n]) => [n as number, name]))
const typeNames = new Map(Object.entries(etherTypes).map(([name, n]) => [n as number, name]))

const labels = new Map<number, string>()

/** The label of an IP version and protocol. */
function labelOf(version: number, protocol: number): string {
  const key = version * 256 + protocol
  let label = labels.get(key)
  if (label === undefined) {
    label = `IPv${version} ${protocolNames.get(protocol) ?? `protocol ${protocol}`}`
    labels.set(key, label)
  }
  return label
}

/** The flow of the packet in bytes[at .. at + length). Never throws. */
export function flowOf(bytes: Buffer, at: number, length: number): Found {
  const end = at + length
  if (length < 14) return { protocol: 'too short', flow: undefined }
  let type = bytes.readUInt16BE(at + 12)
  let next = at + 14
  for (let tag = 0; tag < 2 && tags.has(type) && next + 4 <= end; tag++) {
    type = bytes.readUInt16BE(next + 2)
    next += 4
  }
  if (type === etherTypes.Ipv4 && next + 20 <= end && bytes[next] >> 4 === 4) return ofIpv4(bytes, next, end)
  if (type === etherTypes.Ipv6 && next + 40 <= end && bytes[next] >> 4 === 6) return ofIpv6(bytes, next, end)
  const name = typeNames.get(type) ?? `EtherType 0x${type.toString(16).padStart(4, '0')}`
  return { protocol: type < 0x600 ? 'IEEE 802.3' : name, flow: undefined }
}

function ofIpv4(bytes: Buffer, at: number, end: number): Found {
  const words = bytes[at] & 15
  const protocol = bytes[at + 9]
  const source = bytes.readUInt32BE(at + 12)
  const destination = bytes.readUInt32BE(at + 16)
  const first = (bytes.readUInt16BE(at + 6) & 0x1fff) === 0
  const ports = first && words >= 5 ? portsAt(bytes, at + 4 * words, end, protocol) : 0
  const [p, q] = [ports >>> 16, ports & 0xffff]
  const forward = source < destination || (source === destination && p <= q)
  const flow = forward
    ? `${source}:${p}-${destination}:${q}/${protocol}`
    : `${destination}:${q}-${source}:${p}/${protocol}`
  return { protocol: labelOf(4, protocol), flow }
}

function ofIpv6(bytes: Buffer, at: number, end: number): Found {
  let protocol = bytes[at + 6]
  let next = at + 40
  let first = true
  for (let header = 0; header < 8 && extensions.has(protocol) && next + 8 <= end; header++) {
    if (protocol === 44) first &&= (bytes.readUInt16BE(next + 2) & 0xfff8) === 0
    const size = protocol === 44 ? 8 : 8 + 8 * bytes[next + 1]
    protocol = bytes[next]
    next += size
  }
  const source = bytes.toString('latin1', at + 8, at + 24)
  const destination = bytes.toString('latin1', at + 24, at + 40)
  const ports = first ? portsAt(bytes, next, end, protocol) : 0
  const [p, q] = [ports >>> 16, ports & 0xffff]
  const forward = source < destination || (source === destination && p <= q)
  const flow = forward
    ? `${source}:${p}-${destination}:${q}/${protocol}`
    : `${destination}:${q}-${source}:${p}/${protocol}`
  return { protocol: labelOf(6, protocol), flow }
}

/** Source port in the high half, destination port in the low one; 0 where there are none. */
const portsAt = (bytes: Buffer, at: number, end: number, protocol: number): number =>
  withPorts.has(protocol) && at + 4 <= end ? bytes.readUInt32BE(at) : 0

/** Packets and bytes by flow, in order of appearance. */
export class FlowTable {
  private readonly index = new Map<string, number>()
  readonly packets: number[] = []
  readonly bytes: number[] = []

  get count(): number {
    return this.packets.length
  }

  add(flow: string, bytes: number): void {
    let at = this.index.get(flow)
    if (at === undefined) {
      at = this.packets.push(0) - 1
      this.bytes.push(0)
      this.index.set(flow, at)
    }
    this.packets[at]++
    this.bytes[at] += bytes
  }
}
