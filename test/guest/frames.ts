// Frames that the host sends to the emulated machine, of many flows: the card's hash spreads them over its queues.

import { checksumOf } from '../../src/wire/checksum.js'
import { macs } from './addresses.js'

const bytesOf = (mac: string): number[] => mac.split(':').map(part => parseInt(part, 16))

/** An Ethernet frame with IPv4 from 10.66.SOURCE to the machine, and what follows behind the IP header. */
function frame(source: number, protocol: number, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(Math.max(60, 34 + payload.length))
  const view = new DataView(bytes.buffer)
  bytes.set([...bytesOf(macs.guest), ...bytesOf(macs.host), 8, 0, 0x45])
  view.setUint16(16, 20 + payload.length)
  bytes.set([64, protocol], 22)
  bytes.set([10, 66, 3 + (source >> 8), source & 255, 10, 66, 1, 2], 26)
  view.setUint16(24, checksumOf(bytes, 14, 34))
  bytes.set(payload, 34)
  return bytes
}

/** A TCP SYN from one of 10.66.3.0 … to a port. */
export function syn(source: number, port: number): Uint8Array {
  const tcp = new Uint8Array(20)
  const view = new DataView(tcp.buffer)
  view.setUint16(0, 30_000 + (source % 20_000))
  view.setUint16(2, port)
  tcp.set([0x50, 2], 12)
  return frame(source, 6, tcp)
}

/** A UDP datagram without a checksum. */
export function datagram(source: number, port: number, payload: Uint8Array): Uint8Array {
  const udp = new Uint8Array(8 + payload.length)
  const view = new DataView(udp.buffer)
  view.setUint16(0, 20_000 + (source % 20_000))
  view.setUint16(2, port)
  view.setUint16(4, udp.length)
  udp.set(payload, 8)
  return frame(source, 17, udp)
}

/** A question to a name server. */
export const query = (source: number): Uint8Array =>
  datagram(source, 53, Uint8Array.of(1, 2, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0))
