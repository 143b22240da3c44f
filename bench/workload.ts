/**
 * What each program is measured on: packets in memory, settings and rules. More than 10,000 flows, all under way at
 * once and in random order, so that nearly every packet meets another entry than the one before.
 */

import { Random } from '../src/traffic/random.js'
import { DESCRIPTOR_BYTES, makeTrace } from '../src/traffic/trace.js'
import type { TraceSpecification } from '../src/traffic/specification.js'
import type { RuleRow, RuleRows } from '../src/state/rules.js'

/** Packets and their descriptors; addresses count from the first byte of `data`. */
export interface Packets {
  readonly count: number
  readonly descriptors: Uint8Array
  readonly data: Uint8Array
  /** Nanoseconds from the first packet to where a repetition begins. */
  readonly span: bigint
}

export interface Workload {
  readonly packets: (count: number) => Packets
  readonly settings?: Readonly<Record<string, bigint>>
  readonly rules?: RuleRows
  /** The program changes packets: they are restored before every round. */
  readonly rewrites?: boolean
}

const flows = 16_384
/** Whole headers and some payload: what a NIC that splits headers would give. */
const snap = 96

const mixed: TraceSpecification = {
  law: { unit: 'packets', uniform: [40, 80] },
  flows,
  active: flows,
  clients: flows,
  udp: 0.2,
  snap,
}

const spoken =
  (specification: TraceSpecification) =>
  (count: number): Packets => {
    const trace = makeTrace({ ...specification, packets: count })
    const descriptors = new Uint8Array(count * DESCRIPTOR_BYTES)
    const data = new Uint8Array(count * (specification.snap ?? snap) + 16_384)
    const written = trace.writeTo(data, descriptors)
    if (written !== count) throw new Error(`${written} packets of ${count}`)
    return { count, descriptors, data, span: BigInt(trace.time) + 1000n }
  }

const any: Workload = { packets: spoken(mixed) }

/** One flow that carries everything. */
export const hotFlow = (count: number): Packets =>
  spoken({
    ...mixed,
    law: { unit: 'packets', uniform: [count, count] },
    flows: 1,
    active: 1,
    clients: 1,
    udp: 0,
  })(count)

/** Workloads by program. */
export const workloads: Readonly<Record<string, Workload>> = {
  'port-knocking': { packets: spoken({ ...mixed, udp: 0, knockers: flows / 2 }) },
  'ddos-mitigator': any,
  'heavy-hitter': any,
  'token-bucket': { ...any, settings: { rate: 40n, burst: 10n } },
  'connection-tracker': { packets: spoken({ ...mixed, udp: 0 }) },
  'source-nat': { packets: spoken({ ...mixed, up: 0.5 }), rewrites: true },
  'key-value-cache': { packets: requests, rewrites: true },
  'prefix-forwarder': {
    packets: spoken({ ...mixed, ipv6: 0.2 }),
    rules: { routes4: routes(32), routes6: routes(128) },
    rewrites: true,
  },
  forwarder: any,
  'busy-forwarder': { ...any, settings: { iterations: 16n } },
}

/** About 2,000 routes that cover the addresses of traces: hosts, networks of several sizes, a default. */
function routes(bits: 32 | 128): RuleRow[] {
  const random = new Random(7, bits)
  const bytes = bits / 8
  const rows: RuleRow[] = []
  const seen = new Set<string>()
  const add = (address: Uint8Array, prefix: number): void => {
    for (let bit = prefix; bit < bits; bit++) address[bit >> 3] &= ~(0x80 >> (bit & 7))
    const name = `${Buffer.from(address).toString('hex')}/${prefix}`
    if (seen.has(name)) return
    seen.add(name)
    const device = rows.length % 8
    const key = bits === 32 ? Buffer.from(address).readUInt32BE() : address
    const value = [device, 0x020000000010n + BigInt(device), 0x020000000100n + BigInt(rows.length)]
    rows.push({ key: [key], prefix, value })
  }
  add(new Uint8Array(bytes), 0)
  const below = (n: number): number => Math.floor(random.unit() * n)
  const lengths = bits === 32 ? [12, 16, 20, 22, 24, 28, 32] : [32, 48, 64, 112, 120, 124, 128]
  while (rows.length < 2_000) {
    const address = new Uint8Array(bytes)
    const client = below(4) > 0
    if (bits === 128) address.set([0x20, 0x01, 0x0d, 0xb8, 0, client ? 10 : 11])
    const [high, low] = client ? [0x0a00, below(flows)] : [0xac10, below(256)]
    address.set([high >> 8, high & 255, low >> 8, low & 255], bytes - 4)
    add(address, lengths[below(lengths.length)])
  }
  return rows
}

/** Requests of a key-value cache: of 16,384 keys, nine reads for a write. */
function requests(count: number): Packets {
  const size = 14 + 20 + 8 + 52
  const stride = 96
  const random = new Random(11, 1)
  const data = new Uint8Array(count * stride)
  const descriptors = new Uint8Array(count * DESCRIPTOR_BYTES)
  const view = new DataView(data.buffer)
  const table = new DataView(descriptors.buffer)
  for (let i = 0; i < count; i++) {
    const at = i * stride
    const key = Math.floor(random.unit() * flows)
    data.set([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0, 0, size - 14, 0, 0, 0, 0, 64, 17], at)
    view.setUint32(at + 26, 0x0a000001 + Math.floor(random.unit() * flows))
    view.setUint32(at + 30, 0xac100001)
    view.setUint16(at + 34, 1024 + Math.floor(random.unit() * 64_000))
    view.setUint16(at + 36, 11_311)
    view.setUint16(at + 38, size - 34)
    data[at + 42] = random.unit() < 0.1 || i < flows ? 2 : 1
    view.setUint32(at + 46, i < flows ? i : key)
    view.setUint32(at + 58, 0xcafe_f00d)
    if (data[at + 42] === 2) view.setUint32(at + 62, i)
    const descriptor = i * DESCRIPTOR_BYTES
    table.setUint32(descriptor, at, true)
    table.setUint32(descriptor + 4, size, true)
    table.setUint32(descriptor + 8, size, true)
    table.setBigUint64(descriptor + 16, BigInt(i) * 1000n, true)
  }
  return { count, descriptors, data, span: BigInt(count) * 1000n }
}
