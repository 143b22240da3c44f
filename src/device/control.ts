// The control block: what a walker and the reader around it tell each other, in memory because the walker is
// WebAssembly. A walker takes the bytes from `cursor` to `end`, writes descriptors, and stops with a reason; the
// reader then does what is not worth WebAssembly: file input, section and interface blocks, error texts.
// Little-endian throughout. Read walk.ts next.

/** Byte offsets in the control block. */
export const control = {
  /** u32: address of the next record; after a stop, of the record that was not processed. */
  cursor: 0,
  /** u32: address after the last byte present. */
  end: 4,
  /** u32: address of the next descriptor to write. */
  descriptor: 8,
  /** u32: address after the last descriptor. */
  descriptorEnd: 12,
  /** u32: address of the next absolute time to write, or 0. */
  times: 16,
  /** u32: after `stop.more`, how many bytes the record at the cursor takes, as far as is known. */
  need: 20,
  /** u32: pcap only, see `lengthOrder`. */
  lengthOrder: 24,
  /** u32: pcap only: bytes of a record header, 16 or 24. */
  recordBytes: 28,
  /** i64: absolute time of the first packet, ns since 1970. */
  start: 32,
  /** i64: time of the latest packet since the first, ns. */
  last: 40,
  /** u32: 1 when `start` is set. */
  started: 48,
  /** u32: interfaces in the table. */
  interfaces: 52,
  /** u64: packets whose time stepped back and was clamped. */
  clamped: 56,
  /** u64: packets whose original length was below the captured one and was raised to it. */
  repaired: 64,
  /** u64: bytes captured in the packets delivered. */
  bytes: 72,
  /** u64: bytes of those packets on the wire. */
  wireBytes: 80,
  /** Where the interface table begins. */
  table: 1024,
} as const

/** Byte offsets in one entry of the interface table. */
export const entry = {
  /** u32: a `linkKind`. */
  kind: 0,
  /** u32: link type number. */
  type: 4,
  /** u32: ingress device number for descriptors. */
  device: 8,
  /** u32: snapshot length, 0 for none. */
  snaplen: 12,
  /** u32: a `timeMode`. */
  mode: 16,
  /** u32: for `timeMode.binary`, the exponent, 0..63. */
  shift: 20,
  /** u64: for `multiply` and `divide`, the factor. */
  factor: 24,
  /** i64: added to every time, ns. */
  offset: 32,
  bytes: 64,
} as const

/** How a tick count becomes ns: ticks * factor, ticks / factor, or ticks of 2^-shift seconds. */
export const timeMode = { multiply: 0, divide: 1, binary: 2 } as const

/** Where the two lengths of a pcap record stand: as specified, swapped (version < 2.3), or either (2.3). */
export const lengthOrder = { normal: 0, swapped: 1, either: 2 } as const

/** Why a walker stopped. */
export const stop = {
  /** The record at the cursor is not all there. */
  more: 0,
  /** No descriptor is left. */
  full: 1,
  /** The block at the cursor is the reader's business (section header, interface description). */
  host: 2,
  /** A captured length that cannot be. */
  length: 3,
  /** The packet's interface has a link type that is not read. */
  link: 4,
  /** The packet names an interface that was not described. */
  interface: 5,
  /** A block's length is impossible or its two lengths differ. */
  block: 6,
} as const

/** Largest captured length that is believed, as in libpcap (MAXIMUM_SNAPLEN). */
export const maximumCaptured = 262_144

/** Bytes of memory that a reader needs for its control block and interface table. */
export const readerWorkspaceBytes = 65_536

/** Interfaces that one section may describe. */
export const maximumInterfaces = (readerWorkspaceBytes - control.table) / entry.bytes

/** The walkers of one memory: compiled, or the reference in walk.ts. Each answers a `stop`. */
export interface Walkers {
  /** Walks pcap records from the control block at this address. */
  pcap(control: number, little: boolean): number
  /** Walks pcapng blocks. */
  pcapng(control: number, little: boolean): number
}
