// The public face of one receive queue in user space: types alone, for those who import from 'hairpin'.
//
// What it promises: packets are views into the memory that the kernel wrote them to, never copies; a view is valid until
// the next batch is asked for. Whatever nobody injects or transmits is dropped.

/** How a queue is opened. */
export interface QueueOptions {
  /** Which packets of the queue are taken, in tcpdump's words, `udp dst port 53`; `all` if left out. */
  readonly steer?: string
  /** Whether the kernel copies packets into our memory; `either` takes what the driver offers. */
  readonly mode?: 'copy' | 'zeroCopy' | 'either'
  /** Frames of packet memory and entries of each ring, a power of two from 64 to 65536; 4096 if left out. */
  readonly frames?: number
  /** Bytes of a frame, 2048 or 4096, of which 256 stay free; by the MTU if left out. A packet lies in one frame. */
  readonly frameSize?: 2048 | 4096
  /** Packets of a batch at most; 256 if left out. */
  readonly batch?: number
  /** Let the kernel say when it wants to be woken, instead of being called each time; true if left out. */
  readonly needWakeup?: boolean
  /** Microseconds of busy polling instead of interrupts; 0, none, if left out. Linux 5.11; a veth has nothing to poll since 6.13. */
  readonly busyPoll?: number
  /** How our XDP program is attached. `auto` takes the driver's own mode where there is one. */
  readonly xdp?: 'native' | 'generic' | 'auto'
}

/** How a queue really works, as the kernel tells it. */
export interface QueueMode {
  readonly xdp: 'native' | 'generic'
  readonly zeroCopy: boolean
  readonly needWakeup: boolean
  /** Microseconds in force; 0 for interrupts, also where busy polling was asked for and the driver gives nothing to poll. */
  readonly busyPoll: number
}

/** Packets so far. received = dropped + injected + transmitted + sendRingFull, less those of a batch in hand. */
export interface QueueStatistics {
  /** Packets that our XDP program handed over, and those that matched but came in on a queue that is not open. */
  readonly taken: number
  readonly elsewhere: number
  readonly received: number
  readonly receivedBytes: number
  readonly dropped: number
  readonly injected: number
  readonly transmitted: number
  /** Dropped because a ring to the kernel or to the wire had no room. */
  readonly sendRingFull: number
  /** Lost before we saw them: no free frame, or no room in the RX ring. taken = received + these. */
  readonly frameMissing: number
  readonly receiveRingFull: number
  /** Times the kernel found the FILL ring empty. */
  readonly fillRingEmpty: number
  /** Frames of our own that were injected or transmitted: not received before. */
  readonly made: number
  /** Whether the interface is up. */
  readonly up: boolean
}

/** A packet of the batch in hand. The same object stands for one packet after the other: keep nothing but copies. */
export interface QueuePacket {
  /** The packet from its Ethernet header on: a view into packet memory, which may be written to. */
  readonly bytes: Uint8Array
  readonly byteLength: number
  /** Its place in `Queue.memory`. */
  readonly byteOffset: number
  /** Unsigned numbers in network order; 0 beyond the end of the packet. */
  getUint8(offset: number): number
  getUint16(offset: number): number
  getUint32(offset: number): number
}

/** Packets that came together. */
export interface QueueBatch extends Iterable<QueuePacket> {
  readonly length: number
}

/** An open queue: `for await (const batch of queue) for (const packet of batch) …`. */
export interface Queue extends AsyncIterable<QueueBatch> {
  readonly device: string
  readonly queue: number
  readonly mode: QueueMode
  /** Packet memory as a whole. */
  readonly memory: Uint8Array
  /** Gives a packet to the kernel's stack, as if it had just come in on the interface. False if it had no room. */
  inject(packet: QueuePacket | Uint8Array): boolean
  /** Sends a packet out of the interface, by this queue. False if it had no room. */
  transmit(packet: QueuePacket | Uint8Array): boolean
  statistics(): QueueStatistics
  /** Ends the iteration and leaves the interface as it was. Harmless when repeated. */
  close(): Promise<void>
}
