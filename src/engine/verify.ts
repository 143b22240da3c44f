// Proves each strategy's contract on a capture: against the reference interpreter, packet by packet and byte by byte.
//
// single, replicated: verdicts, packet bytes, counters and every replica's state equal the serial run's. sharded: each
// worker equals the serial run of its own packets; where no table evicted or refused, verdicts also equal the whole
// serial run's and the shards together hold its state. shared: equal to the serial run in the order that
// commit-order.ts finds.
// Read serial.ts (the oracle) and packets.ts first.

import type { Program } from '../ir/types.js'
import { reasonOf, verdictNumber } from '../device/slab.js'
import { nanosecondsIn } from '../state/declaration.js'
import type { StateObject } from '../state/declaration.js'
import { clockSlack } from '../state/format.js'
import { describeDifference, diffDumps, diffStates } from '../state/diff.js'
import { dumpState, mergeDumps } from '../state/dump.js'
import { stateMemory } from '../state/memory.js'
import type { SharingForm, Strategy, StrategyName } from '../strategy/strategy.js'
import { PauseTooLong } from '../strategy/replicated-by-value.js'
import type { Artifact } from './artifact.js'
import { commitOrder } from './commit-order.js'
import { Shards } from './handover.js'
import type { Answers } from './handover.js'
import { digest, observe } from './observe.js'
import type { Observed, Outcome } from './observe.js'
import { dropWord } from '../backend/wasm/memory.js'
import type { Handover } from './rebalance.js'
import type { RecoveryReport } from './recovery.js'
import type { PacketStore } from './packets.js'
import type { RunOptions } from './plan.js'
import { Unreachable } from './messages.js'
import { Serial } from './serial.js'
import { dealtSurvivors, mayRecover, survivorsOf } from './survivors.js'
import type { Dealt } from './survivors.js'

/** Where an outcome first differs from what the contract demands. */
export interface Divergence {
  /** Number of the packet in the capture, from 0; absent if only state differs. */
  readonly packet?: number
  readonly worker?: number
  /** What differs, expected and found, in words. */
  readonly what: string
}

export interface Case {
  readonly strategy: StrategyName
  readonly cores: number
  /** Of a replicated run: how the history travelled. */
  readonly history?: 'reference' | 'value'
  /** Of a shared run: how workers were kept apart. */
  readonly sharing?: SharingForm
  readonly contract: string
  readonly packets: number
  /** Of a run that loses frames: how many; and what recovery did about it. */
  readonly lost?: number
  readonly recovery?: RecoveryReport
  /** Packets whose verdict or bytes differ, plus one if state differs. */
  readonly divergent: number
  readonly first?: Divergence
  /** Why the case could not run; then it proves nothing and does not count. */
  readonly skipped?: string
}

export interface Verification {
  /** Every case that ran fulfils its contract, and at least one ran. */
  readonly exact: boolean
  readonly cases: readonly Case[]
}

/** A program ready to verify: the oracle's IR and the artifact made of it. */
export interface Subject {
  readonly program: Program<StateObject>
  readonly artifact: Artifact
}

export interface VerifyOptions extends Omit<RunOptions, 'strategy' | 'cores' | 'virtual'> {
  readonly strategies: readonly Strategy[]
  readonly cores: readonly number[]
  /** Real threads instead of virtual workers. */
  readonly threads?: boolean
  readonly onCase?: (done: Case) => void
}

export async function verify(
  subject: Subject,
  store: PacketStore,
  options: VerifyOptions,
): Promise<Verification> {
  const serial = runSerial(subject, store, options)
  const cases: Case[] = []
  const { forms } = subject.artifact.sharing
  // A form of sharing that is not safe for the program is no case of it.
  const strategies = options.strategies.filter(s => !s.sharing || forms.includes(s.sharing))
  for (const strategy of strategies)
    for (const cores of strategy.name === 'single' ? [1] : options.cores) {
      const done = await verifyCase(subject, store, options, strategy, cores, serial)
      cases.push(done)
      options.onCase?.(done)
    }
  const ran = cases.filter(c => c.skipped === undefined)
  return { exact: ran.length > 0 && ran.every(c => c.divergent === 0), cases }
}

const allOf = (store: PacketStore): number[] => Array.from({ length: store.count }, (_, i) => i)

export interface SerialRun extends Outcome {
  readonly machine: Serial
  /** Revisions that have taken place. */
  revised: number
}

