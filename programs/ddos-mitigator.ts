// DDoS mitigator: counts the packets of every source address and drops those of a source that has sent more than a
// limit. The first `limit` packets of a source go through.
//
// After the State-Compute Replication paper (table 1). The count is the whole state and only ever grows, so sharing
// it between workers takes one atomic addition, and replicating it takes the four bytes of the address.
//
// Left out: IPv6, which goes through uncounted; forgiving a source after a quiet time. A source that finds the table
// full goes through as well (fail open) and is counted under `uncounted`: against floods from random sources, give
// the table more room.

import { type Packet, counter, ipv4, parameter, table, u32, u64, Verdict } from 'hairpin'

const limit = parameter(u32, 1_000_000, 'packets that a source may send')

/** Packets seen of each source address. */
const sources = table({ key: ipv4, value: { packets: u64 }, capacity: 65_536 })

const uncounted = counter('packets of new sources that the full table refused')

export default function ddosMitigator(packet: Packet): Verdict {
  const ip = packet.ipv4
  if (!ip) return Verdict.Transmit

  const source = sources.upsert(ip.source)
  if (!source) {
    uncounted.add()
    return Verdict.Transmit
  }
  source.packets += 1n
  return source.packets > u64(limit) ? Verdict.Drop : Verdict.Transmit
}
