// A connection tracker as the papers measure it: TCP's states without windows. An entry holds state, time and sequence
// number of the last segment; a packet or an item has addresses, ports, flags, sequence number and time. It stands
// beside tcp-states.c, so that a history item of the same tracker can be compared; programs/connection-tracker.ts is the
// one to use.

import { type Packet, bool, counter, ipv4, parameter, port, table, u32, u8, Verdict } from 'hairpin'

const establishedTimeout = parameter(u32, 432_000, 'seconds of silence an ESTABLISHED connection survives')
const otherTimeout = parameter(u32, 120, 'seconds of silence a connection in any other state survives')

const NONE = 0
const SYN_SENT = 1
const SYN_RECEIVED = 2
const ESTABLISHED = 3
const FIN_WAIT = 4
const CLOSE_WAIT = 5
const LAST_ACK = 6
const TIME_WAIT = 7
const CLOSED = 8

const connections = table({
  key: { low: ipv4, high: ipv4, lowPort: port, highPort: port },
  value: { state: u8, openedByLow: bool, seen: u32, sequence: u32 },
  capacity: 65_536,
})

const refused = counter('segments that no connection expects')

/** The state after a segment; `opener` says that it comes from the end that sent the first one. */
function next(state: u8, tcp: { syn: bool; ack: bool; fin: bool; rst: bool }, opener: bool): u8 {
  if (tcp.rst) return state === NONE ? NONE : CLOSED
  if (tcp.syn) {
    if (tcp.ack) return state === SYN_SENT && !opener ? SYN_RECEIVED : state
    return state === NONE || state === TIME_WAIT || state === CLOSED ? SYN_SENT : state
  }
  if (tcp.fin) {
    if (state === SYN_RECEIVED || state === ESTABLISHED) return FIN_WAIT
    return state === FIN_WAIT || state === CLOSE_WAIT ? LAST_ACK : state
  }
  if (state === SYN_RECEIVED) return opener ? ESTABLISHED : SYN_RECEIVED
  if (state === FIN_WAIT) return CLOSE_WAIT
  return state === LAST_ACK ? TIME_WAIT : state
}

export default function tcpStates(packet: Packet): Verdict {
  const ip = packet.ipv4
  const tcp = ip?.tcp
  if (!tcp) return Verdict.Transmit

  const { source, destination } = ip
  const { sourcePort, destinationPort, syn, ack, fin, rst } = tcp
  const now = packet.time('ms', 32)
  const fromLow = source < destination || (source === destination && sourcePort <= destinationPort)
  const c = connections.upsert({
    low: fromLow ? source : destination,
    high: fromLow ? destination : source,
    lowPort: fromLow ? sourcePort : destinationPort,
    highPort: fromLow ? destinationPort : sourcePort,
  })
  if (!c) return Verdict.Drop

  const timeout = c.state === ESTABLISHED ? establishedTimeout : otherTimeout
  const before = now - c.seen >= timeout * 1000 ? NONE : c.state
  let state: u8 = ESTABLISHED
  if (syn || fin || rst || before !== ESTABLISHED)
    state = next(before, { syn, ack, fin, rst }, fromLow === c.openedByLow)
  if (state === SYN_SENT && before !== SYN_SENT) c.openedByLow = fromLow
  c.state = state
  c.seen = now
  c.sequence = tcp.sequenceNumber
  if (state === NONE) refused.add()
  return state === NONE || state === CLOSED ? Verdict.Drop : Verdict.Transmit
}