/** The serial run over packets of the store, in the order given. Outcomes stand at the packets' own numbers. */
export function runSerial(
  subject: Subject,
  store: PacketStore,
  options: VerifyOptions,
  order: readonly number[] = allOf(store),
  /** Packets that the program's counters are about; all if left out. */
  counted?: (index: number) => boolean,
): SerialRun {
  const { artifact, program } = subject
  const { settings, rules, seed = 1n, revisions = [] } = options
  const machine = new Serial(program, {
    stateLayout: artifact.stateLayout,
    rulesLayout: artifact.rulesLayout,
    seed,
    ...(settings && { settings }),
    ...(rules && { rules, rulesBytes: Math.max(...revisions.map(r => r.rules?.length ?? 0)) }),
  })
  const verdicts = new Uint32Array(store.count)
  const digests = new Uint32Array(store.count)
  const run = { machine, verdicts, digests, revised: 0 }
  for (const i of order) {
    if (counted) machine.counting = counted(i)
    stepSerial(run, store, i, options)
  }
  return run
}

/** One packet more. */
function stepSerial(
  run: SerialRun,
  store: PacketStore,
  i: number,
  { firstSequence = 1n, revisions = [] }: VerifyOptions,
): void {
  const { machine, verdicts, digests } = run
  for (; run.revised < revisions.length && revisions[run.revised].after <= i; run.revised++)
    machine.revise(revisions[run.revised])
  const packet = { ...store.packet(i), sequence: firstSequence + BigInt(i) }
  verdicts[i] = machine.process(packet)
  digests[i] = digest(packet.bytes, 0, packet.bytes.length)
}

/**
 * The serial runs of all shards side by side: each over the packets that were steered to it and those of heavy keys, with
 * the state that was handed over where it was. Under loss, over those that survived, of which some are not counted.
 */
function runShards(
  subject: Subject,
  store: PacketStore,
  options: VerifyOptions,
  { worker, heavy, blocks, kept, result }: Observed,
  survived?: readonly boolean[],
  counted?: (n: number) => boolean,
): SerialRun[] {
  const { stateLayout: layout, shardKeys: keys, steering: fields } = subject.artifact
  const runs = blocks.map(() => runSerial(subject, store, options, []))
  const shards = new Shards(
    { layout, keys: keys!, fields: fields! },
    runs.map(({ machine }) => ({ memory: machine.memory, base: 0 })),
  )
  const { firstSequence = 1n } = options
  const handovers = [...(result.rebalancing?.handovers ?? [])]
  const answers = new Map<Handover, Answers>()
  for (let n = 0; n <= store.count; n++) {
    while (handovers[0]?.after === n) {
      const change = handovers.shift()!
      if (!change.asked) shards.apply(change, change.time)
      else {
        // Where frames may be lost, packets wait in between.
        shards.takeIn(change, answers.get(change) ?? shards.answers(change, change.asked.time))
        for (const { sequence, workers } of kept.get(n) ?? [])
          runs.forEach((run, w) => {
            run.machine.counting = false
            if ((workers >> w) & 1) stepSerial(run, store, Number(sequence - firstSequence), options)
          })
      }
    }
    for (const change of handovers)
      if (change.asked?.after === n) answers.set(change, shards.answers(change, change.asked.time))
    if (n === store.count) break
    if (survived?.[n] === false) continue
    runs.forEach((run, w) => {
      run.machine.counting = w === worker[n] && (counted?.(n) ?? true)
      if (w === worker[n] || heavy[n]) stepSerial(run, store, n, options)
    })
  }
  return runs
}

async function verifyCase(
  subject: Subject,
  store: PacketStore,
  options: VerifyOptions,
  strategy: Strategy,
  cores: number,
  serial: SerialRun,
): Promise<Case> {
  const base = {
    strategy: strategy.name,
    cores,
    ...(strategy.name === 'replicated' && { history: strategy.history ?? ('reference' as const) }),
    ...(strategy.sharing && { sharing: strategy.sharing }),
    contract:
      options.loss && !strategy.recovery
        ? `over the packets that arrived: ${strategy.contract}`
        : strategy.contract,
    packets: store.count,
  }
  const { artifact } = subject
  const found = await observe(artifact, store, {
    ...options,
    strategy,
    cores,
    virtual: options.threads !== true,
  }).catch((error: unknown) => {
    // Refused rather than wrong, like a program that cannot be replicated at all.
    if (error instanceof PauseTooLong || error instanceof Unreachable) return { error: error.message }
    throw error
  })
  if ('error' in found) return { ...base, divergent: 0, skipped: found.error }
  const check = new Comparison(subject, store, options, found)
  if (strategy.steered && (options.loss || strategy.recovery)) check.dealt(cores)
  else if (strategy.recovery) check.survivors(cores)
  else if (strategy.name === 'shared') check.shared()
  else if (strategy.steered) check.sharded(serial)
  else check.equal(serial)
  const { recovery, lost } = found.result
  return {
    ...base,
    ...(recovery && { recovery }),
    ...(lost !== undefined && { lost }),
    divergent: check.divergent,
    ...(check.first && { first: check.first }),
  }
}

