// Carries a plan out: reads packets into slabs, sequences them, lets the workers run, collects in order.
//
// One thread reads, sequences and collects; workers only see slabs. A slab is reused when all workers have done it
// and it has been collected, so memory is bounded whatever the input's length, and a slow worker holds the reader
// back. Nothing here runs per packet. Promises: received = sum of verdicts + drops; a worker's crash ends the run with
// its reason; whatever way it ends, no thread is left.

import type { Batch, Selection, Sink, Source } from '../device/device.js'
import { clearBlock } from '../state/block.js'
import { stateMemory } from '../state/memory.js'
import { slabHandover } from '../strategy/handover.js'
import { makeHeavyFlush } from '../strategy/hybrid-with-recovery.js'
import { steeringBlock } from '../strategy/steering.js'
import type { Strategy } from '../strategy/strategy.js'
import type { Artifact } from './artifact.js'
import { target } from '../backend/wasm/loops/deal.js'
import { ring } from '../backend/wasm/loops/value.js'
import { context } from '../backend/wasm/memory.js'
import { threadCrew, timeOfDay, virtualCrew } from './crew.js'
import type { BusyClock, Crew, Worked } from './crew.js'
import { descriptor, descriptorBytes } from '../device/slab.js'
import { prepareHandover } from './in-band.js'
import { controlWord } from './memory.js'
import type { EngineSlab } from './memory.js'
import { framesOf, mostWorkers } from './plan.js'
import type { Plan } from './plan.js'
import { Reordering } from './reordering.js'
import type { ReorderingReport } from './reordering.js'
import { Rebalancer } from './rebalance.js'
import type { Epoch, Lossy, RebalancingReport } from './rebalance.js'
import { prepareRecovery, recoveryReport } from './recovery.js'
import type { RecoveryReport } from './recovery.js'
import { Reviser } from './revision.js'
import type { Revision } from './revision.js'
import { makeMemory } from './make-memory.js'
import { makeStage } from './stage.js'
import type { StageParts } from './stage.js'
import { loseFrames } from './transport.js'
import type { Loss } from './transport.js'

/** Called for every collected slab, in order of sequence numbers; the slab is valid only during the call. */
export type Collect = (
  slab: EngineSlab,
  count: number,
  firstSequence: bigint,
  memory: WebAssembly.Memory,
) => void

export interface Input {
  /** Memory that is there already, of at least the plan's pages and zero: where a source has rings in it. */
  readonly memory?: WebAssembly.Memory
  /** Makes the source over the run's memory; `workspace` is an address for the source alone. */
  readonly open: (memory: WebAssembly.Memory, workspace: number) => Source
  readonly sinks?: readonly {
    readonly make: (memory: WebAssembly.Memory, workspace: number, origin: Source) => Sink
    readonly selection: Selection
  }[]
  readonly collect?: Collect
  /** Given once, before the first slab: what each worker has done so far, whenever it is asked. */
  readonly watch?: (workers: () => { readonly packets: number; readonly replayed: number }[]) => void
  /** Told after each slab how many packets have been collected. */
  readonly progress?: (packets: number, source: Source) => void
  /** Which frames the transport to the workers loses. */
  readonly loss?: Loss
  /** Of a strategy that rebalances: how long an epoch is. */
  readonly epoch?: Epoch
  /** Changes of rules and settings, in order; the plan must have been made with them. */
  readonly revisions?: readonly Revision[]
  /**
   * By which the busy times of virtual workers, reading and sequencing are taken; the time of day if absent. A thread's
   * processor time leaves out what others use.
   */
  readonly clock?: BusyClock
  /** Told of what reading, sequencing and each virtual worker took, slab by slab. */
  readonly worked?: Worked
  /** Asked before each slab: true ends the run cleanly, with everything collected so far. */
  readonly stopped?: () => boolean
}

export interface WorkerReport {
  /** Packets that were the worker's own; items it fast-forwarded; milliseconds in compiled code. */
  readonly packets: number
  readonly replayed: number
  readonly busyMilliseconds: number
}

