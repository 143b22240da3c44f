// RSS++ and hybrid at run time: at the end of an epoch the loads of the buckets decide which of them change their worker,
// and the votes decide which keys all workers have. Their state goes with them.
//
// In the stream of packets where items can be made of them (in-band.ts). Otherwise between two slabs, when all that was
// handed out has been done: no packet is between two workers then. So too where frames may be lost, by messages that are
// repeated (messages.ts). Epochs are counted in packets, so that a run can be
// repeated, or in milliseconds, as a NIC's driver would. The decisions are strategy/balance.ts and strategy/heavy.ts.

import { stateMemory } from '../state/memory.js'
import { balance } from '../strategy/balance.js'
import type { BalanceOptions } from '../strategy/balance.js'
import { judge } from '../strategy/heavy.js'
import type { Vote } from '../strategy/heavy.js'
import type { Stage } from '../strategy/strategy.js'
import { heavySlots, indirectionEntries, steeringLayout, voteSlots } from '../strategy/toeplitz.js'
import type { Artifact } from './artifact.js'
import { Shards } from './handover.js'
import type { Change } from './handover.js'
import { InBand } from './in-band.js'
import type { Settled } from './in-band.js'
import { Messages, tries } from './messages.js'
import type { Post } from './messages.js'
import type { Loss } from './transport.js'
import type { EngineSlab } from './memory.js'
import { valueSlabPackets } from './plan.js'
import type { Plan } from './plan.js'

export interface Epoch {
  readonly packets?: number
  readonly milliseconds?: number
  /** Of hybrid: what replaying an item costs, as a share of processing its packet; the compiler's estimate if left out. */
  readonly replay?: number
  /** When buckets move; left out, also the epoch before has a say, and in which keys become light (strategy/balance.ts, heavy.ts). */
  readonly balance?: BalanceOptions
}
export const defaultEpoch: Epoch = { packets: 65_536 }

/** Votes that tell a heavy key from others: one with half of a sixteenth of the packets still has 32. */
const enoughVotes = 1_024
/** One packet in how many votes. Odd: traffic that repeats itself after an even number of packets is sampled all the same. */
const voteEvery = ({ packets }: Epoch): number =>
  1 + 2 * Math.floor(Math.min(packets ?? 65_536, 65_536) / enoughVotes / 2)

/**
 * Where fewer packets than this share are light, slabs are as short as replication by value has them: every worker reads the
 * items of all, and they should stay in a core's cache.
 */
const lightShare = 0.1

const none: ReadonlySet<number> = new Set()
const isSome = ({ demoted, moves, promoted }: Change): boolean =>
  demoted.length + moves.length + promoted.length > 0
const sumOf = (numbers: readonly number[]): number => numbers.reduce((sum, n) => sum + n, 0)

/** State that changed hands: packets received before it, the time of the last of them (ns), and what changed. */
export interface Handover extends Change {
  readonly after: number
  readonly time: bigint
  /** By messages to workers: the same of where the state was asked for, whose value it is. */
  readonly asked?: { readonly after: number; readonly time: bigint }
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
  /** Requests that were given up, because there was no room for what they asked for or kept. */
  readonly givenUp: number
  /** Milliseconds in which the workers stood still for it: none where state changes hands in the stream. */
  readonly pausedMilliseconds: number
  readonly handovers: readonly Handover[]
  /** Where frames may be lost: numbers of packets after which workers were sent what they lacked of heavy keys. */
  readonly flushes: readonly number[]
}

/** What a rebalancer is told of a transport that may lose frames. */
export interface Lossy {
  readonly loss?: Loss
  /** Writes the flush of heavy items; absent where no key is ever heavy. */
  readonly flush?: () => void
  /** Whether a worker has given up: its state is behind for ever, and none changes hands any more. */
  readonly stopped: () => boolean
}

export class Rebalancer {
  private readonly words: Uint32Array
  private readonly steering: number
  /** Who owns which bucket, and which keys are heavy; and the state, where it changes hands at a barrier. */
  private readonly shards: Shards
  private readonly inBand: InBand | undefined
  private readonly messages: Messages | undefined
  private readonly lossy: Lossy | undefined
  private readonly handovers: Handover[] = []
  private readonly flushes: number[] = []
  private epochs = 0
  private givenUp = 0
  private paused = 0
  /** Packets before this epoch; and of it, before the present slab. */
  private packets = 0
  private sinceEpoch = 0
  /** Loads of the last epoch; of none at first, which confirms nothing. */
  private before: readonly number[] = Array.from({ length: indirectionEntries }, () => 0)
  /** Heavy keys that paid in it. */
  private stood = none
  private began = performance.now()
  /** The last slab that was begun, and whether state changes hands at its beginning. */
  private slab = -1
  private handsOver = false
  /** Hardly any packet is of a light key, once the keys that are to be heavy are. */
  private mostlyHeavy = false
  /** Of the last packet so far, ns. */
  private time = 0n
  private readonly plan: Plan
  private readonly epoch: Epoch
  private readonly hybrid: boolean
  private readonly replay: number
  private readonly voteEvery: number

