// Microsoft's RSS verification suite ("Verifying the RSS Hash Calculation"), for tests: all its vectors, for the standard key;
// and what of any packet is hashed, by plain dissection.

import { dissect } from '../wire/frame.js'
import type { SteeringFields } from './steering.js'

type Row = [string, number, string, number, number, number]

/** An address as bytes. */
export const v4 = (address: string): number[] => address.split('.').map(Number)
export const port = (n: number): number[] => [n >> 8, n & 255]
export const v6 = (address: string): number[] => {
  const [head, tail = ''] = address.split('::')
  const words = (part: string): number[] => (part === '' ? [] : part.split(':').map(w => parseInt(w, 16)))
  const [a, b] = [words(head), words(tail)]
  const all = address.includes('::') ? [...a, ...Array<number>(8 - a.length - b.length).fill(0), ...b] : a
  return all.flatMap(port)
}

/** Destination, its port, source, its port, hash of the addresses, hash of addresses and TCP ports. */
export const suite: Row[] = [
  ['161.142.100.80', 1766, '66.9.149.187', 2794, 0x323e8fc2, 0x51ccc178],
  ['65.69.140.83', 4739, '199.92.111.2', 14230, 0xd718262a, 0xc626b0ea],
  ['12.22.207.184', 38024, '24.19.198.95', 12898, 0xd2d0a5de, 0x5c2b394a],
  ['209.142.163.6', 2217, '38.27.205.30', 48228, 0x82989176, 0xafc7327f],
  ['202.188.127.2', 1303, '153.39.163.191', 44251, 0x5d1809c5, 0x10e828a2],
]
export const suite6: Row[] = [
  ['3ffe:2501:200:3::1', 1766, '3ffe:2501:200:1fff::7', 2794, 0x2cc18cd5, 0x40207d3d],
  ['ff02::1', 4739, '3ffe:501:8::260:97ff:fe40:efab', 14230, 0x0f0c461c, 0xdde51bbf],
  ['fe80::200:f8ff:fe21:67cf', 38024, '3ffe:1900:4545:3:200:f8ff:fe21:67cf', 44251, 0x4b61e985, 0x02d1feef],
]

/** The bytes that a NIC hashes, from the packet dissected in plain TypeScript. */
export function hashInput(bytes: Uint8Array, fields: SteeringFields): number[] {
  const frame = dissect(bytes)
  const ip = frame.ipv4 ?? frame.ipv6
  if (!ip) return []
  const [at, size] = frame.ipv4 ? [ip.base + 12, 4] : [ip.base + 8, 16]
  const input: number[] = []
  if (fields.source) input.push(...bytes.subarray(at, at + size))
  if (fields.destination) input.push(...bytes.subarray(at + size, at + 2 * size))
  const ports = frame.transport?.tcp ?? frame.transport?.udp ?? frame.transport?.sctp
  if (ports && fields.sourcePort) input.push(...bytes.subarray(ports.base, ports.base + 2))
  if (ports && fields.destinationPort) input.push(...bytes.subarray(ports.base + 2, ports.base + 4))
  return input
}
