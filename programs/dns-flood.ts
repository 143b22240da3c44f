// DNS flood: drops what is no proper query and what a source asks beyond its rate, and gives the valid rest to the
// kernel. Made for one receive queue in user space:
//
//     hairpin bypass eth3 --queue 4 --steer 'udp dst port 53' programs/dns-flood.ts
//
// A proper query (RFC 1035, section 4.1.1) has a whole header, is a question and not an answer (answers that nobody asked
// for are reflected attacks), of the one opcode that resolvers send, with exactly one question. Each source may ask
// `limit` questions in each second, counted in windows from its first.
//
// Left out: IPv6 and fragments, which pass; sources that are forged at random, against which only the table's room helps:
// it forgets the source that has asked least recently.

import { type Packet, Verdict, counter, ipv4, parameter, port, table, u32, u64 } from 'hairpin'

const service = parameter(port, 53, 'UDP port of the name server')
const limit = parameter(u32, 20, 'queries that a source may send in a second')

const SECOND = 1_000_000_000n
const HEADER = 12
/** Of the flags: answer, and the four bits of the opcode. */
const RESPONSE_OR_OPCODE = 0xf8

/** Queries of each source in its current second, and when that began. */
const sources = table({
  key: ipv4,
  value: { since: u64, queries: u32 },
  capacity: 65_536,
  evict: 'oldest',
})

const malformed = counter('packets that are no query')
const exceeding = counter('queries beyond the rate of their source')

export default function dnsFlood(packet: Packet): Verdict {
  const ip = packet.ipv4
  const udp = ip?.udp
  if (!udp || udp.destinationPort !== service || ip.moreFragments) return Verdict.Pass

  const query = udp.payload
  const flags = query.u8(2)
  const questions = query.u16(4)
  if (flags === undefined || questions === undefined || query.length <= HEADER) {
    malformed.add()
    return Verdict.Drop
  }
  if ((flags & RESPONSE_OR_OPCODE) !== 0 || questions !== 1) {
    malformed.add()
    return Verdict.Drop
  }

  const source = sources.upsert(ip.source)
  // Nobody is turned away because the table is full.
  if (!source) return Verdict.Pass
  if (source.queries === 0 || packet.timestamp - source.since >= SECOND) {
    source.since = packet.timestamp
    source.queries = 0
  }
  source.queries += 1
  if (source.queries <= limit) return Verdict.Pass
  exceeding.add()
  return Verdict.Drop
}
