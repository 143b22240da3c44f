/**
 * Merges labelled port-knocking sequences into a real capture.
 *
 * A right knocker tries the service port (SYN), knocks on 7001, 7002, 7003 and then holds a TCP session with the
 * service. A wrong one knocks in another order and then tries the service: a SYN and two retransmissions. Knocks are
 * SYN packets without an answer, as in front of a firewall that drops them.
 *
 * The label: everything added carries the locally administered Ethernet addresses 02:00:00:00:00:01 and :02
 * (filter `eth.addr == 02:00:00:00:00:01`), which no real card has. `withoutKnocking` takes it out again.
 */

import { makeRecord, mergeRecords, readCapture } from './capture.js'
import type { Capture, CaptureRecord } from './capture.js'
import { FlowColumns, speak } from './dialogue.js'
import { KNOCK_PORTS } from './endpoints.js'
import { FrameWriter, TCP_FLAGS } from './frame.js'
import { planTcp } from './plan.js'
import { RECORD_HEADER_BYTES } from './pcapfile.js'
import { Keyed } from './random.js'
import { dataAmong, overhead } from './sizes.js'
import { TraceError } from './specification.js'

export interface Knocker {
  /** IPv4 address in dotted notation. */
  readonly source: string
  /** Seconds after the capture's first packet. */
  readonly start: number
  /** TCP port of the service behind the firewall. */
  readonly service: number
  /** Knocks in the order 7001, 7003, 7002 and is refused. */
  readonly wrong?: boolean
  /** Packets of a right knocker's session, both directions, handshake and close included. */
  readonly packets?: number
}

const KNOCK_GAP = 100_000_000n
const ROUND_TRIP = 8_000_000n
const SECOND = 1_000_000_000n
const SESSION_PACKETS = 32
const PAYLOAD = 96

/** Adds the knockers' packets, all towards `server`, to a classic pcap of Ethernet frames. Throws a TraceError. */
export function mergeKnocking(file: Uint8Array, server: string, knockers: readonly Knocker[]): Uint8Array {
  const capture = ethernetCapture(file)
  const begin = capture.records[0].time
  const added = knockers.flatMap((knocker, index) => knock(capture, begin, address(server), knocker, index))
  return mergeRecords(capture, added)
}

/** The capture without the packets that `mergeKnocking` added. */
export function withoutKnocking(file: Uint8Array): Uint8Array {
  const capture = ethernetCapture(file)
  return mergeRecords({ ...capture, records: capture.records.filter(record => !isAdded(record)) }, [])
}

/** Whether a record was added by `mergeKnocking`. */
export function isAdded(record: CaptureRecord): boolean {
  const destination = record.bytes.subarray(RECORD_HEADER_BYTES, RECORD_HEADER_BYTES + 6)
  return (
    destination.length === 6 && destination[0] === 2 && destination.subarray(1, 5).every(byte => byte === 0)
  )
}

function ethernetCapture(file: Uint8Array): Capture {
  const capture = readCapture(file)
  if ('problem' in capture) throw new TraceError([`capture: ${capture.problem}`])
  if (capture.linkType !== 1)
    throw new TraceError([`capture: link type ${capture.linkType} is not Ethernet (1)`])
  if (capture.records.length === 0) throw new TraceError(['capture: it has no packets, so no beginning'])
  return capture
}

/** A dotted IPv4 address as a word. */
function address(text: string): number {
  const parts = text.split('.').map(Number)
  const valid = parts.length === 4 && parts.every(part => Number.isInteger(part) && part >= 0 && part <= 255)
  if (!valid) throw new TraceError([`'${text}' is no IPv4 address`])
  return (parts[0] << 24) | (parts[1] << 16) | (parts[2] << 8) | parts[3] | 0
}

function knock(
  capture: Capture,
  begin: bigint,
  server: number,
  knocker: Knocker,
  index: number,
): CaptureRecord[] {
  const keyed = new Keyed(index)
  const flows = new FlowColumns(1)
  const frame = new FrameWriter(60, 0, 1460)
  const region = new Uint8Array(2048)
  frame.bind(region)
  flows.client[0] = address(knocker.source)
  flows.server[0] = server
  flows.clientPort[0] = 40_000 + (keyed.u32(0, 0) % 20_000)
  flows.serverPort[0] = knocker.service
  flows.clientNext[0] = keyed.u32(0, 1)
  flows.serverNext[0] = keyed.u32(0, 2)
  flows.clientId[0] = keyed.u32(0, 3)
  flows.serverId[0] = keyed.u32(0, 4)

  const records: CaptureRecord[] = []
  let time = begin + BigInt(Math.round(knocker.start * 1e9))
  const send = () => {
    frame.write(0)
    records.push(makeRecord(capture, time, region.slice(0, frame.captured), frame.length))
  }
  const sendSyn = (port: number, clientPort: number, sequence: number) => {
    Object.assign(frame, { client: flows.client[0], server, clientPort, serverPort: port, v6: 0, udp: false })
    Object.assign(frame, { fromClient: true, flags: TCP_FLAGS.syn, sequence, acknowledgement: 0, payload: 0 })
    frame.identification = flows.clientId[0]++
    send()
  }
  const wrong = knocker.wrong === true
  if (!wrong) {
    sendSyn(knocker.service, flows.clientPort[0] - 1, keyed.u32(0, 5) | 0)
    time += SECOND
  }
  const order = wrong ? [0, 2, 1] : [0, 1, 2]
  for (const [turn, port] of order.entries()) {
    sendSyn(KNOCK_PORTS[port], flows.clientPort[0] + 1 + turn, keyed.u32(turn, 6) | 0)
    time += KNOCK_GAP
  }
  if (wrong) {
    for (const wait of [SECOND, 2n * SECOND, 0n]) {
      sendSyn(knocker.service, flows.clientPort[0], flows.clientNext[0])
      time += wait
    }
    return records
  }
  const packets = knocker.packets ?? SESSION_PACKETS
  const bytes = dataAmong(packets - overhead(packets, false)) * PAYLOAD
  planTcp(flows, 0, packets, bytes, false, { up: 0.5, segment: 1460, frameLimit: 1514 })
  for (let last = false; !last; time += ROUND_TRIP) {
    last = speak(flows, 0, frame)
    send()
  }
  return records
}
