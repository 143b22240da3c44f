// TCP connection tracker: follows every TCP/IPv4 connection through its life, lets packets through that fit into one,
// and drops those that do not. Both directions share one entry, whose key is the same for both: the lower address and
// port come first. So a NIC with a symmetric RSS key can shard it.
//
// States, their transitions and timeouts are those of Linux's nf_conntrack:
//
//     SYN_SENT --SYN/ACK--> SYN_RECEIVED --ACK--> ESTABLISHED --FIN--> FIN_WAIT --ACK--> CLOSE_WAIT
//                                                      --FIN--> LAST_ACK --ACK--> TIME_WAIT        any --RST--> CLOSED
//
// A segment must also fit the windows of both ends (van Rooij, "Real Stateful TCP Packet Filtering in IP Filter",
// 2001, equations 1 to 4; window scaling by RFC 7323), so nobody off the path can reset or fill a connection by
// guessing ports. A connection met in mid-stream is taken up, if `loose`, and its windows are not checked.
//
// Left out against nf_conntrack: IPv6; protocols other than TCP, which go through untracked as do later fragments (the
// kernel reassembles first); checksums; SACK in the acknowledgement check; the shorter timeouts after repeated
// retransmission and for unacknowledged data; the RST rule of RFC 5961 beyond the window check; assured connections
// (a full table gives up the connection that has been silent longest among eight candidates); helpers, expectations,
// zones, marks, accounting, NAT. A simultaneous open is followed, TCP Fast Open's data in a SYN counts as data.

import {
  type Packet,
  type Tcp,
  bool,
  counter,
  i32,
  ipv4,
  minutes,
  parameter,
  port,
  table,
  u16,
  u32,
  u8,
  Verdict,
} from 'hairpin'

const loose = parameter(bool, true, 'take up connections whose beginning was not seen')
const liberal = parameter(bool, false, 'let segments outside the windows through, except RST')
const synSentTimeout = parameter(
  u32,
  120,
  'seconds of silence after which a connection is forgotten: SYN_SENT',
)
const synReceivedTimeout = parameter(u32, 60, '… SYN_RECEIVED')
const establishedTimeout = parameter(u32, 432_000, '… ESTABLISHED; at most 5 days')
const finWaitTimeout = parameter(u32, 120, '… FIN_WAIT')
const closeWaitTimeout = parameter(u32, 60, '… CLOSE_WAIT')
const lastAckTimeout = parameter(u32, 30, '… LAST_ACK')
const timeWaitTimeout = parameter(u32, 120, '… TIME_WAIT')
const closedTimeout = parameter(u32, 10, '… CLOSED')

const NONE = 0
const SYN_SENT = 1
const SYN_RECEIVED = 2
const ESTABLISHED = 3
const FIN_WAIT = 4
const CLOSE_WAIT = 5
const LAST_ACK = 6
const TIME_WAIT = 7
const CLOSED = 8
/** Both ends have sent a SYN: a simultaneous open. */
const SYN_SENT2 = 9
/** Not a state: the packet has no place in this one. */
const INVALID = 15

/** A window scale that was not offered; offers are 0 to 14. */
const NO_SCALE = 15
/** An acknowledgement may be older than the data sent so far by this much at least. */
const ACK_WINDOW = 66_000

/**
 * The connections. `low` and `high` are the ends in the order of the key; of each, `End` is the highest sequence number
 * it sent, plus one; `Limit` how far its peer allows it to go; `Window` the largest window it offered, 0 before its
 * first segment; `Scale` the scale of the windows it offers.
 */
const connections = table({
  key: { low: ipv4, high: ipv4, lowPort: port, highPort: port },
  value: {
    state: u8,
    openedByLow: bool,
    unchecked: bool,
    lowScale: u8,
    highScale: u8,
    seen: u32,
    lowEnd: u32,
    lowLimit: u32,
    lowWindow: u32,
    highEnd: u32,
    highLimit: u32,
    highWindow: u32,
  },
  capacity: 65_536,
  evict: 'oldest',
  expire: { after: minutes(7_200) },
})

