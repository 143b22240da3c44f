/**
 * How strategies scale: projected for any number of workers, measured for as many as have a CPU each.
 *
 * *Projected*: every worker's stream runs alone on this thread, one after the other, and its processor time is what a
 * core of its own would need; what reading the clock takes is not in it. Frames are in this core's caches, where the sequencer
 * has just written them: a device with DDIO, or a sequencer on a core beside, leaves them in the shared one.
 * Mpps = packets / max(slowest worker, sequencer); `hardware` leaves the sequencer out, as if a NIC or switch did its work.
 * Contention between cores is in neither, so nothing is projected for `shared` or for history by reference. *Measured*:
 * rates with reading from memory and sequencing included, of one worker on the thread that reads or of threads by the wall clock. The two
 * are different kinds and carry it in `kind`; no caller may join them in one line.
 */

import type { PacketStore } from '../engine/packets.js'
import { plan } from '../engine/plan.js'
import type { RunOptions } from '../engine/plan.js'
import type { Source } from '../device/device.js'
import { start } from '../engine/run.js'
import type { RunResult } from '../engine/run.js'
import type { Artifact } from '../engine/artifact.js'
import { randomLoss } from '../engine/transport.js'
import type { Strategy } from '../strategy/strategy.js'
import { compileCallsAtOnce } from './call-wrappers.js'
import { laidOut } from './laid-out.js'
import { collectPieces, sumOfQuartiles, undisturbed } from './pieces.js'
import type { Pieces } from './pieces.js'
import { takeRounds } from './rounds.js'
import type { BenchmarkRecord } from './record.js'
import { median } from './statistics.js'
import type { WorkClock } from './thread-clock.js'

/** A program with what it needs to run. */
export interface Subject {
  readonly artifact: Artifact
  readonly rules?: Uint8Array
  readonly settings?: RunOptions['settings']
}

/** Packets after which buckets of a rebalancing strategy may move. */
const epoch = { packets: 16_384 }

/** One strategy on some workers. */
export interface Way {
  readonly strategy: Strategy
  readonly workers: number
  /** Share of frames that are lost between sequencer and workers, at random by seed 1. */
  readonly lossRate?: number
  /** Instead of the subject's. */
  readonly settings?: RunOptions['settings']
}

/** What one way gave in this process. Each worker's time, and the sequencer's, is that of pieces.ts over the rounds. */
export interface Projected {
  /** Mpps with the software sequencer, and without any. */
  readonly software: number
  readonly hardware: number
  /** Busy time of each worker over that of the busiest. */
  readonly shares: readonly number[]
  /** Nanoseconds that one of its own packets costs the slowest worker, history included. */
  readonly perPacket: number
}

/** What one way gave, by process (repetitions.ts). */
export interface Projection {
  readonly way: Way
  /** Mpps with the software sequencer, and without any. */
  readonly software: readonly number[]
  readonly hardware: readonly number[]
  /** Busy time of each worker over that of the busiest, medians. */
  readonly shares: readonly number[]
  /** Nanoseconds that one of its own packets costs the slowest worker, history included. */
  readonly perPacket: readonly number[]
  readonly disturbed: BenchmarkRecord['disturbed']
}

export interface Effort {
  readonly rounds: number
  readonly clock: WorkClock
  /** Rounds before those that count; what V8 takes to optimise the loops if absent. */
  readonly warmup?: number
  /** How often a round goes through the trace; once if absent. The second pass finds the state of the first. */
  readonly passes?: number
  /** Short rounds go on for so many seconds. */
  readonly seconds?: number
}

/** Packets that are run before V8 has optimised the loops. */
const enough = 160_000
const mostWarmup = 6

/**
 * Runs the ways in turn, each worker alone, with a memory of its own in every round. A worker's stream is the same in every round
 * and timed by itself, slab by slab, so times are found worker by worker and then the slowest is sought: the slowest of each round
 * would be the most disturbed of 14.
 */
export async function project(
  subject: Subject,
  store: PacketStore,
  ways: readonly Way[],
  {
    rounds,
    clock,
    seconds = 0,
    passes = 1,
    warmup = Math.min(mostWarmup, Math.ceil(enough / Math.max(1, store.count))),
  }: Effort,
): Promise<{
  readonly ways: readonly Projected[]
  readonly rounds: number
  readonly disturbed: BenchmarkRecord['disturbed']
}> {
  compileCallsAtOnce()
  // V8 keeps optimised code as long as somebody holds a module of the same bytes.
  const held = new WebAssembly.Module(subject.artifact.wasm)
  const { samples, disturbed } = await takeRounds(
    ways.map(way => runner(subject, store, way, { virtual: true, clock, passes })),
    {
      rounds,
      warmup,
      seconds,
      repeats: Math.ceil(rounds / 2),
    },
  )
  if (WebAssembly.Module.exports(held).length === 0) throw new Error('a module without loops')
  return { ways: samples.map(projectedOf), rounds: samples[0].length, disturbed }
}

