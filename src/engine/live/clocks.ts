// Keeps the clocks of workers fresh while no frame comes.
//
// A frame carries the low 48 bits of its time, and a worker takes the next time after its last one that has them: right for
// 78 hours. After a longer silence it would be 78 hours behind, and other workers not. So whoever supervises a live run
// looks from time to time, and where a worker's last time has stood still for more than an hour, moves it to half an hour before
// what it must be now: frames to come are later than that by much less than 78 hours. The program does not see it: the
// last time is only what the next one is counted from.

const hour = 3_600_000_000_000n

export class Clocks {
  readonly #clocks: { readonly view: DataView; readonly at: number; last: bigint; since: bigint }[]

  /** Where workers keep their last time, u64 ns at `at` of each view; `now` is any clock that counts ns. */
  constructor(views: readonly DataView[], at: number, now: bigint) {
    this.#clocks = views.map(view => ({ view, at, last: view.getBigUint64(at, true), since: now }))
  }

  /** To be called at least every few hours. */
  look(now: bigint): void {
    for (const clock of this.#clocks) {
      const found = clock.view.getBigUint64(clock.at, true)
      if (found !== clock.last) {
        clock.last = found
        clock.since = now
      } else if (now - clock.since > hour) {
        // Never ahead of the sequencer's, though the two clocks may differ a little.
        const passed = now - clock.since - hour / 2n
        clock.last += passed
        clock.since += passed
        clock.view.setBigUint64(clock.at, clock.last, true)
      }
    }
  }
}
