/**
 * Frames for scenarios, one short call each: `tcp('10.0.0.1:1000 > 192.0.2.1:80', 'S')`.
 *
 * Every checksum is right unless a field says otherwise; lengths as well. A frame carries the text that describes it in
 * a verdict list. Wrappers (`tagged`, `padded`, `cut`, `changed`) take a frame and give another.
 */

import { checksumsOf } from '../../src/wire/checksum.js'
import { parseIpv4, parseIpv6 } from '../../src/state/address.js'

export interface Frame {
  readonly bytes: Uint8Array
  readonly text: string
  /** Bytes on the wire, where the capture kept fewer. */
  readonly original?: number
}

/** Fields of the IP header. */
export interface IpFields {
  readonly ttl?: number
  readonly identification?: number
  /** In units of 8 bytes. */
  readonly fragment?: number
  readonly more?: boolean
  /** Options, a multiple of 4 bytes. */
  readonly options?: readonly number[]
  readonly totalLength?: number
}

export interface TcpFields extends IpFields {
  readonly seq?: number
  readonly ack?: number
  readonly window?: number
  /** Window scale option, in SYNs. */
  readonly scale?: number
  /** Bytes of payload. */
  readonly data?: number
}

export interface UdpFields extends IpFields {
  readonly payload?: Uint8Array | number
  readonly length?: number
  /** 0 for none. */
  readonly checksum?: 0
}

const flagBits: Readonly<Record<string, number>> = { F: 1, S: 2, R: 4, P: 8, A: 16, U: 32 }
const protocols = { icmp: 1, tcp: 6, udp: 17, sctp: 132 }

const macs = [0x02, 0, 0, 0, 0, 0x0b, 0x02, 0, 0, 0, 0, 0x0a]
const u16 = (n: number): number[] => [(n >> 8) & 255, n & 255]
const u32 = (n: number): number[] => [...u16(n >>> 16), ...u16(n)]
const pattern = (n: number): number[] => Array.from({ length: n }, (_, i) => 0x61 + (i % 26))

/** `a:p > b:q`, ports optional; IPv6 addresses in brackets. */
function endpoints(path: string): { addresses: [string, string]; ports: [number, number]; v6: boolean } {
  const ends = path.split(' > ').map(end => /^\[?([^\]]*?)\]?(?::(\d+))?$/.exec(end))
  const [a, b] = ends
  if (ends.length !== 2 || !a || !b) throw new Error(`not a path: ${path}`)
  const v6 = path.startsWith('[')
  return { addresses: [a[1], b[1]], ports: [Number(a[2] ?? 0), Number(b[2] ?? 0)], v6 }
}

/** An IP packet with this payload in an Ethernet frame; checksums are filled in. */
function packet(path: string, protocol: number, payload: readonly number[], fields: IpFields): Uint8Array {
  const { addresses, v6 } = endpoints(path)
  const { ttl = 64, options = [], identification = 0, fragment = 0, more = false } = fields
  if (v6) {
    const sides = addresses.flatMap(text => [...parseIpv6(text)!])
    return withChecksums([
      ...macs,
      0x86,
      0xdd,
      0x60,
      0,
      0,
      0,
      ...u16(payload.length),
      protocol,
      ttl,
      ...sides,
      ...payload,
    ])
  }
  const header = 20 + options.length
  const total = fields.totalLength ?? header + payload.length
  const offset = fragment | (more ? 0x2000 : 0)
  const [source, destination] = addresses.map(text => u32(parseIpv4(text)!))
  return withChecksums([
    ...macs,
    0x08,
    0x00,
    0x40 | (header / 4),
    0,
    ...u16(total),
    ...u16(identification),
    ...u16(offset),
    ttl,
    protocol,
    0,
    0,
    ...source,
    ...destination,
    ...options,
    ...payload,
  ])
}

function withChecksums(list: readonly number[]): Uint8Array {
  const bytes = Uint8Array.from(list)
  for (const { at, computed, none } of checksumsOf(bytes))
    if (computed !== undefined && !none) bytes.set(u16(computed), at)
  return bytes
}

/** A TCP segment; `flags` are letters of SAFRPU. */
export function tcp(path: string, flags: string, fields: TcpFields = {}): Frame {
  const { ports } = endpoints(path)
  const { seq = 0, ack = 0, window = 64_240, scale, data = 0 } = fields
  const options = scale === undefined ? [] : [1, 3, 3, scale]
  const bits = [...flags].reduce((sum, letter) => sum | flagBits[letter], 0)
  const header = [...u16(ports[0]), ...u16(ports[1]), ...u32(seq), ...u32(ack), (5 + options.length / 4) << 4]
  const rest = [bits, ...u16(window), 0, 0, 0, 0, ...options, ...pattern(data)]
  const words = [
    `seq ${seq >>> 0}`,
    flags.includes('A') ? `ack ${ack >>> 0}` : '',
    data ? `${data} bytes` : '',
  ]
  return {
    bytes: packet(path, protocols.tcp, [...header, ...rest], fields),
    text: `${path} TCP ${flags || 'none'} ${words.filter(Boolean).join(' ')}`,
  }
}

