/**
 * Streaming synthesis of a packet trace: flows begin, take turns, and end; memory holds the flows under way only.
 *
 * `makeTrace` checks a specification and returns a `Trace`. `writeTo` writes packets and their descriptors into memory
 * that the caller owns; `next` writes one packet, for writers of other formats. The sequence of packets is a pure
 * function of the specification, however it is fetched.
 *
 * Large flows are weighted so that each lasts until about the end of the trace: their packets lie between those of
 * the small flows from first to last, as in real traces, and not in a row at the end.
 *
 * Read `sizes.ts` (how large flows are), `dialogue.ts` (what a flow says), `frame.ts` (how it looks on the wire).
 */

import { Arrivals } from './arrivals.js'
import { FlowColumns, phases, speak } from './dialogue.js'
import { Endpoints } from './endpoints.js'
import { FrameWriter, TCP_FLAGS } from './frame.js'
import { planTcp, planUdp } from './plan.js'
import { Keyed, Random } from './random.js'
import { FlowSizes, kinds, KNOCK_PACKETS } from './sizes.js'
import { resolveTrace } from './specification.js'
import type { ResolvedTrace, TraceSpecification } from './specification.js'
import { Turns } from './turns.js'

/** Bytes of a packet descriptor: address, captured length, original length, device, time (8), verdict, flags. */
export const DESCRIPTOR_BYTES = 32
/** Packets begin at multiples of this many bytes of the region. */
const ALIGNMENT = 16

const sites = { clientNumber: 64, serverNumber: 65, identifications: 66 }
const streams = { turns: 1, arrivals: 2 }

/** Begins a trace. Throws a TraceError that lists what is wrong with the specification. */
export function makeTrace(specification: TraceSpecification): Trace {
  return new Trace(resolveTrace(specification))
}

export class Trace {
  readonly specification: ResolvedTrace
  /** Flows that will begin (packets of a flood belong to none). */
  readonly flows: number
  /** Packets in all, and of these the flood's. */
  readonly packets: number
  readonly floodPackets: number
  /** No frame is longer. */
  readonly largestFrame: number

  /** Packets written so far; flows begun and ended. */
  written = 0
  begun = 0
  ended = 0
  /** Bytes of the region that the last `writeTo` used. */
  used = 0

  // The packet last written by `next`: bytes present, original length, nanoseconds since the first packet.
  captured = 0
  length = 0
  time = 0

  readonly #sizes: FlowSizes
  readonly #endpoints: Endpoints
  readonly #columns: FlowColumns
  readonly #turns: Turns
  readonly #free: Int32Array
  readonly #frame: FrameWriter
  readonly #room: number
  readonly #keyed: Keyed
  readonly #random: Random
  readonly #arrivals: Arrivals
  readonly #stop: number
  #knockers = 0
  #slot = -1
  #floodWritten = 0

  constructor(specification: ResolvedTrace) {
    const { seed, frameMinimum, frameLimit, snap, segment, flood, packets, active, burst, rate } =
      specification
    this.specification = specification
    this.#sizes = new FlowSizes(specification)
    this.flows = this.#sizes.flows
    const own = this.#sizes.packets
    this.floodPackets = packets > 0 ? packets - own : Math.round((own * flood) / (1 - flood))
    this.packets = own + this.floodPackets
    this.largestFrame = Math.min(frameLimit, Math.max(frameMinimum, segment + 74))

    this.#endpoints = new Endpoints(specification)
    const slots = Math.min(active, this.flows)
    this.#columns = new FlowColumns(slots)
    this.#turns = new Turns(slots)
    this.#free = Int32Array.from({ length: slots }, (_, i) => slots - 1 - i)
    this.#frame = new FrameWriter(frameMinimum, snap, segment)
    this.#room = this.#frame.roomFor(this.largestFrame)
    this.#keyed = new Keyed(seed)
    this.#random = new Random(seed, streams.turns)
    const { arrival, train, duty } = specification
    this.#arrivals = new Arrivals(arrival, rate, train, duty, seed, streams.arrivals)
    this.#stop = 1 / burst
  }

  /** Whether all packets were written. */
  get finished(): boolean {
    return this.written === this.packets
  }

  /**
   * Writes up to `max` packets into `region`, one after the other, and a 32-byte descriptor for each into
   * `descriptors` (little-endian; addresses count from the start of region's buffer, times from the first packet).
   * Stops when either is full or the trace ends. Returns the number of packets; `used` has the bytes they take.
   */
  writeTo(region: Uint8Array, descriptors: Uint8Array, max = Infinity): number {
    const view = new DataView(descriptors.buffer, descriptors.byteOffset, descriptors.byteLength)
    const most = Math.min(max, Math.floor(descriptors.byteLength / DESCRIPTOR_BYTES))
    const last = region.length - this.#room
    let at = 0
    let count = 0
    while (count < most && at <= last && this.next(region, at)) {
      const descriptor = count * DESCRIPTOR_BYTES
      view.setUint32(descriptor, region.byteOffset + at, true)
      view.setUint32(descriptor + 4, this.captured, true)
      view.setUint32(descriptor + 8, this.length, true)
      view.setUint32(descriptor + 12, 0, true)
      view.setUint32(descriptor + 16, this.time, true)
      view.setUint32(descriptor + 20, Math.floor(this.time / 0x1_0000_0000), true)
      view.setUint32(descriptor + 24, 0, true)
      view.setUint32(descriptor + 28, 0, true)
      this.used = at + this.captured
      at += (this.captured + ALIGNMENT - 1) & -ALIGNMENT
      count++
    }
    if (count === 0) this.used = 0
    return count
  }

