/**
 * What the two ends of a flow say, packet by packet.
 *
 * TCP: SYN, SYN-ACK, ACK; the client's data, then the server's, each second data packet acknowledged; FIN both ways
 * (or RST by the client, or a refused SYN in flows of two or three packets). A delayed acknowledgement rides on the
 * next data or FIN of its side, so a flow of a given number of packets is possible for every number above one.
 * Sequence numbers count SYN, FIN and each payload byte; an acknowledgement is the other side's next number.
 * UDP: requests and answers, mixed in the specified share, the client's first.
 * Knockers: SYN and RST for each port, then TCP as above.
 *
 * The flows under way live in columns (`FlowColumns`), one slot each; `speak` puts a slot's next packet into a
 * FrameWriter and returns whether it was the last.
 */

import { KNOCK_PORTS } from './endpoints.js'
import { TCP_FLAGS } from './frame.js'
import type { FrameWriter } from './frame.js'

const { fin: FIN, syn: SYN, rst: RST, push: PUSH, ack: ACK } = TCP_FLAGS

/** What comes next in a flow. */
export const phases = {
  syn: 0,
  synAck: 1,
  handshakeAck: 2,
  up: 3,
  upAck: 4,
  down: 5,
  downAck: 6,
  fin: 7,
  finAck: 8,
  answerFin: 9,
  lastAck: 10,
  reset: 11,
  synAgain: 12,
  refuse: 13,
  udp: 14,
  knock: 15,
  knockAnswer: 16,
} as const

/** How a TCP flow ends. */
export const closes = { four: 0, three: 1, reset: 2, refused: 3, refusedLate: 4 } as const

export class FlowColumns {
  readonly phase: Uint8Array
  readonly close: Uint8Array
  readonly v6: Uint8Array
  readonly client: Int32Array
  readonly server: Int32Array
  readonly clientPort: Uint16Array
  readonly serverPort: Uint16Array
  /** Next sequence number of each side. */
  readonly clientNext: Int32Array
  readonly serverNext: Int32Array
  /** IPv4 identification of each side, counting its packets. */
  readonly clientId: Uint16Array
  readonly serverId: Uint16Array
  /** Data packets still to come from each side; payload of all but the last, and of the last. */
  readonly up: Uint32Array
  readonly down: Uint32Array
  readonly full: Uint16Array
  readonly upLast: Uint16Array
  readonly downLast: Uint16Array
  /** Data packets since the last acknowledgement; 1 in `extra`: the odd last one gets one of its own. */
  readonly unacknowledged: Uint8Array
  readonly extra: Uint8Array
  /** Next knock (0..2), and whether the order is wrong; UDP: running share of the client, in 1/65536. */
  readonly knock: Uint8Array
  readonly wrong: Uint8Array
  readonly turn: Uint32Array

  constructor(slots: number) {
    this.phase = new Uint8Array(slots)
    this.close = new Uint8Array(slots)
    this.v6 = new Uint8Array(slots)
    this.client = new Int32Array(slots)
    this.server = new Int32Array(slots)
    this.clientPort = new Uint16Array(slots)
    this.serverPort = new Uint16Array(slots)
    this.clientNext = new Int32Array(slots)
    this.serverNext = new Int32Array(slots)
    this.clientId = new Uint16Array(slots)
    this.serverId = new Uint16Array(slots)
    this.up = new Uint32Array(slots)
    this.down = new Uint32Array(slots)
    this.full = new Uint16Array(slots)
    this.upLast = new Uint16Array(slots)
    this.downLast = new Uint16Array(slots)
    this.unacknowledged = new Uint8Array(slots)
    this.extra = new Uint8Array(slots)
    this.knock = new Uint8Array(slots)
    this.wrong = new Uint8Array(slots)
    this.turn = new Uint32Array(slots)
  }
}

/** Puts the slot's next packet into `out` (not yet written) and advances the flow; true: it was the flow's last. */
export function speak(flows: FlowColumns, slot: number, out: FrameWriter): boolean {
  out.client = flows.client[slot]
  out.server = flows.server[slot]
  out.clientPort = flows.clientPort[slot]
  out.serverPort = flows.serverPort[slot]
  out.v6 = flows.v6[slot]
  const phase = flows.phase[slot]
  out.udp = phase === phases.udp
  switch (phase) {
    case phases.syn:
      clientSays(flows, slot, out, SYN, 0)
      out.acknowledgement = 0
      flows.phase[slot] = afterSyn(flows.close[slot])
      return false
    case phases.synAck:
      serverSays(flows, slot, out, SYN | ACK, 0)
      flows.phase[slot] = phases.handshakeAck
      return false
    case phases.handshakeAck:
      clientSays(flows, slot, out, ACK, 0)
      flows.phase[slot] = flows.up[slot] > 0 ? phases.up : afterUp(flows, slot)
      return false
    case phases.up: {
      const last = --flows.up[slot] === 0
      clientSays(flows, slot, out, last ? ACK | PUSH : ACK, last ? flows.upLast[slot] : flows.full[slot])
      flows.phase[slot] = afterData(flows, slot, last)
        ? phases.upAck
        : last
          ? afterUp(flows, slot)
          : phases.up
      return false
    }
    case phases.upAck:
      serverSays(flows, slot, out, ACK, 0)
      flows.phase[slot] = flows.up[slot] > 0 ? phases.up : afterUp(flows, slot)
      return false
    case phases.down: {
      const last = --flows.down[slot] === 0
      serverSays(flows, slot, out, last ? ACK | PUSH : ACK, last ? flows.downLast[slot] : flows.full[slot])
      flows.phase[slot] = afterData(flows, slot, last)
        ? phases.downAck
        : last
          ? closing(flows, slot)
          : phases.down
      return false
    }
    case phases.downAck:
      clientSays(flows, slot, out, ACK, 0)
      flows.phase[slot] = flows.down[slot] > 0 ? phases.down : closing(flows, slot)
      return false
    default:
      return speakLast(flows, slot, out, phase)
  }
}