/** A UDP datagram. */
export function udp(path: string, fields: UdpFields = {}): Frame {
  const { ports } = endpoints(path)
  const payload = typeof fields.payload === 'object' ? [...fields.payload] : pattern(fields.payload ?? 4)
  const length = fields.length ?? 8 + payload.length
  // Anything but 0 has the checksum computed.
  const sum = fields.checksum === 0 ? [0, 0] : [0xff, 0xff]
  const datagram = [...u16(ports[0]), ...u16(ports[1]), ...u16(length), ...sum, ...payload]
  const note = fields.checksum === 0 ? ', no checksum' : ''
  return {
    bytes: packet(path, protocols.udp, datagram, fields),
    text: `${path} UDP ${payload.length} bytes${note}`,
  }
}

/** An ICMP echo request. */
export const echo = (path: string, fields: IpFields = {}): Frame => ({
  bytes: packet(path, protocols.icmp, [8, 0, 0, 0, 0x12, 0x34, 0, 1, ...pattern(8)], fields),
  text: `${path} ICMP echo`,
})

/** An SCTP packet with nothing but its common header and a DATA chunk's beginning. */
export function sctp(path: string, fields: IpFields = {}): Frame {
  const { ports } = endpoints(path)
  const header = [...u16(ports[0]), ...u16(ports[1]), ...u32(0x1234_5678), ...u32(0)]
  return { bytes: packet(path, protocols.sctp, [...header, 0, 3, 0, 16], fields), text: `${path} SCTP` }
}

/** An IP packet of any protocol: later fragments, unknown protocols. */
export const raw = (path: string, protocol: number, payload: number, fields: IpFields = {}): Frame => ({
  bytes: packet(path, protocol, pattern(payload), fields),
  text: `${path} protocol ${protocol}${fields.fragment ? `, fragment at ${8 * fields.fragment}` : ''}`,
})

/** An ARP request. */
export const arp = (): Frame => ({
  bytes: Uint8Array.from([
    ...[255, 255, 255, 255, 255, 255],
    ...macs.slice(6),
    ...[0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 1],
    ...macs.slice(6),
    ...[10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 0, 0, 2],
  ]),
  text: 'ARP request',
})

/** Behind VLAN tags, the outermost first. */
export function tagged(frame: Frame, ...identifiers: readonly number[]): Frame {
  const tags = identifiers.flatMap((id, i) => [
    ...(i + 1 < identifiers.length ? [0x88, 0xa8] : [0x81, 0]),
    ...u16(id),
  ])
  const bytes = Uint8Array.from([...frame.bytes.subarray(0, 12), ...tags, ...frame.bytes.subarray(12)])
  return { bytes, text: `VLAN ${identifiers.join(' in ')}: ${frame.text}` }
}

/** Followed by link padding up to `length` bytes. */
export function padded(frame: Frame, length: number): Frame {
  const bytes = new Uint8Array(length)
  bytes.set(frame.bytes)
  return { bytes, text: `${frame.text}, padded` }
}

/** As a capture with a snap length of `length` bytes has it. */
export const cut = (frame: Frame, length: number): Frame => ({
  bytes: frame.bytes.slice(0, length),
  text: `${frame.text}, cut to ${length} bytes`,
  original: frame.bytes.length,
})

/** With other bytes at an offset of the frame; checksums stay as they were. */
export function changed(frame: Frame, at: number, bytes: readonly number[], what: string): Frame {
  const copy = frame.bytes.slice()
  copy.set(bytes, at)
  return { bytes: copy, text: `${frame.text}, ${what}` }
}

/** One side's view of a TCP connection that numbers its own segments. `skip`, `seq`, `ack` override. */
export interface Turn extends Omit<TcpFields, 'seq' | 'ack'> {
  /** Added to the sequence (acknowledgement) number that would be right. */
  readonly seqBy?: number
  readonly ackBy?: number
  /** The segment is said again or lost: numbers do not move on. */
  readonly still?: boolean
}

/** A TCP connection between two ends; each call is one segment, numbered as it should be. */
export function dialogue(client: string, server: string, start: { client?: number; server?: number } = {}) {
  const next = { client: start.client ?? 1000, server: start.server ?? 5000 }
  const speak =
    (from: 'client' | 'server', path: string) =>
    (flags: string, turn: Turn = {}): Frame => {
      const peer = from === 'client' ? 'server' : 'client'
      const seq = (next[from] + (turn.seqBy ?? 0)) >>> 0
      const ack = flags.includes('A') ? (next[peer] + (turn.ackBy ?? 0)) >>> 0 : 0
      const length = (turn.data ?? 0) + Number(flags.includes('S')) + Number(flags.includes('F'))
      if (!turn.still) next[from] = (seq + length) >>> 0
      return tcp(path, flags, { ...turn, seq, ack })
    }
  return {
    client: speak('client', `${client} > ${server}`),
    server: speak('server', `${server} > ${client}`),
  }
}
