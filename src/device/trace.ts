// The trace wrapper: one line for each packet that comes through a device. For people; slow on purpose.

import type { Selection, Sink, Source } from './device.js'
import { selects } from './memory.js'
import { linkTypeOf, readDescriptor, type Descriptor, type Slab } from './slab.js'
import { wrap } from './wrap.js'

const verdicts = ['aborted', 'drop', 'pass', 'transmit', 'redirect']
const etherTypes: ReadonlyMap<number, string> = new Map([
  [0x0806, 'arp'],
  [0x8847, 'mpls'],
  [0x8863, 'pppoe discovery'],
  [0x8864, 'pppoe'],
  [0x88cc, 'lldp'],
])
const protocols: ReadonlyMap<number, string> = new Map([
  [1, 'icmp'],
  [2, 'igmp'],
  [6, 'tcp'],
  [17, 'udp'],
  [47, 'gre'],
  [50, 'esp'],
  [58, 'icmpv6'],
  [132, 'sctp'],
])
const protocolsWithPorts = new Set([6, 17, 132])

/**
 * Wraps a device so that `print` gets one line for each packet that a source gives or a sink is asked to take; the
 * latter lines end with the verdict.
 */
export function trace<D extends Source | Sink>(
  device: D,
  memory: WebAssembly.Memory,
  print: (line: string) => void,
): D {
  let number = 0
  const lines = (slab: Slab, count: number, selection?: Selection): void => {
    const view = new DataView(memory.buffer)
    for (let index = 0; index < count; index++) {
      const packet = readDescriptor(view, slab, index)
      if (selection !== undefined && !selects(selection, packet.verdict)) continue
      const bytes = new DataView(memory.buffer, packet.address, packet.length)
      const verdict = selection === undefined ? '' : ` ${verdictText(packet.verdict)}`
      print(line(number++, packet, bytes) + verdict)
    }
  }
  return wrap(device, {
    name: 'trace',
    read(slab, batch) {
      lines(slab, batch.count)
      return batch
    },
    write(slab, count, selection, write) {
      lines(slab, count, selection)
      return write(slab, count, selection)
    },
  })
}

/** Number, time in seconds, device, lengths, then what the bytes are. */
function line(number: number, packet: Descriptor, bytes: DataView): string {
  const time = `${packet.timestamp / 1_000_000_000n}.${`${packet.timestamp % 1_000_000_000n}`.padStart(9, '0')}`
  const cut = packet.length < packet.original ? ` of ${packet.original}` : ''
  const link = linkTypeOf(packet.link)
  const was = link === 1 ? '' : ` (link type ${link})`
  return `#${number} ${time} dev ${packet.device} ${packet.length}${cut} B${was} ${packetText(bytes)}`
}

function verdictText(word: number): string {
  const number = word & 0xff
  const name = verdicts[number] ?? `verdict ${number}`
  return number === 4 ? `${name}(${word >>> 8})` : name
}

/** A few words on the outermost headers of an Ethernet packet; total, whatever the bytes. */
export function packetText(bytes: DataView): string {
  if (bytes.byteLength < 14) return 'short'
  let at = 12
  let tags = ''
  for (let type = bytes.getUint16(at); type === 0x8100 || type === 0x88a8; type = bytes.getUint16(at)) {
    if (bytes.byteLength < at + 6) return `${tags}vlan, short`
    tags += `vlan ${bytes.getUint16(at + 2) & 0xfff} `
    at += 4
  }
  const type = bytes.getUint16(at)
  at += 2
  if (type === 0x0800) return tags + ipv4Text(bytes, at)
  if (type === 0x86dd) return tags + ipv6Text(bytes, at)
  return tags + (etherTypes.get(type) ?? (type < 0x600 ? 'llc' : `ethertype 0x${type.toString(16)}`))
}

function ipv4Text(bytes: DataView, at: number): string {
  if (bytes.byteLength < at + 20) return 'ipv4, short'
  const first = (bytes.getUint16(at + 6) & 0x1fff) === 0
  const [source, destination] = [12, 16].map(offset =>
    Array.from({ length: 4 }, (_, index) => bytes.getUint8(at + offset + index)).join('.'),
  )
  const payload = first ? at + (bytes.getUint8(at) & 15) * 4 : bytes.byteLength
  return flowText(bytes, bytes.getUint8(at + 9), source, destination, payload) + (first ? '' : ' fragment')
}

function ipv6Text(bytes: DataView, at: number): string {
  if (bytes.byteLength < at + 40) return 'ipv6, short'
  const [source, destination] = [8, 24].map(offset => `[${ipv6Address(bytes, at + offset)}]`)
  return flowText(bytes, bytes.getUint8(at + 6), source, destination, at + 40)
}

/** RFC 5952: lower case, and the first of the longest runs of zero groups, two at least, left out. */
function ipv6Address(bytes: DataView, at: number): string {
  const groups = Array.from({ length: 8 }, (_, index) => bytes.getUint16(at + index * 2))
  const zeros = groups.map((_, index) => groups.slice(index).findIndex(group => group !== 0))
  const runs = zeros.map((run, index) => (run === -1 ? groups.length - index : run))
  const longest = Math.max(...runs)
  if (longest < 2) return hex(groups)
  const from = runs.indexOf(longest)
  return `${hex(groups.slice(0, from))}::${hex(groups.slice(from + longest))}`
}

function hex(groups: readonly number[]): string {
  return groups.map(group => group.toString(16)).join(':')
}

function flowText(
  bytes: DataView,
  protocol: number,
  source: string,
  destination: string,
  payload: number,
): string {
  const name = protocols.get(protocol) ?? `protocol ${protocol}`
  if (!protocolsWithPorts.has(protocol) || bytes.byteLength < payload + 4)
    return `${name} ${source} > ${destination}`
  const ports = [bytes.getUint16(payload), bytes.getUint16(payload + 2)]
  return `${name} ${source}:${ports[0]} > ${destination}:${ports[1]}`
}