export interface RunResult {
  readonly received: number
  readonly receivedBytes: number
  /** Packets and captured bytes by XDP verdict number 0 to 4. */
  readonly verdicts: readonly { readonly packets: number; readonly bytes: number }[]
  readonly counters: Readonly<Record<string, bigint>>
  /** From when all workers were ready to when everything was collected and written; not how long threads take to start and end. */
  readonly seconds: number
  readonly workers: readonly WorkerReport[]
  /** The memory as the run left it: state, for dumps. */
  readonly memory: WebAssembly.Memory
  readonly source: Source
  readonly sinks: readonly Sink[]
  /** What moved between workers; absent unless the strategy rebalances. */
  readonly rebalancing?: RebalancingReport
  /** Changes of rules and settings that took place. */
  readonly revisions: number
  /** Frames that the transport lost; absent if it loses none. */
  readonly lost?: number
  /** What loss recovery did; absent without it. */
  readonly recovery?: RecoveryReport
  /** What spraying did to the order of packets that were not dropped; absent where nothing could be reordered. */
  readonly reordering?: ReorderingReport
  /** Milliseconds that the calling thread spent on reading, and on sequencing or steering. */
  readonly readMilliseconds: number
  readonly sequencerMilliseconds: number
  /** Milliseconds from the call to the first packets' verdicts. */
  readonly firstPacketMilliseconds: number
}

/** Milliseconds after which the event loop gets a turn, so that signals are served where workers do not wait for one. */
const turnEvery = 20

