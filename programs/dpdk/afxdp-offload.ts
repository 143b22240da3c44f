// Offload for a DPDK application on AF_XDP: known UDP flows are rewritten and forwarded in the kernel, packets to the
// application's addresses go to its sockets, everything else to the kernel's stack.
//
// The application loads this itself: built as an object, it is the `xdp_prog=` of DPDK's AF_XDP driver, which puts its
// sockets into the map `xsks_map`. When it has seen the first packet of a flow it writes the flow's two rules into
// `flows`, one for each direction, and from then on the kernel forwards alone. Build it with --pin to find the maps
// under /sys/fs/bpf.
//
// The rule names where the packet leaves and the next hop, which an application that forwards knows; a look-up in the
// kernel's routing table for each packet is left out. So are packets with IPv4 options' meaning, fragments, and IPv6.

import { type Packet, Verdict, counter, ipv4, mac, port, redirect, rules, sockets, u32 } from 'hairpin'

/** Flows that are forwarded here, by the device they come in by and their addresses. */
const flows = rules({
  key: { device: u32, source: ipv4, destination: ipv4, sourcePort: port, destinationPort: port },
  value: {
    device: u32,
    source: ipv4,
    destination: ipv4,
    sourcePort: port,
    destinationPort: port,
    ours: mac,
    nextHop: mac,
  },
  capacity: 524_288,
  map: 'hash',
})

/** Addresses that the application serves. */
const local_ips = rules({ key: ipv4, value: u32, capacity: 1024, map: 'hash' })

/** The application's sockets by receive queue; filled by the driver. */
const xsks_map = sockets({ capacity: 256 })

const rewritten = counter('packets forwarded in the kernel')
const delivered = counter('packets for the application')

export default function afxdpOffload(packet: Packet): Verdict {
  const ethernet = packet.ethernet
  const ip = packet.ipv4
  if (!ethernet || !ip) return Verdict.Pass
  const udp = ip.udp
  if (udp) {
    const rule = flows.lookup({
      device: packet.device,
      source: ip.source,
      destination: ip.destination,
      sourcePort: udp.sourcePort,
      destinationPort: udp.destinationPort,
    })
    if (rule) {
      ip.source = rule.source
      ip.destination = rule.destination
      udp.sourcePort = rule.sourcePort
      udp.destinationPort = rule.destinationPort
      ethernet.source = rule.ours
      ethernet.destination = rule.nextHop
      rewritten.add()
      return rule.device === packet.device ? Verdict.Transmit : redirect(rule.device)
    }
  }
  if (local_ips.lookup(ip.destination) === undefined) return Verdict.Pass
  delivered.add()
  return xsks_map.redirect(0, Verdict.Pass)
}