/** The rarer phases: closes, refusals, knocks and UDP. */
function speakLast(flows: FlowColumns, slot: number, out: FrameWriter, phase: number): boolean {
  switch (phase) {
    case phases.udp:
      return speakUdp(flows, slot, out)
    case phases.fin:
      clientSays(flows, slot, out, FIN | ACK, 0)
      flows.phase[slot] = flows.close[slot] === closes.three ? phases.answerFin : phases.finAck
      return false
    case phases.finAck:
      serverSays(flows, slot, out, ACK, 0)
      flows.phase[slot] = phases.answerFin
      return false
    case phases.answerFin:
      serverSays(flows, slot, out, FIN | ACK, 0)
      flows.phase[slot] = phases.lastAck
      return false
    case phases.lastAck:
      clientSays(flows, slot, out, ACK, 0)
      return true
    case phases.reset:
      clientSays(flows, slot, out, RST | ACK, 0)
      return true
    case phases.synAgain:
      flows.clientNext[slot]--
      clientSays(flows, slot, out, SYN, 0)
      out.acknowledgement = 0
      flows.phase[slot] = phases.refuse
      return false
    case phases.refuse:
      serverSays(flows, slot, out, RST | ACK, 0)
      out.sequence = 0
      return true
    default:
      return speakKnock(flows, slot, out, phase)
  }
}

function speakUdp(flows: FlowColumns, slot: number, out: FrameWriter): boolean {
  // `up` packets remain; `down` is the client's share in 1/65536, added up in `turn`: an overflow is its turn.
  const last = --flows.up[slot] === 0
  const turn = flows.turn[slot] + flows.down[slot]
  flows.turn[slot] = turn & 0xffff
  const payload = last ? flows.upLast[slot] : flows.full[slot]
  out.flags = 0
  out.payload = payload
  out.fromClient = turn >= 0x1_0000
  out.identification = out.fromClient ? flows.clientId[slot]++ : flows.serverId[slot]++
  return last
}

function speakKnock(flows: FlowColumns, slot: number, out: FrameWriter, phase: number): boolean {
  const knock = flows.knock[slot]
  // Wrong order: first, third, second.
  const index = flows.wrong[slot] === 1 && knock > 0 ? 3 - knock : knock
  out.serverPort = KNOCK_PORTS[index]
  out.clientPort = flows.clientPort[slot] + 1 + knock
  if (phase === phases.knock) {
    clientSays(flows, slot, out, SYN, 0)
    out.acknowledgement = 0
    flows.phase[slot] = phases.knockAnswer
    return false
  }
  serverSays(flows, slot, out, RST | ACK, 0)
  out.sequence = 0
  flows.knock[slot] = knock + 1
  flows.phase[slot] = knock === 2 ? phases.syn : phases.knock
  return false
}

function clientSays(
  flows: FlowColumns,
  slot: number,
  out: FrameWriter,
  flags: number,
  payload: number,
): void {
  out.fromClient = true
  out.flags = flags
  out.payload = payload
  out.sequence = flows.clientNext[slot]
  out.acknowledgement = flows.serverNext[slot]
  out.identification = flows.clientId[slot]++
  flows.clientNext[slot] += payload + ((flags & (SYN | FIN)) !== 0 ? 1 : 0)
}

function serverSays(
  flows: FlowColumns,
  slot: number,
  out: FrameWriter,
  flags: number,
  payload: number,
): void {
  out.fromClient = false
  out.flags = flags
  out.payload = payload
  out.sequence = flows.serverNext[slot]
  out.acknowledgement = flows.clientNext[slot]
  out.identification = flows.serverId[slot]++
  flows.serverNext[slot] += payload + ((flags & (SYN | FIN)) !== 0 ? 1 : 0)
}

function afterSyn(close: number): number {
  if (close === closes.refused) return phases.refuse
  return close === closes.refusedLate ? phases.synAgain : phases.synAck
}

/** Counts a data packet; true: the other side acknowledges now. */
function afterData(flows: FlowColumns, slot: number, last: boolean): boolean {
  const waiting = flows.unacknowledged[slot] + 1
  const direct = last && flows.extra[slot] === 1 && (flows.down[slot] === 0 || (flows.down[slot] & 1) === 0)
  if (waiting < 2 && !direct) {
    flows.unacknowledged[slot] = last ? 0 : waiting
    return false
  }
  if (waiting < 2) flows.extra[slot] = 0
  flows.unacknowledged[slot] = 0
  return true
}

function afterUp(flows: FlowColumns, slot: number): number {
  return flows.down[slot] > 0 ? phases.down : closing(flows, slot)
}

function closing(flows: FlowColumns, slot: number): number {
  return flows.close[slot] === closes.reset ? phases.reset : phases.fin
}