  /** `lossy` if frames to the workers may be lost. */
  constructor(
    artifact: Artifact,
    plan: Plan,
    memory: WebAssembly.Memory,
    epoch: Epoch = defaultEpoch,
    lossy?: Lossy,
  ) {
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
    this.inBand = plan.map.handover ? new InBand(layout, plan, memory) : undefined
    this.lossy = lossy
    this.messages = lossy && this.inBand ? new Messages(plan, memory, lossy.loss) : undefined
  }

  /**
   * Before slab `k` is filled, after so many packets: ends an epoch if it is time. Answers whether state changes hands at the
   * beginning of the slab. `done` waits until all workers have done the slabs up to one; `post` is for messages, where frames may
   * be lost.
   */
  async begin(
    k: number,
    received: number,
    done: (slab: number) => Promise<void>,
    post: Post,
  ): Promise<boolean> {
    const { inBand, messages } = this
    // A source that had nothing is asked again for the same slab.
    if (k === this.slab) return this.handsOver
    this.slab = k
    this.handsOver = false
    this.sinceEpoch = received - this.packets
    if (messages) {
      if (!this.due(received)) return false
      await done(k)
      await this.exchange(messages, received, post)
    } else if (inBand?.answersAt(k)) {
      await done(inBand.asked!.slab)
      this.settled(inBand.settle(k, received), received)
    } else if (!inBand?.asked && this.due(received)) {
      await done(inBand ? inBand.last : k)
      this.endEpoch(received)
    }
    return this.handsOver
  }

  /** How many packets the next slab may have. */
  room(capacity: number): number {
    const small = this.mostlyHeavy && this.shards.heavy.size > 0 ? valueSlabPackets : capacity
    // An epoch ends with a slab.
    const left = this.inBand?.asked ? Infinity : this.epochPackets - this.sinceEpoch
    const most = Math.max(1, Math.min(capacity, small, left))
    return this.inBand?.slabRoom(most, this.epoch.packets) ?? most
  }

  /** A slab has been filled and prepared; `time` is that of its last packet, ns. */
  prepared(stage: Stage, slab: EngineSlab, count: number, seq: bigint, time: bigint): void {
    this.inBand?.keep(stage, slab, count, seq)
    this.time = time
  }

  /** Gives up what was asked for and has not been answered: rules or settings are about to change, and items were made with the old. */
  giveUp(): void {
    if (!this.inBand?.asked) return
    this.inBand.asked = undefined
    this.givenUp++
  }

  get report(): RebalancingReport {
    const { epochs, handovers, flushes, paused, givenUp } = this
    const sum = (of: (h: Handover) => number): number => handovers.reduce((total, h) => total + of(h), 0)
    return {
      epochs,
      migrations: sum(h => h.moves.length),
      promotions: sum(h => h.promoted.length),
      demotions: sum(h => h.demoted.length),
      entries: sum(h => h.entries),
      givenUp,
      pausedMilliseconds: paused,
      handovers,
      flushes,
    }
  }

  /** True if an epoch is over, when so many packets have been received. */
  private due(received: number): boolean {
    const { milliseconds } = this.epoch
    if (received - this.packets >= this.epochPackets) return true
    return milliseconds !== undefined && received > 0 && performance.now() - this.began >= milliseconds
  }

  /** Packets of an epoch. The first one of hybrid is an eighth: what is plainly heavy need not wait, and no bucket moves yet. */
  private get epochPackets(): number {
    const { packets = Infinity } = this.epoch
    return this.hybrid && this.epochs === 0 ? Math.ceil(packets / 8) : packets
  }

  private endEpoch(received: number): void {
    const began = performance.now()
    const { time, inBand } = this
    const change = this.judge()
    if (inBand) {
      // Also to see whether tables have room again.
      if (isSome(change) || (this.hybrid && !inBand.room)) {
        this.ask(inBand, received, change)
        this.handsOver = true
      }
    } else if (isSome(change)) {
      const entries = this.shards.apply(change, time)
      this.steer()
      this.handovers.push({ after: received, time, ...change, entries })
    }
    this.nextEpoch(received)
    if (!inBand) this.paused += this.began - began
  }