/** Verdicts of packets that arrived at a worker which was behind. */
const behind: ReadonlySet<number> = new Set([dropWord.recovering, dropWord.unrecoverable, dropWord.late])

class Comparison {
  divergent = 0
  first: Divergence | undefined
  private readonly subject: Subject
  private readonly store: PacketStore
  private readonly options: VerifyOptions
  private readonly found: Observed

  constructor(subject: Subject, store: PacketStore, options: VerifyOptions, found: Observed) {
    this.subject = subject
    this.store = store
    this.options = options
    this.found = found
    const { received } = found.result
    if (received !== store.count) this.differ({ what: `${store.count} packets in, ${received} received` })
  }

  private differ(divergence: Divergence): void {
    this.divergent++
    if (this.first?.packet === undefined || (divergence.packet ?? Infinity) < this.first.packet)
      this.first ??= divergence
  }

  /** Verdicts and bytes of all packets, and every worker's state. */
  equal(serial: SerialRun): void {
    this.packets(serial)
    this.found.blocks.forEach((_, worker) => this.state(worker, serial.machine))
    this.counters([serial.machine])
  }

  /**
   * Under loss: the serial run over the packets that at least one delivered frame carries. A packet that arrived has
   * the verdict of that run, or was dropped because its worker was behind; one that did not was dropped as lost.
   */
  survivors(workers: number): void {
    const { store, options, found, subject } = this
    const { loss = () => false, firstSequence = 1n } = options
    const all = allOf(store)
    const delivered = all.map(n => !loss(firstSequence + BigInt(n)))
    const done = (n: number): boolean => delivered[n] && !behind.has(found.verdicts[n])
    const flushes = (options.revisions ?? []).map(r => r.after)
    const survived = survivorsOf(delivered, workers, flushes)
    const serial = runSerial(
      subject,
      store,
      options,
      all.filter(n => survived[n]),
      done,
    )
    this.packets(serial, all.filter(done))
    this.lost(delivered)
    this.gaveUp()
    found.blocks.forEach((_, worker) => this.state(worker, serial.machine))
    this.counters([serial.machine])
  }

  /**
   * Under loss, where a hash picks the worker: light packets survive in their own frame, heavy ones as items too; a light one that
   * its worker dropped because it was behind has been nowhere. What is left is compared as without loss.
   */
  dealt(workers: number): void {
    const { store, options, found } = this
    const { loss = () => false, firstSequence = 1n, revisions = [] } = options
    const all = allOf(store)
    const delivered = all.map(n => !loss(firstSequence + BigInt(n)))
    const { heavy, worker, result } = found
    const flushes = [...revisions.map(r => r.after), ...(result.rebalancing?.flushes ?? []), store.count]
    const frames: Dealt = { delivered, heavy, worker, workers, flushes }
    const excused = mayRecover(frames)
    const dropped = (n: number): boolean => behind.has(found.verdicts[n])
    const survived = dealtSurvivors(frames).map((s, n) => s && (heavy[n] === 1 || !dropped(n)))
    for (const n of all)
      if (delivered[n] && dropped(n) && !excused[n])
        this.differ({ packet: n, what: `dropped (${reasonOf(found.verdicts[n])}) with nothing missing` })
    this.lost(delivered)
    if (result.recovery) this.gaveUp()
    const done = (n: number): boolean => delivered[n] && !dropped(n)
    const which = all.filter(n => survived[n])
    const serial = runSerial(this.subject, store, options, which, done)
    this.shards(serial, runShards(this.subject, store, options, found, survived, done), done)
  }

  /** Packets whose frames were lost say so. */
  private lost(delivered: readonly boolean[]): void {
    delivered.forEach((arrived, n) => {
      const verdict = this.found.verdicts[n]
      if (!arrived && verdict !== dropWord.lost)
        this.differ({ packet: n, what: `its frame was lost, but its verdict is ${verdictText(verdict)}` })
    })
  }

  private gaveUp(): void {
    for (const { worker, last } of this.found.result.recovery!.stopped)
      this.differ({
        worker,
        what: `worker ${worker} gave up after number ${last}: no log has what it misses`,
      })
  }

