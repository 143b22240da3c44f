// Port-knocking firewall.
//
// A source address stays shut out until it has sent TCP packets to ports 7001, 7002 and 7003 in this order. Then it
// is open for good and its packets go through; everything else is dropped. This is the example of the State-Compute
// Replication paper (figure 12 and appendix C). Its state is a four-state automaton per source:
//
//     CLOSED_1 --first--> CLOSED_2 --second--> CLOSED_3 --third--> OPEN --any--> OPEN
//     a wrong knock leads back to CLOSED_1, also when it is the first port again
//
// Left out: IPv6; a time limit between knocks; closing again. A knock is any TCP segment, not only a SYN.

import { type Packet, Verdict, counter, ipv4, parameter, port, table, u8 } from 'hairpin'

const first = parameter(port, 7001, 'the first port to knock on')
const second = parameter(port, 7002, 'the second port to knock on')
const third = parameter(port, 7003, 'the third port to knock on, which opens')

const CLOSED_1 = 0
const CLOSED_2 = 1
const CLOSED_3 = 2
const OPEN = 3

/** How far each source address has come. */
const knocks = table({ key: ipv4, value: u8, capacity: 65_536 })

const opened = counter('sources that completed the sequence')
const refused = counter('packets of new sources that the full table refused')

function next(state: u8, knock: port): u8 {
  if (state === OPEN) return OPEN
  if (state === CLOSED_1 && knock === first) return CLOSED_2
  if (state === CLOSED_2 && knock === second) return CLOSED_3
  if (state === CLOSED_3 && knock === third) return OPEN
  return CLOSED_1
}

export default function portKnocking(packet: Packet): Verdict {
  const ip = packet.ipv4
  const tcp = ip?.tcp
  if (!tcp) return Verdict.Drop

  const before = knocks.get(ip.source) ?? CLOSED_1
  const state = next(before, tcp.destinationPort)
  if (!knocks.set(ip.source, state)) refused.add()
  if (state !== OPEN) return Verdict.Drop
  if (before !== OPEN) opened.add()
  return Verdict.Transmit
}
