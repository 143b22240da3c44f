// Token-bucket policer: every flow (addresses, ports, protocol) may send `rate` packets a second on average and
// `burst` packets at once; what exceeds that is dropped.
//
// A bucket holds up to `burst` tokens, gains `rate` of them a second, and each packet that goes through takes one
// (RFC 2697 with one rate and colour, counted in packets; state-compute replication paper, table 1). To be exact, a
// bucket counts in millionths of a token: in one microsecond it gains `rate` of those, so nothing is ever rounded.
//
// The clock has 32 bits of microseconds. A flow that pauses for more than 71 minutes may find its bucket refilled by
// the pause modulo 71 minutes. A full table gives up the flow that has been silent longest among eight candidates; it
// comes back with a full bucket. Left out: IPv6, which is transmitted unpoliced; policing by bytes.

import { type Ipv4, type Packet, counter, ipv4, parameter, port, table, u32, u64, u8, Verdict } from 'hairpin'

const rate = parameter(u32, 1_000, 'packets a second that a flow may send on average')
const burst = parameter(u32, 100, 'packets that a flow may send at once')

const TOKEN = 1_000_000n

/** The bucket of each flow: its fill in millionths of a token, and when that was true. */
const buckets = table({
  key: { source: ipv4, destination: ipv4, sourcePort: port, destinationPort: port, protocol: u8 },
  value: { level: u64, updated: u32 },
  capacity: 65_536,
  evict: 'oldest',
})

const policed = counter('packets dropped because the bucket was empty')

/** The ports of a packet; 0 where its protocol has none and on later fragments. */
function portsOf(ip: Ipv4): { sourcePort: port; destinationPort: port } {
  const { tcp, udp, sctp } = ip
  if (tcp) return { sourcePort: tcp.sourcePort, destinationPort: tcp.destinationPort }
  if (udp) return { sourcePort: udp.sourcePort, destinationPort: udp.destinationPort }
  if (sctp) return { sourcePort: sctp.sourcePort, destinationPort: sctp.destinationPort }
  return { sourcePort: 0, destinationPort: 0 }
}

export default function tokenBucket(packet: Packet): Verdict {
  const ip = packet.ipv4
  if (!ip) return Verdict.Transmit

  const now = packet.time('us', 32)
  const full = u64(burst) * TOKEN
  const { sourcePort, destinationPort } = portsOf(ip)
  const bucket = buckets.upsert(
    {
      source: ip.source,
      destination: ip.destination,
      sourcePort,
      destinationPort,
      protocol: ip.protocol,
    },
    { level: full, updated: now },
  )
  if (!bucket) return Verdict.Transmit

  const elapsed: u32 = now - bucket.updated
  const refilled = bucket.level + u64(elapsed) * u64(rate)
  const level = refilled < full ? refilled : full
  bucket.updated = now
  if (level < TOKEN) {
    bucket.level = level
    policed.add()
    return Verdict.Drop
  }
  bucket.level = level - TOKEN
  return Verdict.Transmit
}
