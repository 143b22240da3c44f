// A slab: one batch of packets in the shared memory, as a device fills it and the engine works on it.
// It is an array of 32-byte descriptors, a second array with the packets' own absolute times, and the bytes
// that the descriptors point into. All fields are little-endian. This file is the layout; nothing here runs
// per packet except the accessors, which allocate nothing.

/** Bytes of one descriptor. */
export const descriptorBytes = 32

/** Byte offsets inside a descriptor. */
export const descriptor = {
  /** u32: absolute address of the first byte of the packet. */
  address: 0,
  /** u32: captured length, the bytes present. */
  length: 4,
  /** u32: length on the wire, never below the captured length. */
  original: 8,
  /** u32: number of the ingress device. */
  device: 12,
  /** u64: nanoseconds since the first packet of the run, never stepping back. */
  timestamp: 16,
  /** u32: what the program decided; low 8 bits as in XDP, bits 8.. the device of a redirect. */
  verdict: 24,
  /** u32: link flags, see `linkFlags`. */
  link: 28,
} as const

/**
 * The link word of a descriptor. 0 is an Ethernet packet as captured. Otherwise the packet starts with a synthetic
 * 14-byte Ethernet header, and the original link header lies in the bytes just before the packet's address.
 */
export const linkFlags = {
  /** Bits 0..7: bytes of the original link header, kept directly before the packet's address. */
  headerMask: 0xff,
  /** Bit 8: the first 14 bytes of the packet are synthetic. */
  synthetic: 0x100,
  /** Bits 16..31, meaningful with `synthetic`: the link type number of the original (LINKTYPE_ value). */
  typeShift: 16,
} as const

/** Verdict numbers, XDP's. */
export const verdictNumber = { aborted: 0, drop: 1, pass: 2, transmit: 3, redirect: 4 } as const

/**
 * Why a packet was dropped, in bits 8.. of the verdict word of a drop: 0 is the program's own verdict. The others come
 * from replication over a lossy transport (docs/recovery.md).
 */
export const dropReason = { program: 0, lost: 1, recovering: 2, unrecoverable: 3, late: 4 } as const
export type DropReason = keyof typeof dropReason

/** The reason of a drop's verdict word. */
export const reasonOf = (word: number): DropReason =>
  (Object.keys(dropReason) as DropReason[]).find(name => dropReason[name] === word >>> 8) ?? 'program'

/** Where one batch of packets lives. Addresses are byte offsets into the memory, lengths are bytes. */
export interface Slab {
  /** Address of the descriptors, multiple of 8. */
  readonly descriptors: number
  /** Packets that fit. */
  readonly capacity: number
  /** Address of `capacity` u64: each packet's own absolute time in ns since 1970, unclamped; 0 when not wanted. */
  readonly times: number
  /** Address of the region that the packets' bytes lie in. */
  readonly data: number
  /** Its size; devices state their minimum. */
  readonly dataBytes: number
}

/** The least `dataBytes` that every device accepts: one packet of the largest captured length and its headers. */
export const minimumDataBytes = 272 * 1024

/** Bytes that `carveSlab` takes for a slab of this shape. */
export function slabBytes(capacity: number, dataBytes: number): number {
  return align(capacity * (descriptorBytes + 8), 64) + align(dataBytes, 64)
}

/** Lays a slab out from `address`, which must be a multiple of 64: descriptors, times, then data. */
export function carveSlab(address: number, capacity: number, dataBytes: number): Slab {
  const times = address + capacity * descriptorBytes
  const data = align(times + capacity * 8, 64)
  return { descriptors: address, capacity, times, data, dataBytes }
}

/** The link type number (LINKTYPE_ value) of a packet, from its descriptor's link word. */
export function linkTypeOf(link: number): number {
  return link & linkFlags.synthetic ? link >>> linkFlags.typeShift : 1
}

/** One descriptor as an object: for tests, traces and tools, not for loops over all packets. */
export interface Descriptor {
  address: number
  length: number
  original: number
  device: number
  timestamp: bigint
  verdict: number
  link: number
}

/** Reads descriptor `index` of a slab. */
export function readDescriptor(view: DataView, slab: Slab, index: number): Descriptor {
  const at = slab.descriptors + index * descriptorBytes
  return {
    address: view.getUint32(at + descriptor.address, true),
    length: view.getUint32(at + descriptor.length, true),
    original: view.getUint32(at + descriptor.original, true),
    device: view.getUint32(at + descriptor.device, true),
    timestamp: view.getBigUint64(at + descriptor.timestamp, true),
    verdict: view.getUint32(at + descriptor.verdict, true),
    link: view.getUint32(at + descriptor.link, true),
  }
}

/** Writes descriptor `index` of a slab. */
export function writeDescriptor(view: DataView, slab: Slab, index: number, packet: Descriptor): void {
  const at = slab.descriptors + index * descriptorBytes
  view.setUint32(at + descriptor.address, packet.address, true)
  view.setUint32(at + descriptor.length, packet.length, true)
  view.setUint32(at + descriptor.original, packet.original, true)
  view.setUint32(at + descriptor.device, packet.device, true)
  view.setBigUint64(at + descriptor.timestamp, packet.timestamp, true)
  view.setUint32(at + descriptor.verdict, packet.verdict, true)
  view.setUint32(at + descriptor.link, packet.link, true)
}

function align(value: number, to: number): number {
  return Math.ceil(value / to) * to
}
