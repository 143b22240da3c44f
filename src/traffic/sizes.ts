/**
 * Flow sizes of one trace, in the order in which the flows begin: which protocol, how many packets, how many bytes.
 *
 * Sizes are drawn *stratified*: of n flows, one comes from each n-th of the law, in shuffled order, so that two seeds
 * give traces of nearly the same skew although the law's tail is heavy. The largest begin first, because a flow of a
 * third of the trace that began near its end would be alone there. Where the specification fixes both the number
 * of flows and of packets, all sizes are scaled by one factor (a flow that was small stays whole), which keeps the
 * shares of the large flows. Nothing is stored per flow: `reset` and `next` compute the sequence again.
 *
 * Read `dialogue.ts` for what a flow of so many packets looks like, docs/decisions/0021-trace-model.md for why.
 */

import { SizeHistogram } from './histogram.js'
import { meanSize, quantile } from './law.js'
import type { LawPart } from './law.js'
import { Keyed } from './random.js'
import { TraceError } from './specification.js'
import type { ResolvedTrace } from './specification.js'

/** What a flow is. Knockers speak TCP after their knocks; `wrong` ones are refused. */
export const kinds = { tcp: 0, udp: 1, knock: 2, wrongKnock: 3 } as const

/** Packets of three answered knocks; of the session after right ones and the refusal after wrong ones. */
export const KNOCK_PACKETS = 6
const SESSION_PACKETS = 24
const SESSION_BYTES = 4800
const REFUSAL_PACKETS = 2

/** A scaled TCP flow keeps at least so many packets, if it had them: handshake, one data packet, close. */
const WHOLE_TCP = 8
const WHOLE_UDP = 2

/** Two draws for each part of the law, and two for all. */
const sites = { jitter: 256, reset: 257, leading: 254, following: 255 }

/** Packets of a TCP flow besides data and its acknowledgements: three to open, four to close, one to reset. */
export function overhead(packets: number, reset: boolean): number {
  if (packets < 4) return packets
  if (reset || packets < 6) return 4
  return packets === 6 ? 6 : 7
}

/** Data packets among so many data packets and acknowledgements, at one acknowledgement for two. */
export function dataAmong(packets: number): number {
  return Math.floor((2 * packets + 1) / 3)
}

interface Part extends LawPart {
  readonly index: number
  /** Flows of this part; the first `leading` of them are its largest. */
  flows: number
  leading: number
  stride: number
  leadingStride: number
  begun: number
}

function gcd(a: number, b: number): number {
  while (b > 0) [a, b] = [b, a % b]
  return a
}

/** A step that visits all of 0..count-1 and leaves neighbours far apart. */
function strideOf(count: number): number {
  if (count < 2) return 1
  let stride = Math.max(1, Math.round(count * 0.6180339887))
  while (gcd(stride, count) !== 1) stride++
  return stride
}

export class FlowSizes {
  /** All flows, and all their packets (floods not included). */
  readonly flows: number
  readonly packets: number

  /** Share of the trace for a flow that is none of the largest; 0 where all flows are under way together. */
  readonly evenShare: number

  // The current flow, valid after `next` returned true.
  ordinal = -1
  kind = 0
  total = 0
  bytes = 0
  byReset = false

  readonly #trace: ResolvedTrace
  readonly #keyed: Keyed
  readonly #parts: Part[]
  readonly #lawFlows: number
  readonly #elephant: number = 0
  #scale = 1
  #lawBegun = 0
  #partIndex = 0
  #knockersBegun = 0
  #carry = 0
  #largest = -1
  #correction = 0