const opened = counter('connections opened')
const established = counter('connections established')
const closed = counter('connections closed or reset')
const malformed = counter('segments whose lengths or flags make no sense')
const stateless = counter('segments that no connection expects')
const outOfWindow = counter('segments outside the windows of their connection')

/** True if sequence number `a` comes before `b`; they wrap at 2^32. */
function before(a: u32, b: u32): bool {
  return i32(a - b) < 0
}

/** The window scale that a SYN offers (RFC 7323 section 2.2), or NO_SCALE. */
function offeredScale(tcp: Tcp): u8 {
  const end = tcp.dataOffset * 4
  let at: u32 = 20
  for (let option = 0; option < 40 && at < end; option++) {
    const kind = tcp.u8(at) ?? 0
    if (kind === 0) break
    if (kind === 3) {
      const shift = tcp.u8(at + 2) ?? 0
      return shift > 14 ? 14 : shift
    }
    const size = kind === 1 ? 1 : (tcp.u8(at + 1) ?? 0)
    if (size === 0) break
    at += size
  }
  return NO_SCALE
}

/** The state after a segment, or INVALID. `opener` says that it comes from the end that sent the first one. */
function next(state: u8, tcp: { syn: bool; ack: bool; fin: bool; rst: bool }, opener: bool): u8 {
  if (tcp.rst) return CLOSED
  if (tcp.syn && tcp.ack) {
    if (state === SYN_SENT) return opener ? INVALID : SYN_RECEIVED
    if (state === SYN_SENT2) return SYN_RECEIVED
    return opener && state !== SYN_RECEIVED ? INVALID : state
  }
  if (tcp.syn) {
    if (opener || state === SYN_SENT2) return state
    return state === SYN_SENT ? SYN_SENT2 : INVALID
  }
  if (tcp.fin) {
    if (state === SYN_SENT || state === SYN_SENT2) return INVALID
    if (state === SYN_RECEIVED || state === ESTABLISHED) return FIN_WAIT
    return state === FIN_WAIT || state === CLOSE_WAIT ? LAST_ACK : state
  }
  if (state === SYN_SENT || state === SYN_SENT2) return opener ? INVALID : state
  if (state === SYN_RECEIVED) return opener ? ESTABLISHED : SYN_RECEIVED
  if (state === FIN_WAIT) return CLOSE_WAIT
  return state === LAST_ACK ? TIME_WAIT : state
}

/** How many seconds of silence a connection survives in a state. */
function timeout(state: u8): u32 {
  if (state === ESTABLISHED) return establishedTimeout
  if (state === SYN_SENT || state === SYN_SENT2) return synSentTimeout
  if (state === SYN_RECEIVED) return synReceivedTimeout
  if (state === FIN_WAIT) return finWaitTimeout
  if (state === CLOSE_WAIT) return closeWaitTimeout
  if (state === LAST_ACK) return lastAckTimeout
  return state === TIME_WAIT ? timeWaitTimeout : closedTimeout
}

