// IPv4 and IPv6 router: forwards by the kernel's own routes and neighbours, before its network stack sees the packet.
//
// Attach it to the interfaces of a Linux router, and what `ip route` and `ip neigh` say holds at once, routing daemons
// included: there are no tables to keep here. The fast path takes a hop off the packet's life, addresses the frame to
// the next hop and sends it out (RFC 1812 section 5.2, RFC 8200 section 3); the IPv4 header checksum follows the new TTL
// incrementally (RFC 1624). Whatever needs a word to somebody is passed to the kernel, which says it: ICMP time exceeded
// and unreachable, fragmentation needed, ARP and neighbour discovery, IP options, and all that is for the router itself.
//
//   sudo sysctl -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
//   sudo npx hairpin attach programs/router.ts eth1 eth2
//   hairpin run programs/router.ts --in in.pcap --table fib4=programs/rules/fib4.csv --table fib6=programs/rules/fib6.csv   # routes from a file
//
// Left out: netfilter, which this path does not meet; ICMP redirects; policy rules by ports, protocol or mark.

import { type Packet, type Hop, Route, Verdict, counter, fib, ipv4, ipv6, redirect } from 'hairpin'

/** bpf_fib_lookup is offered to programs under the GPL only. */
export const licence = 'Apache-2.0 OR GPL-2.0-only'

const fib4 = fib({ family: ipv4, capacity: 4_096 })
const fib6 = fib({ family: ipv6, capacity: 4_096 })

const forwarded = counter('packets sent on by this program')
const discarded = counter('packets dropped for a black hole among the routes')
const expired = counter('packets at the end of their life, passed to the kernel')
const tooLong = counter('packets longer than their route takes, passed to the kernel')
const unresolved = counter('packets to a next hop that the kernel has yet to ask for')
const unrouted = counter('packets without a route from here, or for this router')

/** What becomes of a packet that is not sent on. */
function elsewhere(hop: Hop): Verdict {
  if (hop.outcome === Route.Blackhole) {
    discarded.add()
    return Verdict.Drop
  }
  if (hop.outcome === Route.NoNeighbour) unresolved.add()
  else if (hop.outcome === Route.TooLong) tooLong.add()
  else unrouted.add()
  return Verdict.Pass
}

export default function router(packet: Packet): Verdict {
  const ethernet = packet.ethernet
  if (!ethernet) return Verdict.Drop

  const ip = packet.ipv4
  if (ip) {
    // Options are for the kernel to read.
    if (ip.headerLength > 5) return Verdict.Pass
    const { source, destination, dscp } = ip
    const hop = fib4.lookup({ source, destination, dscp, length: ip.totalLength })
    if (hop.outcome !== Route.Found) return elsewhere(hop)
    if (ip.ttl <= 1) {
      expired.add()
      return Verdict.Pass
    }
    ip.ttl -= 1
    ethernet.source = hop.source
    ethernet.destination = hop.nextHop
    forwarded.add()
    return redirect(hop.device)
  }

  const ip6 = packet.ipv6
  if (!ip6) return Verdict.Pass
  const { source, destination, dscp } = ip6
  const hop = fib6.lookup({ source, destination, dscp, length: ip6.payloadLength + 40 })
  if (hop.outcome !== Route.Found) return elsewhere(hop)
  if (ip6.hopLimit <= 1) {
    expired.add()
    return Verdict.Pass
  }
  ip6.hopLimit -= 1
  ethernet.source = hop.source
  ethernet.destination = hop.nextHop
  forwarded.add()
  return redirect(hop.device)
}
