// RSS++ and hybrid at run time: at the end of an epoch the loads of the buckets decide which of them change their worker,
// and the votes decide which keys all workers have. Their state goes with them.
//
// Between two slabs, when all that was handed out has been done: no packet is between two workers then. Epochs are
// counted in packets, so that a run can be repeated, or in milliseconds, as a NIC's driver would. The decisions are
// strategy/balance.ts and strategy/heavy.ts, the hand-over handover.ts.

import { stateMemory } from '../state/memory.js'
import { balance } from '../strategy/balance.js'
import type { BalanceOptions } from '../strategy/balance.js'
import { judge } from '../strategy/heavy.js'
import type { Vote } from '../strategy/heavy.js'
import { heavySlots, indirectionEntries, steeringLayout, voteSlots } from '../strategy/toeplitz.js'
import type { Artifact } from './artifact.js'
import { Shards } from './handover.js'
import type { Change } from './handover.js'
import type { Plan } from './plan.js'

export interface Epoch {
  readonly packets?: number
  readonly milliseconds?: number
  /** Of hybrid: what replaying an item costs, as a share of processing its packet; the compiler's estimate if left out. */
  readonly replay?: number
  /** When buckets move; left out, also the epoch before must be in favour (strategy/balance.ts). */
  readonly balance?: BalanceOptions
}
export const defaultEpoch: Epoch = { packets: 65_536 }

/** Votes that tell a heavy key from others: one with half of a sixteenth of the packets still has 32. */
const enoughVotes = 1_024
/** One packet in how many votes. Odd: traffic that repeats itself after an even number of packets is sampled all the same. */
const voteEvery = ({ packets }: Epoch): number =>
  1 + 2 * Math.floor(Math.min(packets ?? 65_536, 65_536) / enoughVotes / 2)

/** What happened at the end of an epoch in which something changed hands. */
export interface Handover extends Change {
  /** Packets received before it. */
  readonly after: number
  /** The time of the last of them, ns. */
  readonly time: bigint
  /** Entries that moved or were copied. */
  readonly entries: number
}

export interface RebalancingReport {
  readonly epochs: number
  /** Buckets that changed their worker, keys that became heavy and light, and entries that moved or were copied. */
  readonly migrations: number
  readonly promotions: number
  readonly demotions: number
  readonly entries: number
  /** Milliseconds in which the workers stood still for it. */
  readonly pausedMilliseconds: number
  readonly handovers: readonly Handover[]
}

export class Rebalancer {
  private readonly words: Uint32Array
  private readonly steering: number
  private readonly shards: Shards
  private readonly handovers: Handover[] = []
  private epochs = 0
  private paused = 0
  private packets = 0
  /** Loads of the last epoch; of none at first, which confirms nothing. */
  private before: readonly number[] = Array.from({ length: indirectionEntries }, () => 0)
  private time = performance.now()
  private readonly plan: Plan
  private readonly epoch: Epoch
  private readonly hybrid: boolean
  private readonly replay: number
  private readonly voteEvery: number

  constructor(artifact: Artifact, plan: Plan, memory: WebAssembly.Memory, epoch: Epoch = defaultEpoch) {
    const { stateLayout: layout, shardKeys: keys, steering: fields } = artifact
    this.plan = plan
    this.epoch = epoch
    this.words = new Uint32Array(memory.buffer)
    this.steering = plan.map.steering
    this.hybrid = plan.strategy === 'hybrid'
    this.replay = epoch.replay ?? artifact.replay ?? 1
    this.voteEvery = voteEvery(epoch)
    this.column(steeringLayout.voteEvery, 1)[0] = this.voteEvery
    const state = stateMemory(memory.buffer)
    this.shards = new Shards(
      { layout, keys: keys!, fields: fields! },
      plan.map.state.map(base => ({ memory: state, base })),
    )
  }

  /** True if an epoch is over, when so many packets have been received. */
  due(received: number): boolean {
    const { packets, milliseconds } = this.epoch
    if (packets !== undefined && received - this.packets >= packets) return true
    return milliseconds !== undefined && performance.now() - this.time >= milliseconds
  }

  /** Ends an epoch. No worker may be running; `time` is that of the last packet, ns. */
  rebalance(received: number, time: bigint): void {
    const began = performance.now()
    const { shards, plan } = this
    const loads = Array.from(this.column(steeringLayout.loads, indirectionEntries))
    const { owners, heavy: held } = shards
    const votes = this.hybrid ? this.votes() : []
    const options = this.epoch.balance ?? { before: this.before }
    const { promoted, demoted, moves } = this.hybrid
      ? judge({
          votes,
          scale: this.voteEvery,
          loads,
          owners,
          workers: plan.workers,
          heavy: held,
          room: shards.roomy,
          replay: this.replay,
          balance: options,
        })
      : { promoted: [], demoted: [], moves: balance(loads, owners, plan.workers, options) }
    const change = { demoted, moves, promoted }
    // What the next epoch compares with: a key that has become heavy will not be in its loads.
    this.before = loads
    for (const { hash, count } of votes)
      if (promoted.includes(hash))
        loads[hash % indirectionEntries] -= Math.min(loads[hash % indirectionEntries], count * this.voteEvery)
    if (demoted.length + moves.length + promoted.length > 0) {
      const entries = shards.apply(change, time)
      this.column(steeringLayout.indirection, indirectionEntries).set(shards.owners)
      const heavy = this.column(steeringLayout.heavy, heavySlots).fill(0)
      for (const hash of shards.heavy) heavy[hash % heavySlots] = hash
      this.column(steeringLayout.heavyCount, 1)[0] = shards.heavy.size
      this.handovers.push({ after: received, time, ...change, entries })
    }
    this.column(steeringLayout.loads, indirectionEntries).fill(0)
    this.column(steeringLayout.votes, 2 * voteSlots).fill(0)
    this.epochs++
    this.packets = received
    this.time = performance.now()
    this.paused += this.time - began
  }

  get report(): RebalancingReport {
    const { epochs, handovers, paused } = this
    const sum = (of: (h: Handover) => number): number => handovers.reduce((total, h) => total + of(h), 0)
    return {
      epochs,
      migrations: sum(h => h.moves.length),
      promotions: sum(h => h.promoted.length),
      demotions: sum(h => h.demoted.length),
      entries: sum(h => h.entries),
      pausedMilliseconds: paused,
      handovers,
    }
  }

  private votes(): Vote[] {
    const words = this.column(steeringLayout.votes, 2 * voteSlots)
    const votes: Vote[] = []
    for (let slot = 0; slot < words.length; slot += 2)
      if (words[slot + 1] > 0) votes.push({ hash: words[slot], count: words[slot + 1] })
    return votes
  }

  private column(offset: number, words: number): Uint32Array {
    return this.words.subarray((this.steering + offset) / 4, (this.steering + offset) / 4 + words)
  }
}