/** Runs to the end of the source. Rejects with WorkerFailure if a worker crashes. */
export async function start(
  artifact: Artifact,
  plan: Plan,
  strategy: Strategy,
  input: Input,
  rules?: Uint8Array,
): Promise<RunResult> {
  const { map } = plan
  const began = performance.now()
  const memory = input.memory ?? makeMemory(map.pages)
  const view = new DataView(memory.buffer)
  prepareMemory(artifact, plan, memory, rules)
  const parts: StageParts = {
    memory,
    module: new WebAssembly.Module(artifact.wasm),
    strategy: strategy.name,
    ...(strategy.history && { history: strategy.history }),
    ...(strategy.recovery && { recovery: true }),
    ...(strategy.sharing && { sharing: strategy.sharing }),
    ...(framesOf(artifact, strategy) && { item: framesOf(artifact, strategy)! }),
  }
  const stage = makeStage(parts, map)
  const clock = input.clock ?? timeOfDay
  const since = (began: number): number => clock.now() - began - clock.cost
  const source = input.open(memory, map.workspaces[0])
  const sinks = (input.sinks ?? []).map((s, i) => ({
    sink: s.make(memory, map.sinkWorkspaces[i], source),
    selection: s.selection,
  }))
  const crew: Crew =
    plan.crew === 'threads'
      ? threadCrew(parts, map)
      : virtualCrew(
          parts,
          map,
          strategy,
          plan.crew === 'virtual' && !plan.wholeSlabs ? Number(plan.seed & 0xffffffffn) : undefined,
          clock,
          input.worked,
        )
  await crew.ready()
  const started = performance.now()
  let firstPacket = 0
  let ending = 0
  let received = 0
  let receivedBytes = 0
  let lost = 0
  let readTime = 0
  let sequencerTime = 0
  const own = map.contexts.map(() => 0)
  input.watch?.(() =>
    map.contexts.map((at, w) => ({
      packets: own[w],
      replayed: Number(view.getBigUint64(at + context.replayed, true)),
    })),
  )
  const lossy: Lossy | undefined =
    input.loss || strategy.recovery
      ? {
          ...(input.loss && { loss: input.loss }),
          ...(strategy.recovery && { flush: () => void makeHeavyFlush(stage) }),
          stopped: () => map.contexts.some(at => view.getUint32(at + context.stopped, true) === 1),
        }
      : undefined
  const rebalancer = strategy.rebalances
    ? new Rebalancer(artifact, plan, memory, input.epoch, lossy)
    : undefined
  const reviser = new Reviser(plan, input.revisions ?? [])
  const reordering = new Reordering()
  /** Slabs published and not yet collected, oldest first. */
  const open: { k: number; batch: Batch; first: bigint }[] = []
  const collect = async (): Promise<void> => {
    const { k, batch, first } = open.shift()!
    const slab = map.slabs[k % map.slabs.length]
    await crew.done(k)
    if (!firstPacket) firstPacket = performance.now() - began
    strategy.collect?.(stage, slab, batch.count, first)
    stage.loops.tally(slab.descriptors, batch.count, map.tally)
    countOwn(own, strategy, stage.words, slab, batch.count, first)
    for (const { sink, selection } of sinks) sink.write(slab, batch.count, selection)
    if (slab.stamps && k % sampleEvery === 0) reordering.add(stage.words, slab, batch.count)
    input.collect?.(slab, batch.count, first, memory)
    input.progress?.(received, source)
  }
  /** Until all workers have done slab `k`. */
  const collectTo = async (k: number): Promise<void> => {
    while (open.length && open[0].k <= k) await collect()
  }
  let finished = false
  let turned = started
  /** The next slab's number. Only one with packets or messages takes it: workers take every number that was published. */
  let k = 0
  const post = async (workers: number): Promise<void> => {
    const { header } = map.slabs[k % map.slabs.length]
    for (const at of [0, 4]) view.setUint32(header + at, 0, true)
    view.setUint32(header + slabHandover, workers, true)
    crew.publish(k)
    await crew.done(k++)
  }
  try {
    while (!finished) {
      if (performance.now() - turned > turnEvery) {
        await new Promise(resolve => setImmediate(resolve))
        turned = performance.now()
      }
      while (reviser.due(received)) {
        while (open.length) await collect()
        rebalancer?.giveUp()
        strategy.flush?.(stage, plan.firstSequence + BigInt(received))
        reviser.apply(memory)
      }
      if (open.length === map.slabs.length) await collect()
      if (input.stopped?.()) break
      const handsOver = await rebalancer?.begin(k, received, collectTo, post)
      const slab = map.slabs[k % map.slabs.length]
      const reading = clock.now()
      const capacity = rebalancer?.room(slab.capacity) ?? slab.capacity
      const batch = source.read({ ...slab, capacity: reviser.room(received, capacity) })
      const read = since(reading)
      readTime += read
      input.worked?.('reader', read)
      finished = batch.end
      if (batch.count === 0) {
        // A live source has nothing at the moment: what is done is not kept waiting for what comes next.
        while (open.length) await collect()
        continue
      }
      const first = plan.firstSequence + BigInt(received)
      view.setUint32(slab.header, batch.count, true)
      view.setUint32(slab.header + 4, Number(slab.stamps > 0 && k % sampleEvery === 0), true)
      view.setBigUint64(slab.header + 8, first, true)
      view.setUint32(slab.header + slabHandover, handsOver === true ? everyWorker : 0, true)
      const sequencing = clock.now()
      strategy.prepare(stage, slab, batch.count, first)
      rebalancer?.prepared(stage, slab, batch.count, first, lastTime(view, slab, batch.count))
      const sequenced = since(sequencing)
      sequencerTime += sequenced
      input.worked?.('sequencer', sequenced)
      if (input.loss) lost += loseFrames(stage, strategy, slab, batch.count, first, input.loss)
      received += batch.count
      receivedBytes += batch.bytes
      crew.publish(k)
      open.push({ k, batch, first })
      k++
    }
    while (open.length) await collect()
    strategy.flush?.(stage, plan.firstSequence + BigInt(received))
  } finally {
    const stopping = performance.now()
    await crew.close().catch((error: unknown) => {
      if (finished) throw error
    })
    ending = performance.now() - stopping
    source.close()
    for (const { sink } of sinks) sink.close()
  }
  const seconds = (performance.now() - started - ending) / 1000
  const { busy } = await crew.close()
  const word = (at: number): number => Number(view.getBigUint64(at, true))
  return {
    received,
    receivedBytes,
    verdicts: Array.from({ length: 5 }, (_, v) => ({
      packets: word(map.tally + 16 * v),
      bytes: word(map.tally + 16 * v + 8),
    })),
    counters: Object.fromEntries(
      artifact.counters.map((c, i) => [
        c.name,
        map.counters.reduce((sum, at) => BigInt.asUintN(64, sum + view.getBigUint64(at + 8 * i, true)), 0n),
      ]),
    ),
    seconds,
    workers: map.contexts.map((at, w) => ({
      packets: own[w],
      replayed: word(at + context.replayed),
      busyMilliseconds: busy[w],
    })),
    memory,
    source,
    sinks: sinks.map(s => s.sink),
    revisions: reviser.done,
    ...(rebalancer && { rebalancing: rebalancer.report }),
    ...(plan.recovery && { recovery: recoveryReport(view, map.contexts, lost) }),
    ...(input.loss && { lost }),
    ...(plan.crew === 'threads' && { reordering: reordering.report }),
    readMilliseconds: readTime,
    sequencerMilliseconds: sequencerTime,
    firstPacketMilliseconds: firstPacket,
  }
}

