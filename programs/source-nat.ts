// Source NAT (network address and port translation, RFC 3022 section 2.2) for TCP and UDP over IPv4: the hosts of an
// inside network share one public address. A host's port is mapped to a public one from a pool that all hosts share;
// answers to that port find their way back. Mapping and filtering do not depend on the peer (RFC 4787 REQ-1, REQ-8).
//
// The pool is the point: every new mapping of any host draws from it, in order of arrival, so no choice of packet
// fields splits this state between workers (State-Compute Replication paper, section 2.2). Replication does not mind.
//
// A mapping lives for five minutes after the last packet from inside (RFC 4787 REQ-5 and REQ-6); packets from outside
// do not prolong it. When it expires, its port goes back to the end of the pool's queue. Frames are sent back where
// they came from, to a router with an arm in both networks.
//
// Left out: ICMP, also the errors that belong to mapped flows; later fragments, which have no ports; SCTP; IPv6; the
// 2 h 4 min that RFC 5382 asks for idle TCP connections, and forgetting them at FIN and RST; traffic between two inside
// hosts by the public address (RFC 4787 REQ-9); keeping the parity of ports. All of it is passed to the kernel.

import { type Packet, counter, ipv4, parameter, pool, port, seconds, table, u8, Verdict } from 'hairpin'

const network = parameter(ipv4, ipv4('10.0.0.0'), 'the inside network')
const mask = parameter(ipv4, ipv4('255.0.0.0'), 'its network mask')
const address = parameter(ipv4, ipv4('192.0.2.1'), 'the public address')

/** Public ports that are free; TCP and UDP draw from the same. */
const ports = pool(20_000, 60_000)

/** The public port of each inside port. */
const mappings = table({
  key: { address: ipv4, port: port, protocol: u8 },
  value: { port: port },
  capacity: 65_536,
  expire: { after: seconds(300) },
  release: { pool: ports, field: 'port' },
})
/** Whom packets to a public port are for; touched together with `mappings`. */
const owners = table({
  key: { port: port, protocol: u8 },
  value: { address: ipv4, port: port },
  capacity: 65_536,
  expire: { after: seconds(300) },
})

const exhausted = counter('packets dropped because no public port was free')
const full = counter('packets dropped because a table was full')
const unsolicited = counter('packets to the public address that belong to no mapping')

export default function sourceNat(packet: Packet): Verdict {
  const ip = packet.ipv4
  if (!ip) return Verdict.Pass
  const { tcp, udp } = ip
  const sourcePort = tcp?.sourcePort ?? udp?.sourcePort
  const destinationPort = tcp?.destinationPort ?? udp?.destinationPort
  if (sourcePort === undefined || destinationPort === undefined) return Verdict.Pass

  if ((ip.source & mask) === (network & mask)) {
    const inside = { address: ip.source, port: sourcePort, protocol: ip.protocol }
    const known = mappings.get(inside)
    const taken = known ? known.port : ports.take()
    if (taken === undefined) {
      exhausted.add()
      return Verdict.Drop
    }
    const outside = port(taken)
    if (!mappings.set(inside, { port: outside })) {
      ports.give(taken)
      full.add()
      return Verdict.Drop
    }
    if (!owners.set({ port: outside, protocol: ip.protocol }, { address: ip.source, port: sourcePort })) {
      mappings.delete(inside)
      full.add()
      return Verdict.Drop
    }
    ip.source = address
    if (tcp) tcp.sourcePort = outside
    else if (udp) udp.sourcePort = outside
    return Verdict.Transmit
  }

  if (ip.destination !== address) return Verdict.Pass
  const owner = owners.get({ port: destinationPort, protocol: ip.protocol })
  if (!owner) {
    unsolicited.add()
    return Verdict.Pass
  }
  ip.destination = owner.address
  if (tcp) tcp.destinationPort = owner.port
  else if (udp) udp.destinationPort = owner.port
  return Verdict.Transmit
}
