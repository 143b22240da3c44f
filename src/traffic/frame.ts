/**
 * Writes Ethernet frames with TCP or UDP over IPv4 or IPv6, checksums included.
 *
 * Nothing is allocated per packet. The payload is the beginning of one fixed pattern, so its checksum comes from a
 * table of prefix sums and a payload costs one copy. Multi-byte fields are big-endian, as on the wire.
 * `describe` what to send in the writer's own fields, then call `write`.
 */

export const TCP_FLAGS = { fin: 1, syn: 2, rst: 4, push: 8, ack: 16 } as const

const ETHERNET = 14
/** SYN options: MSS (4 bytes), no-operation, window scale 7 (3 bytes). */
const SYN_OPTIONS = 8
const WINDOW = 64_240
/** Largest frame header written here: Ethernet, IPv6, TCP with SYN options. */
export const HEADERS_MOST = ETHERNET + 40 + 20 + SYN_OPTIONS

/** Ones' complement sum of the fixed parts of both IPv6 prefixes: 2001:db8:a:: and 2001:db8:b::. */
const V6_PREFIX_WORDS = [0x20010db8, 0x000a0000, 0x000b0000]
const V6_PREFIX_SUM = 2 * (0x2001 + 0x0db8) + 0x000a + 0x000b

/** Text that repeats with an odd period, so that shifted copies differ. */
function makePattern(length: number): Uint8Array {
  const pattern = new Uint8Array(length)
  for (let i = 0; i < length; i++) pattern[i] = 0x20 + ((i * 7 + (i >> 5) * 13) % 95)
  return pattern
}

export class FrameWriter {
  // One packet, as its sender means it. Addresses, sequence numbers: 32-bit words.
  fromClient = true
  client = 0
  server = 0
  clientPort = 0
  serverPort = 0
  v6 = 0
  udp = false
  flags = 0
  sequence = 0
  acknowledgement = 0
  identification = 0
  payload = 0

  /** Frame bytes of the packet last written, before padding is cut by a snap length. */
  length = 0
  /** Bytes of it that were written. */
  captured = 0

  readonly #minimum: number
  readonly #snap: number
  readonly #segment: number
  readonly #payloads: Uint8Array[] = []
  readonly #pattern: Uint8Array
  readonly #sums: Uint32Array
  #bytes: Uint8Array = new Uint8Array(0)
  #view: DataView = new DataView(new ArrayBuffer(0))

  /** @param snap bytes kept of each frame; 0 keeps all. @param segment the largest payload, as MSS option too. */
  constructor(minimum: number, snap: number, segment: number) {
    this.#minimum = minimum
    this.#snap = snap === 0 ? Infinity : snap
    this.#segment = segment
    this.#pattern = makePattern(segment + 1)
    this.#sums = new Uint32Array((segment >> 1) + 1)
    for (let i = 0; i < segment >> 1; i++) {
      this.#sums[i + 1] = this.#sums[i] + ((this.#pattern[2 * i] << 8) | this.#pattern[2 * i + 1])
    }
  }

