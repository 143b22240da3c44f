/**
 * The packets of a comparison: 16,384 flows, a packet of each in random order, and those that come before so that every
 * flow has its state. All are 192 bytes, Ethernet/IPv4/TCP; the programs read no further than the first 64.
 */

import { Random } from '../../src/traffic/random.js'

export const flows = 16_384
export const packetBytes = 192
/** How much of a packet differs from flow to flow. */
export const templateBytes = 64

export interface PacketSet {
  /** Packets that make the state, in order. */
  readonly before: readonly Uint8Array[]
  /** One packet of each flow, in random order. */
  readonly measured: readonly Uint8Array[]
  readonly settings: ReadonlyMap<string, bigint>
}

interface Segment {
  readonly flow: number
  readonly reply?: boolean
  readonly port?: number
  readonly flags: number
  readonly sequence?: number
  readonly acknowledgement?: number
  readonly length?: number
}

const [SYN, ACK] = [2, 16]
const server = 0xac100001

/** A TCP segment of a flow: by client address and port, to one server. */
function segment(s: Segment): Uint8Array {
  const bytes = new Uint8Array(packetBytes)
  const view = new DataView(bytes.buffer)
  // Spread over the address space, as sources on the Internet are.
  const client = (Math.imul(s.flow + 1, 0x9e3779b1) >>> 4) + 0x0b000000
  const port = 1024 + (s.flow % 60_000)
  const [source, destination] = s.reply ? [server, client] : [client, server]
  const [sourcePort, destinationPort] = s.reply ? [443, port] : [port, s.port ?? 443]
  bytes.set([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0])
  view.setUint16(16, s.length ?? packetBytes - 14)
  bytes.set([64, 6], 22)
  view.setUint32(26, source)
  view.setUint32(30, destination)
  view.setUint16(34, sourcePort)
  view.setUint16(36, destinationPort)
  view.setUint32(38, s.sequence ?? 1)
  view.setUint32(42, s.acknowledgement ?? 1)
  bytes.set([0x50, s.flags, 0xff, 0xff], 46)
  return bytes
}

const everyFlow = Array.from({ length: flows }, (_, flow) => flow)

function shuffled(random: Random): number[] {
  const order = [...everyFlow]
  for (let k = order.length - 1; k > 0; k--) {
    const other = Math.floor(random.unit() * (k + 1))
    ;[order[k], order[other]] = [order[other], order[k]]
  }
  return order
}

/** Limits that no flow reaches, so that the path does not change while it is measured. */
const any =
  (settings: Readonly<Record<string, bigint>>) =>
  (random: Random): PacketSet => ({
    before: everyFlow.map(flow => segment({ flow, flags: ACK })),
    measured: shuffled(random).map(flow => segment({ flow, flags: ACK })),
    settings: new Map(Object.entries(settings)),
  })

/** Half the flows have knocked, and ports are random, so that branches are mispredicted. */
function knocking(random: Random): PacketSet {
  const knock = (flow: number, port: number): Uint8Array => segment({ flow, port, flags: SYN })
  const ports = [7001, 7002, 7003]
  return {
    before: everyFlow.flatMap(flow =>
      flow % 2 ? ports.map(port => knock(flow, port)) : [knock(flow, ports[0])],
    ),
    measured: shuffled(random).map(flow => knock(flow, 7000 + Math.floor(random.unit() * 4))),
    settings: new Map(),
  }
}

/** Established connections, whose packets come from either end. */
function connections(random: Random): PacketSet {
  const headers = 40
  const handshake = (flow: number): Uint8Array[] => [
    segment({ flow, flags: SYN, sequence: 0, acknowledgement: 0, length: headers }),
    segment({ flow, reply: true, flags: SYN | ACK, sequence: 0, acknowledgement: 1, length: headers }),
    segment({ flow, flags: ACK, sequence: 1, acknowledgement: 1, length: headers }),
  ]
  return {
    before: everyFlow.flatMap(handshake),
    // The other end has acknowledged the first byte only: the same data may come again and again.
    measured: shuffled(random).map(flow => segment({ flow, reply: random.unit() < 0.5, flags: ACK })),
    settings: new Map(),
  }
}

const sets: Readonly<Record<string, (random: Random) => PacketSet>> = {
  'port-knocking': knocking,
  'ddos-mitigator': any({ limit: 0xffff_ffffn }),
  'heavy-hitter': any({ threshold: 1n << 60n }),
  'token-bucket': any({ rate: 100_000_000n, burst: 1_000n }),
  'connection-tracker': connections,
  'tcp-states': connections,
}

/** The paper's programs, and a tracker of TCP's states alone; all have a baseline. */
export const programs = Object.keys(sets)

/** The packets of a program; the same at every call. */
export const packetsOf = (program: string): PacketSet => sets[program](new Random(5, 1))