export default function connectionTracker(packet: Packet): Verdict {
  const ip = packet.ipv4
  const tcp = ip?.tcp
  if (!tcp) return Verdict.Transmit

  const { syn, ack, fin, rst } = tcp
  const headers = (ip.headerLength + tcp.dataOffset) * 4
  if (ip.totalLength < headers || (syn && (fin || rst)) || !(syn || ack || rst)) {
    malformed.add()
    return Verdict.Drop
  }

  const now = packet.time('ms', 32)
  const sequence = tcp.sequenceNumber
  const length = u16(ip.totalLength - headers)
  const end: u32 = sequence + length + u8(syn) + u8(fin)
  const offer: u8 = syn ? offeredScale(tcp) : NO_SCALE

  const { source, destination } = ip
  const { sourcePort, destinationPort } = tcp
  const fromLow = source < destination || (source === destination && sourcePort <= destinationPort)
  const key = {
    low: fromLow ? source : destination,
    high: fromLow ? destination : source,
    lowPort: fromLow ? sourcePort : destinationPort,
    highPort: fromLow ? destinationPort : sourcePort,
  }

  // Which connection, and what state it is in. Most segments only carry data or acknowledge it.
  const opens = !rst && !fin && (syn ? !ack : loose)
  if (!opens && !connections.has(key)) {
    stateless.add()
    return Verdict.Drop
  }
  const c = connections.upsert(key)
  if (!c) return Verdict.Drop

  let state: u8 = ESTABLISHED
  let fresh = false
  if (syn || fin || rst || c.state !== ESTABLISHED || now - c.seen >= establishedTimeout * 1000) {
    const opener = fromLow === c.openedByLow
    const gone = c.state === NONE || now - c.seen >= timeout(c.state) * 1000
    if (gone && !opens) {
      connections.delete(key)
      stateless.add()
      return Verdict.Drop
    }
    const renumbered = c.state === SYN_SENT && opener && end !== (fromLow ? c.lowEnd : c.highEnd)
    const over = c.state === TIME_WAIT || c.state === CLOSED || renumbered
    fresh = gone || (over && syn && !ack)
    if (fresh) {
      c.openedByLow = fromLow
      c.unchecked = !syn
      c.lowWindow = 0
      c.lowScale = NO_SCALE
      c.lowEnd = 0
      c.highWindow = 0
      c.highScale = NO_SCALE
      c.highEnd = 0
      opened.add()
    }
    state = fresh ? (syn ? SYN_SENT : ESTABLISHED) : next(c.state, { syn, ack, fin, rst }, opener)
    if (state === INVALID) {
      stateless.add()
      return Verdict.Drop
    }
  }

  // Whether the segment fits the windows: of the end that sent it, and of its peer.
  let sent = fromLow ? c.lowEnd : c.highEnd
  let limit = fromLow ? c.lowLimit : c.highLimit
  const window = fromLow ? c.lowWindow : c.highWindow
  let scale = fromLow ? c.lowScale : c.highScale
  const peerSent = fromLow ? c.highEnd : c.lowEnd
  const peerWindow = fromLow ? c.highWindow : c.lowWindow
  const peerScale = fromLow ? c.highScale : c.lowScale

  const first = window === 0
  if (first) {
    sent = end
    limit = syn ? end : end + tcp.window
    scale = offer
  }
  const scaled = !syn && scale !== NO_SCALE && peerScale !== NO_SCALE
  const offered: u32 = scaled ? tcp.window << scale : tcp.window
  const acknowledged = ack ? tcp.acknowledgementNumber : peerSent
  const reach = window > ACK_WINDOW ? window : ACK_WINDOW
  const empty = end === sequence && !rst
  if (
    !c.unchecked &&
    ((!empty && (before(limit, sequence) || (peerWindow !== 0 && before(end + peerWindow, sent)))) ||
      before(peerSent, acknowledged) ||
      before(acknowledged + reach, peerSent)) &&
    (rst || !liberal)
  ) {
    outOfWindow.add()
    return Verdict.Drop
  }

  // It belongs to the connection: what it tells about both ends. A window of nothing still lets one byte probe it.
  const granted: u32 = offered === 0 ? 1 : offered
  const largest = window < granted ? granted : window
  const reached = before(sent, end) ? end : sent
  const allowed: u32 = acknowledged + granted

  if (state === ESTABLISHED && (fresh || c.state !== ESTABLISHED)) established.add()
  if ((state === CLOSED || state === TIME_WAIT) && c.state !== state) closed.add()
  c.state = state
  c.seen = now
  if (fromLow) {
    c.lowEnd = reached
    c.lowWindow = largest
    if (first) {
      c.lowLimit = limit
      c.lowScale = offer
    }
    if (before(c.highLimit, allowed)) c.highLimit = allowed
  } else {
    c.highEnd = reached
    c.highWindow = largest
    if (first) {
      c.highLimit = limit
      c.highScale = offer
    }
    if (before(c.lowLimit, allowed)) c.lowLimit = allowed
  }
  return Verdict.Transmit
}
