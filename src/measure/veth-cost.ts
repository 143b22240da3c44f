/**
 * What a packet costs in the kernel, program by program: processor time of one thread that makes live frames, sends them
 * over a veth pair and, in the same call, runs the XDP program at the other end.
 *
 * All programs take turns, one that drops everything among them: its time is what sending and receiving cost (d), the rest
 * is the program (c1). A closed loop on one CPU, so nothing is lost and nothing overlaps. Needs root. Making the
 * frame is in d, which a network card does by itself.
 */

import type { Loadable, LoadOptions } from '../engine/kernel/load.js'
import { threadTime } from '../sys/thread-time.js'
import type { BenchmarkRecord } from './record.js'
import { takeRounds } from './rounds.js'
import type { Rounds } from './rounds.js'
import { median } from './statistics.js'
import { vethTrials } from './veth-trial.js'
import type { VethTrials } from './veth-trial.js'

export interface CostSubject {
  readonly program: Loadable
  readonly options: LoadOptions
}

export interface KernelCosts {
  /** Nanoseconds a packet, by subject, then by repetition. */
  readonly samples: readonly (readonly number[])[]
  readonly disturbed: BenchmarkRecord['disturbed']
}

/** Rounds whose median is a sample. */
const rounds = 5

/**
 * Measures the subjects in turn, `count` packets each. Every sample has pairs, programs and maps of its own, since the places of
 * their memory differ from one load to the next, and is the median of some rounds.
 */
export async function kernelCosts(
  subjects: readonly CostSubject[],
  packets: readonly Uint8Array[],
  repetitions: number,
  count = 200_000,
): Promise<KernelCosts> {
  const samples: number[][] = subjects.map(() => [])
  let rejected = 0
  let kept = 0
  let known = true
  for (let k = 0; k < repetitions; k++) {
    const { samples: times, disturbed } = await once(subjects, packets, count)
    times.forEach((list, i) => samples[i].push(median(list)))
    known &&= disturbed !== null
    rejected += disturbed?.rejected ?? 0
    if (2 * (disturbed?.kept ?? 0) > rounds) kept++
  }
  return { samples, disturbed: known ? { rejected, kept } : null }
}

async function once(
  subjects: readonly CostSubject[],
  packets: readonly Uint8Array[],
  count: number,
): Promise<Rounds<number>> {
  const opened: VethTrials[] = []
  try {
    for (const { program, options } of subjects)
      opened.push(await vethTrials(program, options, packets, true))
    const time = (trials: VethTrials) => async (): Promise<number> => {
      const before = threadTime()
      const { sent } = await trials.send(count)
      return Number(threadTime() - before) / sent
    }
    return await takeRounds(opened.map(time), { rounds, warmup: 1 })
  } finally {
    for (const trials of opened.toReversed()) trials.close()
  }
}
