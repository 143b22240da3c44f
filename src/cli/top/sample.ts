// One look at all our programs in the kernel, as plain data, and what happened between two looks.

import { seenPrograms } from '../../engine/kernel/attached.js'
import type { AttachedTo, SeenProgram } from '../../engine/kernel/attached.js'
import type { BucketFigures } from '../../engine/kernel/buckets.js'
import type { HeavyFigures } from '../../engine/kernel/places.js'
import { driverCounts } from '../../engine/kernel/driver.js'
import type { DriverCounts } from '../../engine/kernel/driver.js'
import type { Figures } from '../../engine/kernel/figures.js'
import { openReading } from '../../engine/kernel/reading.js'
import type { Occupancy, Reading } from '../../engine/kernel/reading.js'
import type { KernelRecovery } from '../../engine/kernel/recovery.js'
import { runningRuns } from '../../engine/running.js'
import type { RunningRun } from '../../engine/running.js'
import { openProgram, programInfo } from '../../sys/info.js'
import { interfaces } from '../../sys/interfaces.js'
import type { InterfaceCounters } from '../../sys/interfaces.js'
import { isCalled, isRunCalled } from '../chosen.js'

/** A run in user space at two counts of its own, which it makes once a second; `before` is undefined at the first. */
export interface RunChange {
  readonly now: RunningRun
  readonly before: RunningRun | undefined
}

/** A program at one moment. */
export interface ProgramSample {
  readonly programId: number
  readonly name: string
  readonly devices: readonly AttachedTo[]
  readonly elsewhere: number
  readonly pins: readonly string[]
  /** Nanoseconds since it was loaded. */
  readonly age: bigint
  readonly figures: Figures
  readonly tables: readonly Occupancy[]
  /** Packets are handed to workers: its figures are theirs, and not those of CPUs. */
  readonly hasWorkers?: boolean
  /** Of a replicated program: bytes of history in front of each packet, workers that stopped at a gap, loss recovery. */
  readonly replicated?: {
    readonly headerBytes: number
    readonly stopped: readonly number[]
    readonly recovery?: KernelRecovery
  }
  /** Of strategies rebalanced and hybrid: buckets that changed their worker, that are to, and that all workers have. */
  readonly rebalancing?: BucketFigures | HeavyFigures
  /** Runs and nanoseconds that the kernel counted while statistics were on. */
  readonly runs: { readonly count: bigint; readonly time: bigint }
}

export interface DeviceSample {
  readonly name: string
  readonly counters: InterfaceCounters
  readonly driver: DriverCounts
}

export interface Sample {
  /** Milliseconds of this process's clock. */
  readonly at: number
  readonly programs: readonly ProgramSample[]
  /** Devices of this namespace that a program is on, by name. */
  readonly devices: ReadonlyMap<string, DeviceSample>
  /** Runs in user space. */
  readonly runs: readonly RunChange[]
}

/** Looks again and again, with maps that stay mapped as long as their program is there. */
export class Sampler {
  readonly #wanted: readonly string[]
  readonly #readings = new Map<number, Reading>()
  #runs: readonly RunChange[] = []

  /** `wanted` are interfaces, pins or programs by name; none means all. */
  constructor(wanted: readonly string[]) {
    this.#wanted = wanted
  }

  /** The programs that are shown. */
  programs(): SeenProgram[] {
    const all = seenPrograms()
    return this.#wanted.length === 0 ? all : all.filter(p => this.#wanted.some(w => isCalled(p, w)))
  }

  /** The runs in user space that are shown. */
  runs(): RunningRun[] {
    const all = runningRuns()
    return this.#wanted.length === 0 ? all : all.filter(r => this.#wanted.some(w => isRunCalled(r, w)))
  }

  look(): Sample {
    const seen = this.programs()
    for (const [id, reading] of this.#readings)
      if (!seen.some(p => p.programId === id)) {
        reading.close()
        this.#readings.delete(id)
      }
    const names = new Set(seen.flatMap(p => p.devices.map(d => d.name)))
    const devices = interfaces()
      .filter(({ name }) => names.has(name))
      .map(({ name, counters }) => [name, { name, counters, driver: driverCounts(name) }] as const)
    this.#runs = this.runs().map(run => nextChange(run, this.#runs))
    return {
      at: performance.now(),
      programs: seen.map(p => this.#sample(p)),
      devices: new Map(devices),
      runs: this.#runs,
    }
  }

  close(): void {
    for (const reading of this.#readings.values()) reading.close()
    this.#readings.clear()
  }

  #sample({ programId, description, devices, elsewhere, pins }: SeenProgram): ProgramSample {
    let reading = this.#readings.get(programId)
    if (!reading) this.#readings.set(programId, (reading = openReading(description)))
    const program = openProgram(programId)
    const { runCount: count, runTime: time } = program ? programInfo(program) : { runCount: 0n, runTime: 0n }
    program?.close()
    return {
      programId,
      name: description.name,
      devices,
      elsewhere,
      pins,
      age: reading.age(),
      figures: reading.figures(),
      tables: reading.occupancies(),
      hasWorkers: description.workers !== undefined,
      ...(reading.rebalancing && { rebalancing: reading.rebalancing }),
      ...(description.headerBytes !== undefined && {
        replicated: {
          headerBytes: description.headerBytes,
          stopped: reading.stopped,
          ...(reading.recovery && { recovery: reading.recovery }),
        },
      }),
      runs: { count, time },
    }
  }
}

/** What is known of a run after another look; between two counts of its own it stays as it was. */
function nextChange(now: RunningRun, known: readonly RunChange[]): RunChange {
  const last = known.find(
    ({ now: { process } }) => process.pid === now.process.pid && process.start === now.process.start,
  )
  return last?.now.at === now.at ? last : { now, before: last?.now }
}

/** A program at two moments; `before` is undefined at the first look. */
export interface Change {
  readonly now: ProgramSample
  readonly before: ProgramSample | undefined
  /** Between the looks; 0 at the first. */
  readonly seconds: number
}

export const changesOf = (now: Sample, before: Sample | undefined): Change[] =>
  now.programs.map(program => {
    const earlier = before?.programs.find(p => p.programId === program.programId)
    return {
      now: program,
      before: earlier,
      seconds: before && earlier ? (now.at - before.at) / 1000 : 0,
    }
  })

/** How many a second; undefined at the first look. */
export const rate = (now: bigint, before: bigint | undefined, seconds: number): number | undefined =>
  before === undefined || seconds <= 0 ? undefined : Number(now - before) / seconds

/** Mean nanoseconds of a run since the last look, as the kernel's statistics have it; undefined without any. */
export function timePerRun({ now, before }: Change): number | undefined {
  if (!before) return undefined
  const runs = now.runs.count - before.runs.count
  return runs > 0n ? Number(now.runs.time - before.runs.time) / Number(runs) : undefined
}
