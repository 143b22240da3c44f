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
import { vethTrials } from './veth-trial.js'
import type { VethTrials } from './veth-trial.js'

export interface CostSubject {
  readonly program: Loadable
  readonly options: LoadOptions
}

export interface KernelCosts {
  /** Nanoseconds a packet, by subject, then by round. */
  readonly samples: readonly (readonly number[])[]
  readonly disturbed: BenchmarkRecord['disturbed']
}

/** Measures the subjects in turn, `count` packets each. */
export async function kernelCosts(
  subjects: readonly CostSubject[],
  packets: readonly Uint8Array[],
  rounds: number,
  count = 200_000,
): Promise<KernelCosts> {
  const opened: VethTrials[] = []
  try {
    for (const { program, options } of subjects)
      opened.push(await vethTrials(program, options, packets, true))
    const once = (trials: VethTrials) => async (): Promise<number> => {
      const before = threadTime()
      const { sent } = await trials.send(count)
      return Number(threadTime() - before) / sent
    }
    return await takeRounds(opened.map(once), { rounds, warmup: 1 })
  } finally {
    for (const trials of opened.toReversed()) trials.close()
  }
}