  /** The region that `write` writes into from now on. */
  bind(region: Uint8Array): void {
    if (this.#bytes === region) return
    this.#bytes = region
    this.#view = new DataView(region.buffer, region.byteOffset, region.byteLength)
  }

  /** Room that a packet of this trace may need, whatever is captured of it. */
  roomFor(largestFrame: number): number {
    return Math.max(HEADERS_MOST, this.#minimum, Math.min(largestFrame, this.#snap))
  }

  /** Writes the packet at offset `at` of the region; sets `length` and `captured`. */
  write(at: number): void {
    const view = this.#view
    const towardsServer = this.fromClient
    const options = (this.flags & TCP_FLAGS.syn) !== 0 && !this.udp ? SYN_OPTIONS : 0
    const transport = this.udp ? 8 : 20 + options
    const inIp = transport + this.payload
    const network = this.v6 === 1 ? 40 : 20

    view.setUint32(at, 0x02000000)
    view.setUint32(at + 4, towardsServer ? 0x00020200 : 0x00010200)
    view.setUint32(at + 8, towardsServer ? 0x00000001 : 0x00000002)
    view.setUint16(at + 12, this.v6 === 1 ? 0x86dd : 0x0800)
    const ip = at + ETHERNET
    if (this.v6 === 1) this.#writeIpv6(ip, inIp)
    else this.#writeIpv4(ip, inIp + 20)
    const l4 = ip + network
    if (this.udp) this.#writeUdp(l4, inIp)
    else this.#writeTcp(l4, inIp, options)

    const headers = ETHERNET + network + transport
    const frame = headers + this.payload
    const length = frame < this.#minimum ? this.#minimum : frame
    const captured = length < this.#snap ? length : this.#snap
    const copied = captured - headers < this.payload ? captured - headers : this.payload
    if (copied > 0) this.#bytes.set(this.#payloads[copied] ?? this.#payloadView(copied), at + headers)
    if (captured > frame) this.#bytes.fill(0, at + frame, at + captured)
    this.length = length
    this.captured = captured
  }

  #payloadView(length: number): Uint8Array {
    return (this.#payloads[length] = this.#pattern.subarray(0, length))
  }

  #writeIpv4(ip: number, total: number): void {
    const view = this.#view
    const source = this.fromClient ? this.client : this.server
    const destination = this.fromClient ? this.server : this.client
    const lifetime = ((this.fromClient ? 64 : 57) << 8) | (this.udp ? 17 : 6)
    const sum = 0x4500 + total + this.identification + 0x4000 + lifetime + this.#addressSum()
    view.setUint32(ip, 0x45000000 | total)
    view.setUint32(ip + 4, (this.identification << 16) | 0x4000)
    view.setUint16(ip + 8, lifetime)
    view.setUint16(ip + 10, complement(sum))
    view.setUint32(ip + 12, source)
    view.setUint32(ip + 16, destination)
  }

  #writeIpv6(ip: number, payloadLength: number): void {
    const view = this.#view
    view.setUint32(ip, 0x60000000)
    view.setUint16(ip + 4, payloadLength)
    view.setUint16(ip + 6, this.udp ? 0x1140 : 0x0640)
    const source = this.fromClient ? 0 : 16
    this.#writePrefix(ip + 8 + source, V6_PREFIX_WORDS[1], this.client)
    this.#writePrefix(ip + 24 - source, V6_PREFIX_WORDS[2], this.server)
  }

  #writePrefix(at: number, site: number, host: number): void {
    const view = this.#view
    view.setUint32(at, V6_PREFIX_WORDS[0])
    view.setUint32(at + 4, site)
    view.setUint32(at + 8, 0)
    view.setUint32(at + 12, host)
  }

  #writeTcp(l4: number, length: number, options: number): void {
    const view = this.#view
    const { sequence, acknowledgement, clientPort, serverPort } = this
    const offsetAndFlags = ((5 + (options >> 2)) << 12) | this.flags
    let sum = this.#pseudoSum(6, length) + clientPort + serverPort + offsetAndFlags + WINDOW
    sum += (sequence >>> 16) + (sequence & 0xffff) + (acknowledgement >>> 16) + (acknowledgement & 0xffff)
    view.setUint32(l4, this.fromClient ? (clientPort << 16) | serverPort : (serverPort << 16) | clientPort)
    view.setUint32(l4 + 4, sequence)
    view.setUint32(l4 + 8, acknowledgement)
    view.setUint32(l4 + 12, (offsetAndFlags << 16) | WINDOW)
    if (options > 0) {
      view.setUint32(l4 + 20, 0x02040000 | this.#segment)
      view.setUint32(l4 + 24, 0x01030307)
      sum += 0x0204 + this.#segment + 0x0103 + 0x0307
    }
    view.setUint32(l4 + 16, complement(sum + this.#payloadSum()) << 16)
  }

  #writeUdp(l4: number, length: number): void {
    const view = this.#view
    const { clientPort, serverPort } = this
    const sum = this.#pseudoSum(17, length) + clientPort + serverPort + length + this.#payloadSum()
    const checksum = complement(sum)
    view.setUint32(l4, this.fromClient ? (clientPort << 16) | serverPort : (serverPort << 16) | clientPort)
    view.setUint32(l4 + 4, (length << 16) | (checksum === 0 ? 0xffff : checksum))
  }

  #addressSum(): number {
    const { client, server } = this
    return (client >>> 16) + (client & 0xffff) + (server >>> 16) + (server & 0xffff)
  }

  #pseudoSum(protocol: number, length: number): number {
    return this.#addressSum() + (this.v6 === 1 ? V6_PREFIX_SUM : 0) + protocol + length
  }

  #payloadSum(): number {
    const { payload } = this
    const sum = this.#sums[payload >> 1]
    return (payload & 1) === 0 ? sum : sum + (this.#pattern[payload - 1] << 8)
  }
}

/** The Internet checksum of a sum of 16-bit words (below 2^48). */
function complement(sum: number): number {
  let folded = (sum & 0xffff) + Math.floor(sum / 0x1_0000)
  folded = (folded & 0xffff) + (folded >>> 16)
  folded = (folded & 0xffff) + (folded >>> 16)
  return ~folded & 0xffff
}
