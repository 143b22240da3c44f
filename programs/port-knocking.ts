// A port-knocking firewall: a source that sends TCP to three ports in the right order is let through from then on.
//
// From the paper on state-compute replication, Figure 12: a wrong knock goes back to the start, OPEN stays open.

import { type Packet, Verdict, ipv4, parameter, port, table, u8 } from 'hairpin'

const CLOSED_1 = 0
const CLOSED_2 = 1
const CLOSED_3 = 2
const OPEN = 3

const first = parameter(port, 7001, 'port of the first knock')
const second = parameter(port, 7002, 'port of the second knock')
const third = parameter(port, 7003, 'port of the third knock')

/** Knocking state of each source address. */
const knocks = table({ key: ipv4, value: u8, capacity: 65_536 })

function next(state: u8, port: port): u8 {
  if (state === CLOSED_1 && port === first) return CLOSED_2
  if (state === CLOSED_2 && port === second) return CLOSED_3
  if (state === CLOSED_3 && port === third) return OPEN
  return state === OPEN ? OPEN : CLOSED_1
}

export default function portKnocking(packet: Packet): Verdict {
  const ip = packet.ipv4
  const tcp = ip?.tcp
  if (!tcp) return Verdict.Drop
  const state = next(knocks.get(ip.source) ?? CLOSED_1, tcp.destinationPort)
  knocks.set(ip.source, state)
  return state === OPEN ? Verdict.Transmit : Verdict.Drop
}