  /** The end of an epoch where frames may be lost: all workers have done what they got, and packets wait until it is over. */
  private async exchange(messages: Messages, received: number, post: Post): Promise<void> {
    const began = performance.now()
    const inBand = this.inBand!
    const change = this.judge()
    if ((isSome(change) || (this.hybrid && !inBand.room)) && !this.lossy!.stopped()) {
      if (!(await this.ready(inBand, messages, received, post))) this.givenUp++
      else {
        this.ask(inBand, received, change)
        await messages.insist(post)
        this.settled(inBand.settle(this.slab, received), received)
        if (this.handsOver) await messages.insist(post)
        this.handsOver = false
      }
    }
    this.nextEpoch(received)
    this.paused += this.began - began
  }

  /** Whether all workers can be reached; and of hybrid, whether their states have seen all heavy packets. */
  private async ready(inBand: InBand, messages: Messages, received: number, post: Post): Promise<boolean> {
    const { flush, stopped } = this.lossy!
    flush?.()
    // Twice: when every worker has the flush in its log, nothing is undecided any more.
    for (let round = 0; round < (flush ? 2 : 1); round++) {
      inBand.ready(flush !== undefined)
      const { all, reached } = await messages.deliver(post, tries.begin)
      if (flush && reached && round === 0) this.flushes.push(received)
      if (!all || stopped()) return false
    }
    return true
  }

  /** Asks owners for what is to change hands; keys become light at once. */
  private ask(inBand: InBand, received: number, change: Change): void {
    const { time, slab } = this
    const { demoted } = change
    inBand.ask(slab, received, time, change, this.shards.owners)
    if (demoted.length === 0) return
    for (const hash of demoted) this.shards.heavy.delete(hash)
    this.steer()
    this.handovers.push({ after: received, time, demoted, moves: [], promoted: [], entries: 0 })
  }

  private nextEpoch(received: number): void {
    this.clearCounts()
    this.epochs++
    this.packets = received
    this.sinceEpoch = 0
    this.began = performance.now()
  }

  private settled({ entries, after, time, change }: Settled, received: number): void {
    // What was counted meanwhile is of the time before; the next epoch is all of one kind.
    this.clearCounts()
    if (entries === undefined) {
      this.givenUp++
      return
    }
    const { moves, promoted } = change
    if (moves.length + promoted.length === 0) return
    for (const { bucket, to } of moves) this.shards.owners[bucket] = to
    for (const hash of promoted) this.shards.heavy.add(hash)
    this.steer()
    this.handsOver = true
    const asked = { after, time }
    this.handovers.push({ after: received, time: this.time, asked, demoted: [], moves, promoted, entries })
  }

  /** What should change after this epoch. */
  private judge(): Change {
    const { shards, plan } = this
    const loads = Array.from(this.column(steeringLayout.loads, indirectionEntries))
    const { owners, heavy: held } = shards
    const votes = this.hybrid ? this.votes() : []
    const confirmed = this.epoch.balance === undefined
    const options = this.epoch.balance ?? { before: this.before }
    const { promoted, demoted, moves, stood } = this.hybrid
      ? judge({
          votes,
          scale: this.voteEvery,
          loads,
          owners,
          workers: plan.workers,
          heavy: held,
          room: this.inBand?.room ?? shards.roomy,
          replay: this.replay,
          balance: options,
          ...(confirmed && { stood: this.stood }),
        })
      : { promoted: [], demoted: [], moves: balance(loads, owners, plan.workers, options), stood: none }
    this.stood = stood
    const countOf = (keys: readonly number[]): number =>
      votes.reduce((sum, v) => sum + (keys.includes(v.hash) ? v.count * this.voteEvery : 0), 0)
    const light = sumOf(loads) - countOf(promoted) + countOf(demoted)
    this.mostlyHeavy = light < lightShare * (sumOf(loads) + countOf([...held]))
    // What the next epoch compares with: a key that has become heavy will not be in its loads.
    this.before = loads
    for (const { hash, count } of votes)
      if (promoted.includes(hash))
        loads[hash % indirectionEntries] -= Math.min(loads[hash % indirectionEntries], count * this.voteEvery)
    return { demoted, moves, promoted }
  }

  /** Has the sequencer steer by who owns what now. */
  private steer(): void {
    const { shards } = this
    this.column(steeringLayout.indirection, indirectionEntries).set(shards.owners)
    const heavy = this.column(steeringLayout.heavy, heavySlots).fill(0)
    for (const hash of shards.heavy) heavy[hash % heavySlots] = hash
    this.column(steeringLayout.heavyCount, 1)[0] = shards.heavy.size
  }

  private clearCounts(): void {
    this.column(steeringLayout.loads, indirectionEntries).fill(0)
    this.column(steeringLayout.votes, 2 * voteSlots).fill(0)
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
