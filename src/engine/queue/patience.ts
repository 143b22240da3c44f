// How long a thread that finds its rings empty goes on looking before it sleeps.
//
// Who sleeps is woken by the CPU that receives: an interrupt from one CPU to another, some µs of that CPU's time, of a virtual
// machine's more, paid by the packets behind it; and it is back up to a millisecond later, when a ring of 4,096 frames may
// have run over. So a thread looks for as long as a sleep costs, and after many packets for as long as a sender may pause.
// Time counts, not turns, which are over too soon where a turn is short.

/** Milliseconds after the last packet; and after at least so many packets since the last sleep. */
const usual = 0.1
const afterMany = 1
export const many = 1024

export class Patience {
  #last: number
  #packets = 0

  /** `now`: milliseconds of any clock, as everywhere here. */
  constructor(now: number) {
    this.#last = now
  }

  /** There were packets, or there is something else to do at once. */
  found(packets: number, now: number): void {
    this.#packets += packets
    this.#last = now
  }

  /** Whether it is time to sleep. */
  isOver(now: number): boolean {
    return now - this.#last > (this.#packets < many ? usual : afterMany)
  }

  /** A sleep has ended. */
  slept(now: number): void {
    this.#packets = 0
    this.#last = now
  }
}
