// Heavy-hitter monitor: adds up the bytes of every flow (addresses, ports, protocol) and flags the flows that pass a
// threshold. All packets are transmitted; what it learns is in the table and the counters.
//
// After the State-Compute Replication paper (table 1). Bytes are those of the IP packet by its own length field, so
// neither padding of short Ethernet frames nor a capture's snap length distorts them.
//
// Left out: IPv6; TCP, UDP and SCTP are told apart by ports, all other protocols and later fragments count under
// port 0. Flows are never forgotten: a monitor that runs for days reads and clears the table from outside.

import { type Ipv4, type Packet, counter, ipv4, parameter, port, table, u64, u8, Verdict } from 'hairpin'

const threshold = parameter(u64, 1_048_576n, 'bytes above which a flow is heavy')

/** Bytes of each flow. */
const flows = table({
  key: { source: ipv4, destination: ipv4, sourcePort: port, destinationPort: port, protocol: u8 },
  value: { bytes: u64 },
  capacity: 65_536,
})

const heavyFlows = counter('flows that passed the threshold')
const heavyPackets = counter('packets of heavy flows, the one that passed the threshold included')
const unmonitored = counter('packets of new flows that the full table refused')

/** The ports of a packet; 0 where its protocol has none and on later fragments. */
function portsOf(ip: Ipv4): { sourcePort: port; destinationPort: port } {
  const { tcp, udp, sctp } = ip
  if (tcp) return { sourcePort: tcp.sourcePort, destinationPort: tcp.destinationPort }
  if (udp) return { sourcePort: udp.sourcePort, destinationPort: udp.destinationPort }
  if (sctp) return { sourcePort: sctp.sourcePort, destinationPort: sctp.destinationPort }
  return { sourcePort: 0, destinationPort: 0 }
}

export default function heavyHitter(packet: Packet): Verdict {
  const ip = packet.ipv4
  if (!ip) return Verdict.Transmit

  const { sourcePort, destinationPort } = portsOf(ip)
  const flow = flows.upsert({
    source: ip.source,
    destination: ip.destination,
    sourcePort,
    destinationPort,
    protocol: ip.protocol,
  })
  if (!flow) {
    unmonitored.add()
    return Verdict.Transmit
  }

  const size = u64(ip.totalLength)
  const bytes = flow.bytes + size
  flow.bytes = bytes
  if (bytes > threshold) {
    heavyPackets.add()
    if (bytes - size <= threshold) heavyFlows.add()
  }
  return Verdict.Transmit
}