function projectedOf(results: readonly Sample[]): Projected {
  const [{ received, workers }] = results
  const rounds = results.map(r => r.pieces)
  const busy = workers.map((_, w) => undisturbed(rounds, w))
  const slowest = Math.max(...busy)
  return {
    software: received / 1e3 / Math.max(slowest, undisturbed(rounds, 'sequencer')),
    hardware: received / 1e3 / slowest,
    shares: busy.map(milliseconds => milliseconds / slowest),
    perPacket: (1e6 * slowest) / Math.max(1, workers[busy.indexOf(slowest)].packets),
  }
}

/**
 * Packets that threads are measured on, by several passes over a trace: 120,000 are six milliseconds, of which the first
 * touch of new memory and waking up are a part that differs from run to run.
 */
const passed = 1_000_000

/**
 * Mpps of the ways as they run, in turn, reading and sequencing included. Workers on threads by the wall clock, the median of the
 * rounds: they and the thread that sequences must not be more than CPUs, or it would be time slicing (`threadedWorkers` of
 * study.ts). One worker is no thread but takes turns with the others on this one and waits for nobody, so that `clock` leaves out
 * no more than what other processes took, and what a slab takes is that of pieces.ts.
 */
export async function measure(
  subject: Subject,
  store: PacketStore,
  ways: readonly Way[],
  rounds: number,
  seconds = 0,
  clock?: WorkClock,
): Promise<{
  readonly mpps: readonly number[]
  readonly rounds: number
  readonly disturbed: BenchmarkRecord['disturbed']
}> {
  compileCallsAtOnce()
  const passes = Math.ceil(passed / store.count)
  const { samples, disturbed } = await takeRounds(
    ways.map(way => {
      const times = way.workers === 1 && clock ? { clock } : {}
      return runner(subject, store, way, { passes, ...times })
    }),
    { rounds, warmup: 1, repeats: Math.ceil(rounds / 2), seconds },
  )
  return { mpps: samples.map(rateOf), rounds: samples[0].length, disturbed }
}

function rateOf(results: readonly Sample[]): number {
  const whole = results.map(r => r.whole)
  const seconds = whole.some(list => list.length === 0)
    ? median(results.map(r => r.seconds))
    : sumOfQuartiles(whole) / 1e3
  return results[0].received / 1e6 / seconds
}

/** One layout for each store, as long as anybody has the store. */
const sources = new WeakMap<PacketStore, ReturnType<typeof laidOut>>()

function laidOutOnce(store: PacketStore): ReturnType<typeof laidOut> {
  const open = sources.get(store) ?? laidOut(store)
  sources.set(store, open)
  return open
}

/** What is kept of a run: not its memory, which with the state of every worker may be a gigabyte. */
interface Sample extends Pick<RunResult, 'received' | 'seconds' | 'workers'> {
  readonly pieces: Pieces
  /** Milliseconds of everything, slab by slab; none of what was not timed that way. */
  readonly whole: readonly number[]
}

interface RunnerOptions {
  /** Each worker alone, as if it had a core. */
  readonly virtual?: boolean
  /** Times virtual workers; elsewhere the whole, which must be on this thread. */
  readonly clock?: WorkClock
  readonly passes?: number
}

function runner(
  { artifact, rules, settings }: Subject,
  store: PacketStore,
  way: Way,
  { virtual: alone = false, clock, passes = 1 }: RunnerOptions,
): () => Promise<Sample> {
  const { strategy, workers, lossRate = 0 } = way
  const loss = lossRate > 0 ? randomLoss(1, lossRate) : undefined
  const values = way.settings ?? settings
  const planned = plan(artifact, {
    strategy,
    cores: workers,
    virtual: alone,
    wholeSlabs: alone,
    ...(values && { settings: values }),
    ...(loss && { loss }),
  })
  if ('error' in planned) throw new Error(planned.error)
  const open = laidOutOnce(store)(passes)
  return async () => {
    const { worked, pieces } = collectPieces()
    const whole: number[] = []
    const input = {
      open: !alone && clock ? timed(open, clock, whole) : open,
      epoch,
      ...(loss && { loss }),
      ...(alone && clock && { clock, worked }),
    }
    const { received, seconds, workers: busy } = await start(artifact, planned, strategy, input, rules)
    return { received, seconds, workers: busy, pieces, whole }
  }
}

/** A source that says how long the clock ran from each slab to the next, and from the last to the end, which is that of the run. */
function timed(open: Open, clock: WorkClock, whole: number[]): Open {
  return memory => {
    const source = open(memory)
    let began = NaN
    const next = (): void => {
      const now = clock.now()
      if (!Number.isNaN(began)) whole.push(now - began - clock.cost)
      began = now
    }
    return {
      ...source,
      read: slab => {
        next()
        return source.read(slab)
      },
      close: () => {
        next()
        source.close()
      },
    }
  }
}

type Open = (memory: WebAssembly.Memory) => Source
