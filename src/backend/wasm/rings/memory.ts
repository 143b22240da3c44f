// What the compiled loops over AF_XDP rings find in memory: a block per socket, a block per buffer pool, and the rings.
//
// A *buffer pool* (struct xsk_buff_pool in the kernel) belongs to one queue of one interface: a FILL ring with addresses
// of free frames for the kernel, and a COMPLETION ring with those that it has sent. A *socket* has an RX and a TX ring;
// several sockets on one queue share its pool. Every frame has a home pool, told by its address, to whose FILL ring it
// returns from wherever it was sent. Ring positions are free-running u32 (linux/if_xdp.h, net/xdp/xsk_queue.h).
// All fields are u32 unless said otherwise, little-endian; addresses are absolute in the shared memory.

/** Byte offsets in a pool's block. */
export const pool = {
  /** Where the FILL ring's positions and first entry are, and its entries less 1. An entry is a u64 address. */
  fillProducer: 0,
  fillFirst: 4,
  fillMask: 8,
  /** The producer position up to which frames were written but perhaps not yet shown to the kernel. */
  fillWritten: 12,
  completionProducer: 16,
  completionConsumer: 20,
  completionFirst: 24,
  completionMask: 28,
  /** 1 if the rings are there: a pool may be closed and opened again. */
  open: 32,
  /** u64: frames that came back through COMPLETION. */
  completed: 40,
} as const
export const poolBytes = 64

/** Byte offsets in a socket's block. */
export const socket = {
  receiveProducer: 0,
  receiveConsumer: 4,
  receiveFirst: 8,
  receiveMask: 12,
  sendProducer: 16,
  sendConsumer: 20,
  sendFirst: 24,
  sendMask: 28,
  /** The TX producer position up to which descriptors were written but perhaps not yet shown to the kernel. */
  sendWritten: 32,
  /** Descriptors posted since JavaScript last woke the kernel; JavaScript clears it. */
  pending: 36,
  /** Address of the packet memory: ring entries count from there. */
  memory: 40,
  /** Number of the interface, for packets' `device` and for redirects. */
  device: 44,
  /** Block of the pool that received frames belong to. */
  pool: 48,
  /** Block of the socket that leads to the kernel's stack; 0 if there is none. */
  kernel: 52,
  /** Table of sockets that may be sent to, `targetBytes` each, and how many there are. */
  targets: 56,
  targetCount: 60,
  /** Lock word of the pools, which several workers use; 0 if only one does. */
  lock: 64,
  /** 1 if every packet is sent to the socket `kernel` whatever its verdict word says: of the kernel's own interface. */
  forward: 68,
  /** u64 each from here on: packets and bytes received. */
  received: 72,
  receivedBytes: 80,
  /** Packets by what became of them; their sum is `received` less what is still being worked on. */
  aborted: 88,
  dropped: 96,
  passed: 104,
  transmitted: 112,
  redirected: 120,
  /** Dropped: a TX ring was full; nothing leads to the kernel; a redirect to an interface that is not open. */
  sendRingFull: 128,
  noKernel: 136,
  noTarget: 144,
  /** Descriptors that were posted to this socket's own TX ring, by whomever. */
  posted: 152,
} as const
export const socketBytes = 192

/** Byte offsets in an entry of the targets: the number of an interface, and the block of a socket on it. */
export const target = { device: 0, socket: 4 } as const
export const targetBytes = 8

/** Byte offsets in the list of pools: how many, log2 of the bytes of packet memory that each is home of, blocks. */
export const pools = { count: 0, shift: 4, lock: 8, first: 16 } as const

/** Bytes of an RX or TX descriptor {u64 address, u32 length, u32 options}, and of a FILL or COMPLETION entry. */
export const ringDescriptorBytes = 16
export const ringAddressBytes = 8
