// Forwarder with tunable work: runs `iterations` rounds of a hash over every frame's addresses, folds the result into
// a running digest, and sends the frame back with its MAC addresses exchanged.
//
// It varies the compute time of a packet while the time to deliver one stays the same, which decides how far
// replication scales (State-Compute Replication paper, figure 9: there without state). Here the digest is state that
// every packet changes, so every replica repeats the rounds for every packet and no flow can be split off: a worst
// case for sharding and, with many rounds, for replication. With `iterations` at 0 it is the forwarder and one store.

import { type Packet, cell, parameter, u32, Verdict } from 'hairpin'

const iterations = parameter(u32, 16, 'rounds of the hash for each packet, at most 4096')

/** All results so far, in the order of arrival. */
const digest = cell(u32)

/** One round of xorshift (Marsaglia 2003): a chain of dependent operations, so it takes its time. */
function round(x: u32): u32 {
  const a: u32 = x ^ (x << 13)
  const b: u32 = a ^ (a >>> 17)
  return b ^ (b << 5)
}

export default function busyForwarder(packet: Packet): Verdict {
  const ethernet = packet.ethernet
  if (!ethernet) return Verdict.Drop

  const { source, destination } = ethernet
  let hash: u32 = digest.get() ^ u32(source) ^ u32(destination) ^ packet.length
  for (let i = 0; i < 4096 && i < iterations; i++) hash = round(hash)
  digest.set(hash)

  ethernet.source = destination
  ethernet.destination = source
  return Verdict.Transmit
}
