// IPv4 and IPv6 forwarder: finds the longest matching prefix of the destination, takes one hop off the packet's life,
// addresses the frame to the next hop and sends it out of that route's device. What it does not forward itself, it
// passes to the kernel, which answers or routes it as it would without this program: packets without a route, at the
// end of their life, with IP options, and everything that is not IP (RFC 1812 section 5.2, RFC 8200 section 3).
//
// The IPv4 header checksum follows the new TTL incrementally (RFC 1624). Routes come from outside, as in
//   hairpin run programs/prefix-forwarder.ts --in in.pcap \
//     --table routes4=programs/rules/routes4.csv --table routes6=programs/rules/routes6.json
// and name the adjacency as well: there is no neighbour discovery here. Programs with kernel maps of the same name can
// have their routes changed while traffic flows.
//
// Left out: verifying the IPv4 header checksum (network cards do), fragmenting what is larger than the next link
// takes, ICMP redirects, policy routing, several equal paths.

import { type Packet, counter, ipv4, ipv6, lpm, mac, redirect, u16, Verdict } from 'hairpin'

/** IPv4 routes: the device to leave by, its own address, and that of the next hop. */
const routes4 = lpm({
  key: { destination: ipv4 },
  value: { device: u16, source: mac, nextHop: mac },
  capacity: 4_096,
})
/** IPv6 routes, the same. */
const routes6 = lpm({
  key: { destination: ipv6 },
  value: { device: u16, source: mac, nextHop: mac },
  capacity: 4_096,
})

const unrouted = counter('IP packets to destinations without a route')
const expired = counter('IP packets at the end of their life')
const withOptions = counter('IPv4 packets with options')

export default function prefixForwarder(packet: Packet): Verdict {
  const ethernet = packet.ethernet
  if (!ethernet) return Verdict.Drop

  const ip = packet.ipv4
  if (ip) {
    if (ip.headerLength > 5) {
      withOptions.add()
      return Verdict.Pass
    }
    const route = routes4.lookup({ destination: ip.destination })
    if (!route) {
      unrouted.add()
      return Verdict.Pass
    }
    if (ip.ttl <= 1) {
      expired.add()
      return Verdict.Pass
    }
    ip.ttl -= 1
    ethernet.source = route.source
    ethernet.destination = route.nextHop
    return redirect(route.device)
  }

  const ip6 = packet.ipv6
  if (!ip6) return Verdict.Pass
  const route = routes6.lookup({ destination: ip6.destination })
  if (!route) {
    unrouted.add()
    return Verdict.Pass
  }
  if (ip6.hopLimit <= 1) {
    expired.add()
    return Verdict.Pass
  }
  ip6.hopLimit -= 1
  ethernet.source = route.source
  ethernet.destination = route.nextHop
  return redirect(route.device)
}
