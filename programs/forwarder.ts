// Stateless forwarder: sends every frame back to where it came from, with its MAC addresses exchanged. It is the least
// a program can do with a packet, so it shows what the path around a program costs (State-Compute Replication paper,
// figure 2).

import { type Packet, Verdict } from 'hairpin'

export default function forwarder(packet: Packet): Verdict {
  const ethernet = packet.ethernet
  if (!ethernet) return Verdict.Drop

  const { source, destination } = ethernet
  ethernet.source = destination
  ethernet.destination = source
  return Verdict.Transmit
}