/** A bit for each worker there may be. */
const everyWorker = 2 ** mostWorkers - 1

/** The time of a slab's last packet, ns. */
const lastTime = (view: DataView, slab: EngineSlab, count: number): bigint =>
  view.getBigUint64(slab.descriptors + (count - 1) * descriptorBytes + descriptor.timestamp, true)

/** One slab in so many has its finishing order noted: enough to see reordering, too little to cost anything. */
const sampleEvery = 16

/** Writes contexts, settings, rules and fresh state. */
export function prepareMemory(
  artifact: Artifact,
  plan: Plan,
  memory: WebAssembly.Memory,
  rules?: Uint8Array,
): void {
  const { map, seed } = plan
  const view = new DataView(memory.buffer)
  plan.settings.forEach(({ value }, i) =>
    view.setBigUint64(map.settings + 8 * i, BigInt.asUintN(64, value), true),
  )
  if (rules) new Uint8Array(memory.buffer).set(rules, map.rules)
  if (plan.map.steering)
    new Uint8Array(memory.buffer).set(steeringBlock(artifact.steering!, plan.workers), map.steering)
  for (const at of map.state) clearBlock(stateMemory(memory.buffer), at, artifact.stateLayout, seed)
  map.contexts.forEach((at, w) => {
    view.setUint32(at + context.state, map.state[map.state.length === 1 ? 0 : w], true)
    view.setUint32(at + context.rules, map.rules, true)
    view.setUint32(at + context.settings, map.settings, true)
    view.setUint32(at + context.counters, map.counters[w], true)
    view.setBigUint64(at + context.seed, seed, true)
    view.setUint32(at + context.steering, map.steering, true)
    view.setUint32(at + context.clock, map.control + 4 * controlWord.clock, true)
    view.setBigUint64(at + context.last, plan.firstSequence - 1n, true)
    view.setUint32(at + context.worker, w, true)
    if (plan.recovery) prepareRecovery(view, at, plan)
    view.setUint32(at + context.workers, map.contexts.length, true)
  })
  if (plan.map.ring) view.setBigUint64(plan.map.ring + ring.next, plan.firstSequence, true)
  prepareHandover(view, plan)
}

/** Adds what each worker had of a slab. */
function countOwn(
  own: number[],
  strategy: Strategy,
  words: Uint32Array,
  slab: EngineSlab,
  count: number,
  first: bigint,
): void {
  const n = own.length
  if (strategy.steered && strategy.recovery) {
    const targets = new Uint8Array(words.buffer, slab.effects, count)
    for (const of of targets) own[of & target.workerMask]++
    return
  }
  const listed = (list: number): number => words[(slab.lists + list * slab.listBytes) >>> 2]
  if (strategy.steered) for (let w = 0; w < n; w++) own[w] += listed(w)
  const inTurn = strategy.replicatesHeavy ? listed(n) : strategy.steered ? 0 : count
  if (inTurn === 0) return
  // Round-robin: the packet of sequence number s is worker s mod n's; of heavy packets, the first one of a slab.
  const start = Number(first % BigInt(n))
  for (let w = 0; w < n; w++) own[w] += Math.floor((inTurn - 1 - ((w - start + n) % n)) / n) + 1
}