  constructor(trace: ResolvedTrace) {
    this.#trace = trace
    this.#keyed = new Keyed(trace.seed)
    const knocks = knockPackets(trace)
    const given = trace.packets
    const elephant = trace.elephant > 0 ? Math.max(2, Math.round(trace.elephant * given)) : 0
    const budget = given - Math.round(trace.flood * given) - elephant - knocks
    const parts = trace.law.parts
    const weight = parts.reduce((sum, part) => sum + part.weight, 0)
    const mean = parts.reduce((sum, part) => sum + (part.weight / weight) * meanPackets(part, trace), 0)
    this.#lawFlows = trace.flows || Math.max(1, Math.round(budget / mean))
    this.#parts = apportion(parts, this.#lawFlows)
    this.flows = this.#lawFlows + trace.knockers + (trace.elephant > 0 ? 1 : 0)

    let lawPackets = budget
    const histogram = new SizeHistogram()
    const surveyed = this.#survey(histogram).packets
    if (given > 0) this.#fit(histogram, budget)
    else lawPackets = surveyed
    if (trace.elephant > 0) {
      const rest = 1 - trace.elephant - trace.flood
      const matching = Math.round(((lawPackets + knocks) * trace.elephant) / rest)
      this.#elephant = given > 0 ? elephant : Math.max(2, matching)
    }
    this.packets = lawPackets + knocks + this.#elephant

    const slots = Math.min(trace.active, this.flows)
    const elephants = trace.elephant > 0 ? 1 : 0
    const count = parts.length
    const leaders = histogram.leaders(this.#scale, count, this.packets, slots, this.#elephant, elephants)
    for (const part of this.#parts) lead(part, leaders.counts[part.index])
    this.evenShare = this.flows > trace.active ? leaders.base : 0
    if (given > 0) this.#correct(budget)
    this.reset()
  }

  /** The factor that the sizes were scaled by; 1 where nothing was to be met. */
  get scale(): number {
    return this.#scale
  }

  /** Begins the sequence again. */
  reset(): void {
    for (const part of this.#parts) part.begun = 0
    this.ordinal = -1
    this.#lawBegun = 0
    this.#knockersBegun = 0
    this.#carry = 0
  }

  /** Moves to the next flow; false after the last one. */
  next(): boolean {
    if (this.ordinal + 1 >= this.flows) return false
    this.ordinal++
    if (this.#elephant > 0 && this.ordinal === 0) {
      this.kind = kinds.tcp
      this.total = this.#elephant
      this.byReset = false
      this.bytes = dataAmong(this.total - overhead(this.total, false)) * this.#trace.segment
      return true
    }
    if (this.#isKnockersTurn()) this.#knock()
    else this.#draw()
    return true
  }

  /** Knockers come evenly between the others. */
  #isKnockersTurn(): boolean {
    const begun = this.#knockersBegun
    const { knockers } = this.#trace
    if (begun === knockers || this.#lawBegun === this.#lawFlows) return begun < knockers
    return begun * (this.#lawFlows + 1) <= knockers * this.#lawBegun
  }

  #knock(): void {
    const wrong = isWrong(this.#trace, this.#knockersBegun++)
    this.kind = wrong ? kinds.wrongKnock : kinds.knock
    this.total = KNOCK_PACKETS + (wrong ? REFUSAL_PACKETS : SESSION_PACKETS)
    this.bytes = wrong ? 0 : SESSION_BYTES
    this.byReset = false
  }

  /** Draws the next flow of the law, scales it. */
  #draw(): void {
    const trace = this.#trace
    const part = this.#choosePart()
    const law = this.#lawBegun++
    const rank = rankOf(part, this.#keyed)
    const site = part.index * 2
    const u = (rank + this.#keyed.unit(rank, site + sites.jitter)) / part.flows
    part.begun++
    this.#partIndex = part.index
    const size = Math.max(1, Math.ceil(quantile(part, u) - 1e-9))
    const udp = part.protocol === 'udp'
    const reset = !udp && this.#keyed.unit(rank, site + sites.reset) < trace.resets
    const [packets, data, bytes] = shape(part, size, reset, trace)

    const whole = Math.min(packets, udp ? WHOLE_UDP : WHOLE_TCP)
    let total = packets
    if (this.#scale !== 1) {
      const exact = Math.max(whole, packets * this.#scale) + this.#carry
      total = Math.floor(exact)
      this.#carry = exact - total
    }
    if (law === this.#largest) total += this.#correction
    this.kind = udp ? kinds.udp : kinds.tcp
    this.byReset = reset
    this.total = total
    const kept = udp ? total : dataAmong(total - overhead(total, reset))
    this.bytes = data === kept ? bytes : Math.max(kept, Math.round((bytes / Math.max(1, data)) * kept))
  }

  /** The part that is furthest behind its share. */
  #choosePart(): Part {
    const parts = this.#parts
    let best = parts[0]
    let bestDeficit = -Infinity
    for (const part of parts) {
      if (part.begun >= part.flows) continue
      const deficit = part.flows * (this.#lawBegun + 1) - part.begun * this.#lawFlows
      if (deficit > bestDeficit) {
        best = part
        bestDeficit = deficit
      }
    }
    return best
  }

  /** Runs through the law's flows: their packets as scaled now, and the largest. */
  #survey(histogram?: SizeHistogram): { packets: number; largest: number; most: number } {
    this.reset()
    let packets = 0
    let largest = 0
    let most = -1
    while (this.#lawBegun < this.#lawFlows) {
      this.#draw()
      histogram?.add(this.#partIndex, this.total, this.kind === kinds.udp ? WHOLE_UDP : WHOLE_TCP)
      packets += this.total
      if (this.total > most) {
        most = this.total
        largest = this.#lawBegun - 1
      }
    }
    return { packets, largest, most }
  }

  /** Scales the law's flows to take `budget` packets. */
  #fit(histogram: SizeHistogram, budget: number): void {
    const least = histogram.scaled(0)
    if (budget < least) {
      const beside = this.#trace.packets > budget ? ` (beside knocks, elephant and flood)` : ''
      const why = `leave ${budget} for the flows${beside}, but ${this.#lawFlows} whole flows need ${least}`
      throw new TraceError([`packets: ${this.#trace.packets} ${why}`])
    }
    this.#scale = histogram.factorFor(budget)
  }

  /** The classes are coarse, so a few packets are missing or too many: the largest flow takes them. */
  #correct(budget: number): void {
    const { packets, largest, most } = this.#survey()
    this.#largest = largest
    this.#correction = budget - packets
    if (most + this.#correction < WHOLE_UDP)
      throw new TraceError([`packets: ${budget} cannot be met by scaling`])
  }
}

function isWrong(trace: ResolvedTrace, knocker: number): boolean {
  return Math.floor((knocker + 1) * trace.wrongKnocks) > Math.floor(knocker * trace.wrongKnocks)
}

function knockPackets(trace: ResolvedTrace): number {
  const wrong = Math.floor(trace.knockers * trace.wrongKnocks)
  return trace.knockers * (KNOCK_PACKETS + SESSION_PACKETS) - wrong * (SESSION_PACKETS - REFUSAL_PACKETS)
}

/** Packets, data packets and bytes of a flow of the law's size. */
function shape(part: LawPart, size: number, reset: boolean, trace: ResolvedTrace): [number, number, number] {
  if (part.unit === 'packets') {
    if (part.protocol === 'udp') return [size, size, size * trace.payload]
    const packets = Math.max(2, size)
    const data = dataAmong(packets - overhead(packets, reset))
    return [packets, data, data * trace.payload]
  }
  const segments = Math.ceil(size / trace.segment)
  if (part.protocol === 'udp') return [segments, segments, size]
  return [3 + segments + (segments >> 1) + (reset ? 1 : 4), segments, size]
}

function meanPackets(part: LawPart, trace: ResolvedTrace): number {
  const mean = meanSize(part)
  if (part.unit === 'packets') return Math.max(part.protocol === 'udp' ? 1 : 2, mean)
  const segments = mean / trace.segment + 0.5
  return part.protocol === 'udp' ? Math.max(1, segments) : 7 + Math.max(3, segments * 1.5)
}

/** Shares `flows` among the parts by weight, to whole flows (largest remainders first). */
function apportion(parts: readonly LawPart[], flows: number): Part[] {
  const weight = parts.reduce((sum, part) => sum + part.weight, 0)
  const shares = parts.map(part => (part.weight / weight) * flows)
  const counts = shares.map(Math.floor)
  const byRemainder = shares
    .map((_, i) => i)
    .toSorted((a, b) => shares[b] - counts[b] - (shares[a] - counts[a]))
  const missing = flows - counts.reduce((sum, count) => sum + count, 0)
  for (let i = 0; i < missing; i++) counts[byRemainder[i % parts.length]]++
  return parts.map((part, index) => {
    return {
      ...part,
      index,
      flows: counts[index],
      leading: 0,
      stride: strideOf(counts[index]),
      leadingStride: 1,
      begun: 0,
    }
  })
}

/** Makes the part's largest `count` flows begin before its others. */
function lead(part: Part, count: number): void {
  part.leading = count
  part.stride = strideOf(part.flows - count)
  part.leadingStride = strideOf(count)
}

/** Which of the part's strata its next flow is drawn from: the top ones first, all others in scattered order. */
function rankOf(part: Part, keyed: Keyed): number {
  const { begun, leading, flows } = part
  if (begun < leading) {
    const start = keyed.u32(part.index, sites.leading) % leading
    return flows - 1 - ((start + begun * part.leadingStride) % leading)
  }
  const count = flows - leading
  const start = keyed.u32(part.index, sites.following) % count
  return (start + (begun - leading) * part.stride) % count
}
