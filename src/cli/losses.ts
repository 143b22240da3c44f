// Packets that are lost and not dropped by verdict, told once for each reason when it first happens: the counter's name and
// what it means (docs/live.md, docs/af-xdp.md).

/** Of the kernel's workers, and of AF_XDP's rings. */
const meanings: Readonly<Record<string, string>> = {
  workerQueue: "a worker's queue is full: packets come faster than workers take them",
  funnelQueue: 'the queue before the sequencer is full: packets come faster than it takes them',
  headroom: 'there is no room in front of packets for the history',
  otherQueue: 'they come by a receive queue that is not served',
  handover: 'their flows are about to leave a worker whose queue is full',
  queue: "a worker's queue was full",
  noMemory: 'the kernel has no memory for packets that are passed to it',
  transmit: 'they cannot be sent back: the interface is full or down, or takes no redirected packets',
  redirect:
    'they cannot be sent on: the other interface is full, down or gone, or takes no redirected packets',
  frameMissing:
    'there is no free frame for them: packets come faster than they are taken, or frames are too few',
  receiveRingFull: 'the receive ring is full: packets come faster than they are taken',
  sendRingFull: 'the send ring is full: the other side is slower than this one, or the interface is down',
  noKernel: 'there is no way to the kernel for what is passed',
  noTarget: 'they are redirected to an interface that this run has not',
}

/** Keeps in mind what was told. */
export class DropTeller {
  readonly #told = new Set<string>()

  /** What to say now. */
  news(drops: Iterable<readonly [reason: string, count: number | bigint]>): string[] {
    return [...drops].flatMap(([reason, n]) => {
      const meaning = meanings[reason]
      if (meaning === undefined || !n || this.#told.has(reason)) return []
      this.#told.add(reason)
      return [`packets are lost (${reason}): ${meaning}`]
    })
  }
}
