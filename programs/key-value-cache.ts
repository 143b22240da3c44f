// Key-value cache: answers reads of a key-value store from the packets themselves, before they reach the server's
// network stack. The keys stand in the payload, where no NIC hashes: requests for one key come from all flows, so the
// state cannot be sharded by packet fields (State-Compute Replication paper, section 2.2).
//
// One request or reply is one UDP datagram over IPv4, all of it of fixed size:
//
//     byte  0       1       2            4                 20                52
//           +-------+-------+------------+-----------------+-----------------+
//           | kind  | found | identifier | key (16 bytes)  | value (32)      |
//           +-------+-------+------------+-----------------+-----------------+
//
// GET (1) of a key in the cache is answered: kind 129, found 1, the value filled in, addresses and ports exchanged.
// GET of another key is passed on to the server. SET (2) puts the value into the cache and is passed on (write-through),
// DELETE (3) takes it out and is passed on. So the server stays the authority, and the cache holds what was written
// while it ran. A full table gives up the value that was written longest ago among eight candidates.
//
// Left out: IPv6; fragments; values of other sizes; filling the cache from the server's replies, which leave by another
// way than they could be seen here. The checksum of a reply is 0, "none" (RFC 768).

import { type Packet, Verdict, bytes, counter, parameter, port, table } from 'hairpin'

const service = parameter(port, 11_311, 'UDP port of the key-value service')

const GET = 1
const SET = 2
const DELETE = 3
const REPLY = 128

/** Values by key, as they were last written. */
const values = table({ key: bytes(16), value: bytes(32), capacity: 65_536, evict: 'oldest' })

const hits = counter('reads answered here')
const misses = counter('reads passed to the server')
const writes = counter('values written')
const deletions = counter('values deleted')

export default function keyValueCache(packet: Packet): Verdict {
  const ip = packet.ipv4
  const udp = ip?.udp
  const ethernet = packet.ethernet
  if (!udp || !ethernet || udp.destinationPort !== service || ip.moreFragments) return Verdict.Pass
  const request = udp.payload
  const key = request.bytes(4, 16)
  if (!key || request.length < 52) return Verdict.Pass

  const kind = request.u8(0)
  if (kind === SET) {
    const value = request.bytes(20, 32)
    if (value && values.set(key, value)) writes.add()
  }
  if (kind === DELETE && values.delete(key)) deletions.add()
  if (kind !== GET) return Verdict.Pass

  const cached = values.get(key)
  if (!cached) {
    misses.add()
    return Verdict.Pass
  }
  hits.add()
  udp.checksum = 0
  request.setU8(0, REPLY | GET)
  request.setU8(1, 1)
  request.setBytes(20, cached)

  const { sourcePort, destinationPort } = udp
  udp.sourcePort = destinationPort
  udp.destinationPort = sourcePort
  const client = ip.source
  ip.source = ip.destination
  ip.destination = client
  ip.ttl = 64
  const { source, destination } = ethernet
  ethernet.source = destination
  ethernet.destination = source
  return Verdict.Transmit
}