  shared(): void {
    const { order, problem } = commitOrder(this.found.evidence)
    if (problem) this.differ(problem)
    this.equal(runSerial(this.subject, this.store, this.options, order))
  }

  sharded(serial: SerialRun): void {
    this.shards(serial, runShards(this.subject, this.store, this.options, this.found))
  }

  /** Each worker against its own run; and where no table was full, all of them against the whole one. */
  private shards(serial: SerialRun, runs: readonly SerialRun[], done?: (n: number) => boolean): void {
    const { artifact } = this.subject
    let full = evictsOrRefuses(artifact, serial.machine) || outlastsClock(artifact, this.store)
    const all = allOf(this.store).filter(n => done?.(n) ?? true)
    const machines = runs.map((alone, worker) => {
      const own = all.filter(n => this.found.worker[n] === worker)
      this.packets(alone, own, worker)
      this.state(worker, alone.machine)
      full ||= evictsOrRefuses(artifact, alone.machine)
      return alone.machine
    })
    this.counters(machines)
    if (full) return
    this.packets(serial, all)
    const { stateLayout } = this.subject.artifact
    const now = this.store.count ? this.store.packet(this.store.count - 1).timestamp : 0n
    const memory = stateMemory(this.found.result.memory.buffer)
    const shards = mergeDumps(this.found.blocks.map(at => dumpState(memory, at, stateLayout, now)))
    const diff = diffDumps(shards, dumpState(serial.machine.memory, 0, stateLayout, now), 1)
    if (!diff.equal)
      this.differ({
        what: `state of all shards: ${describeDifference(diff.differences[0], 'shards', 'serial run')}`,
      })
  }

  private packets(expected: Outcome, which = allOf(this.store), worker?: number): void {
    const { found } = this
    for (const n of which) {
      if (found.verdicts[n] === expected.verdicts[n] && found.digests[n] === expected.digests[n]) continue
      const what =
        found.verdicts[n] === expected.verdicts[n]
          ? 'the packet was rewritten differently'
          : `verdict ${verdictText(found.verdicts[n])}, serial run ${verdictText(expected.verdicts[n])}`
      this.differ({ packet: n, what, ...(worker !== undefined && { worker }) })
    }
  }

  /** The program's counters, summed over workers, against those of these serial runs together. */
  private counters(machines: readonly Serial[]): void {
    for (const [name, count] of Object.entries(this.found.result.counters)) {
      const sum = machines.reduce((sum, { counters }) => sum + (counters.get(name) ?? 0n), 0n)
      const expected = BigInt.asUintN(64, sum)
      if (count !== expected) this.differ({ what: `counter ${name} is ${count}, serial run ${expected}` })
    }
  }

  private state(worker: number, machine: Serial): void {
    const { stateLayout } = this.subject.artifact
    const found = { memory: stateMemory(this.found.result.memory.buffer), base: this.found.blocks[worker] }
    const diff = diffStates(found, { memory: machine.memory, base: 0 }, stateLayout, 1)
    if (diff.equal) return
    const what = `final state: ${describeDifference(diff.differences[0], `worker ${worker}`, 'serial run')}`
    this.differ({ worker, what })
  }
}

/** True if a table turned a key away or threw one out: then shards cannot equal the whole run. */
function evictsOrRefuses(artifact: Artifact, machine: Serial): boolean {
  return dumpState(machine.memory, 0, artifact.stateLayout).some(
    d => d.kind === 'table' && d.counters.failures + d.counters.evictions > 0,
  )
}

/**
 * True if the run is longer than the clock of an expiring table can tell: an entry that nobody swept reads as present
 * again then, and shards sweep at other times than the serial run (docs/state.md, expiry).
 */
function outlastsClock(artifact: Artifact, store: PacketStore): boolean {
  if (store.count === 0) return false
  const { timestamp } = store.packet(store.count - 1)
  return artifact.stateLayout.objects.some(
    o =>
      o.kind === 'table' &&
      o.expire !== undefined &&
      timestamp / BigInt(nanosecondsIn[o.expire.unit]) >= BigInt(2 ** 32 - clockSlack),
  )
}

const names = ['aborted', 'drop', 'pass', 'transmit', 'redirect']

/** A verdict word in words. */
export function verdictText(word: number): string {
  const number = word & 0xff
  const name = names[number] ?? `unknown ${number}`
  if (number === verdictNumber.drop && word >>> 8) return `drop (${reasonOf(word)})`
  return number === verdictNumber.redirect ? `${name}(${word >>> 8})` : name
}
