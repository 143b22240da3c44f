// RSS++ at run time: at the end of an epoch the loads of the buckets decide which of them change their worker, and
// their state goes with them.
//
// Between two slabs, when all that was handed out has been done: no packet is between two workers then. Epochs are
// counted in packets, so that a run can be repeated, or in milliseconds, as a NIC's driver would. The optimisation is
// strategy/balance.ts, the hand-over handover.ts.

import { stateMemory } from '../state/memory.js'
import { balance } from '../strategy/balance.js'
import type { Move } from '../strategy/balance.js'
import { indirectionEntries, steeringLayout } from '../strategy/toeplitz.js'
import type { Artifact } from './artifact.js'
import { handOver } from './handover.js'
import type { Plan } from './plan.js'

export interface Epoch {
  readonly packets?: number
  readonly milliseconds?: number
}
export const defaultEpoch: Epoch = { packets: 65_536 }

/** What happened at the end of an epoch in which something moved. */
export interface Handover {
  /** Packets received before it. */
  readonly after: number
  /** The time of the last of them, ns. */
  readonly time: bigint
  readonly moves: readonly Move[]
  /** Entries that moved with them. */
  readonly entries: number
}

export interface RebalancingReport {
  readonly epochs: number
  /** Buckets that changed their worker, and entries that did. */
  readonly migrations: number
  readonly entries: number
  /** Milliseconds in which the workers stood still for it. */
  readonly pausedMilliseconds: number
  readonly handovers: readonly Handover[]
}

export class Rebalancer {
  private readonly words: Uint32Array
  private readonly handovers: Handover[] = []
  private epochs = 0
  private paused = 0
  private packets = 0
  private time = performance.now()
  private readonly artifact: Artifact
  private readonly plan: Plan
  private readonly memory: WebAssembly.Memory
  private readonly epoch: Epoch

  constructor(artifact: Artifact, plan: Plan, memory: WebAssembly.Memory, epoch: Epoch = defaultEpoch) {
    this.artifact = artifact
    this.plan = plan
    this.memory = memory
    this.epoch = epoch
    this.words = new Uint32Array(memory.buffer)
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
    const { map, workers } = this.plan
    const owners = this.column(map.steering + steeringLayout.indirection)
    const loads = this.column(map.steering + steeringLayout.loads)
    const moves = balance(loads, owners, workers)
    if (moves.length) {
      const memory = stateMemory(this.memory.buffer)
      const { stateLayout: layout, shardKeys: keys, steering: fields } = this.artifact
      const parts = { layout, keys: keys!, fields: fields! }
      const blocks = map.state.map(base => ({ memory, base }))
      const entries = handOver(parts, blocks, moves, time)
      for (const { bucket, to } of moves)
        this.words[(map.steering + steeringLayout.indirection) / 4 + bucket] = to
      this.handovers.push({ after: received, time, moves, entries })
    }
    this.words.fill(0, ...range(map.steering + steeringLayout.loads))
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
      entries: sum(h => h.entries),
      pausedMilliseconds: paused,
      handovers,
    }
  }

  private column(address: number): number[] {
    return Array.from(this.words.subarray(...range(address)))
  }
}

/** First and last + 1 word of a column of the steering block. */
const range = (address: number): [number, number] => [address / 4, address / 4 + indirectionEntries]