  /** Room that `next` needs in the region, whatever comes. */
  get room(): number {
    return this.#room
  }

  /** Writes the next packet at offset `at`, where `room` bytes must be free; false when the trace has ended. */
  next(region: Uint8Array, at: number): boolean {
    if (this.written === this.packets) return false
    const frame = this.#frame
    frame.bind(region)
    if (this.#isFlood()) this.#speakFlood()
    else this.#speakFlow()
    frame.write(at)
    this.captured = frame.captured
    this.length = frame.length
    this.time = this.#arrivals.next()
    this.written++
    return true
  }

  /** A flood's packets come in random places, as many as planned. */
  #isFlood(): boolean {
    const left = this.floodPackets - this.#floodWritten
    return left > 0 && this.#random.unit() * (this.packets - this.written) < left
  }

  #speakFlood(): void {
    const frame = this.#frame
    const endpoints = this.#endpoints
    const packet = this.#floodWritten++
    frame.udp = this.specification.floodKind === 'udp'
    endpoints.ofFlood(packet, frame.udp)
    this.#frame.client = endpoints.client
    frame.server = endpoints.server
    frame.clientPort = endpoints.clientPort
    frame.serverPort = endpoints.serverPort
    frame.v6 = 0
    frame.fromClient = true
    frame.flags = TCP_FLAGS.syn
    frame.payload = frame.udp ? 10 : 0
    frame.sequence = this.#keyed.u32(packet, sites.clientNumber) | 0
    frame.acknowledgement = 0
    frame.identification = packet & 0xffff
  }

  #speakFlow(): void {
    while (this.#turns.count < this.#free.length && this.#sizes.next()) this.#begin()
    if (this.#slot < 0 || this.#stop === 1 || this.#random.unit() < this.#stop) {
      this.#slot = this.#turns.choose(this.#random)
    }
    const slot = this.#slot
    if (speak(this.#columns, slot, this.#frame)) {
      this.#turns.removeChosen()
      this.#free[this.#free.length - 1 - this.#turns.count] = slot
      this.#slot = -1
      this.ended++
    }
  }

  /** Puts the flow that `sizes` stands at into a free slot. */
  #begin(): void {
    const { kind, ordinal, total, bytes, byReset } = this.#sizes
    const endpoints = this.#endpoints
    const flows = this.#columns
    // The free slots are those at the list's end beyond the ones in use.
    const slot = this.#free[this.#free.length - 1 - this.#turns.count]
    const knocker = kind === kinds.knock || kind === kinds.wrongKnock
    if (knocker) endpoints.ofKnocker(ordinal, this.#knockers++)
    else endpoints.ofFlow(ordinal, kind === kinds.udp)
    flows.client[slot] = endpoints.client
    flows.server[slot] = endpoints.server
    flows.clientPort[slot] = endpoints.clientPort
    flows.serverPort[slot] = endpoints.serverPort
    flows.v6[slot] = endpoints.v6
    flows.clientNext[slot] = this.#keyed.u32(ordinal, sites.clientNumber) | 0
    flows.serverNext[slot] = this.#keyed.u32(ordinal, sites.serverNumber) | 0
    const identifications = this.#keyed.u32(ordinal, sites.identifications)
    flows.clientId[slot] = identifications
    flows.serverId[slot] = identifications >>> 16
    flows.knock[slot] = 0
    flows.wrong[slot] = kind === kinds.wrongKnock ? 1 : 0
    if (kind === kinds.udp) planUdp(flows, slot, total, bytes, this.specification)
    else planTcp(flows, slot, knocker ? total - KNOCK_PACKETS : total, bytes, byReset, this.specification)
    if (knocker) flows.phase[slot] = phases.knock
    this.#turns.add(slot, this.#weightOf(total))
    this.begun++
  }

  /**
   * The weight with which a flow of `total` packets ends about when the trace does; small flows have weight 1, which
   * makes them short. Where all flows are under way together the weight is the size, and all last to the end.
   */
  #weightOf(total: number): number {
    const { evenShare } = this.#sizes
    if (evenShare === 0) return total
    const left = this.packets - this.floodPackets - (this.written - this.#floodWritten)
    return total / (left * evenShare)
  }
}
