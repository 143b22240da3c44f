// Strategy `hybrid` in the kernel: as `rebalanced` (rebalanced.ts), and a bucket with much of the traffic may be at a place, where
// each worker has a copy of its slice and replays the items of packets that others have.
//
// The program on interfaces is one that must run for one packet at a time. What decides is ../live/heavy-control.ts; how it comes
// about, backend/ebpf/dealer.ts and heavy-worker.ts. Nothing is attached here.

import { bucketsDeclaration, bucketsMap } from '../../backend/ebpf/buckets-map.js'
import { compileDealer, heavyEntriesFor, itemDeclaration } from '../../backend/ebpf/dealer.js'
import { verdictsDeclaration } from '../../backend/ebpf/entry.js'
import { framesDeclaration } from '../../backend/ebpf/frame.js'
import { compileHeavyWorker } from '../../backend/ebpf/heavy-worker.js'
import { environment, present } from '../../backend/ebpf/maps.js'
import { dealtBytes, placesDeclaration, placesMap } from '../../backend/ebpf/places-map.js'
import { ringsDeclaration, slicesWithPlaces } from '../../backend/ebpf/places-map.js'
import { isRefusal } from '../../backend/ebpf/program.js'
import { copyDeclaration, ringMap } from '../../backend/ebpf/ring.js'
import type { HistoryRing } from '../../backend/ebpf/ring.js'
import { sprayMap } from '../../backend/ebpf/sequencer-map.js'
import { placesInSlice, slicesDeclaration, slicesMap } from '../../backend/ebpf/slices.js'
import type { Slices } from '../../backend/ebpf/slices.js'
import { steeringDeclaration, steeringMap, steeringPlace } from '../../backend/ebpf/steering.js'
import { mapNames } from '../../backend/ebpf/target.js'
import { readsInput } from '../../ir/inputs.js'
import { steeringObject } from '../../strategy/steering.js'
import { indirectionEntries } from '../../strategy/toeplitz.js'
import { Unsupported } from '../../sys/failure.js'
import { installCopies, mapsInCommon, requireCopies } from './copies.js'
import { idsOf } from './description.js'
import { inFormThatFits, kernelForm } from './form.js'
import type { KernelForm } from './form.js'
import { install, rulesBytesOf, stackExceeded } from './load.js'
import type { LoadedProgram } from './load.js'
import { refuseMapped } from './mapped.js'
import { emptySlices, firstBuckets, requireSlices } from './rebalanced.js'
import type { RebalancedOptions } from './rebalanced.js'
import type { Replicable } from './replicated.js'
import { creditOf } from './sequencer.js'
import { contentsOf } from './sharded.js'
import type { Shardable, ShardSeats } from './sharded.js'

/** Maps that all workers and the program on interfaces have in common, as far as there are such. */
const commonMaps: readonly string[] = [
  mapNames.rules,
  mapNames.settings,
  slicesMap,
  bucketsMap,
  steeringMap,
  placesMap,
  ringMap,
]

/** A program whose buckets can be sharded, and whose packets have items. */
export type Dividable = Shardable & Replicable

export interface HybridOptions extends RebalancedOptions {
  /** Of workers: `xdp_cpumap` if left out; test runs take no such programs. */
  readonly attachType?: 'xdp' | 'xdp_cpumap'
}

/** Slices of a program's state and of the copies. The artifact is one of slices (CompileOptions.slices). */
export const slicesAndCopies = (
  { stateLayout: { size } }: Dividable['artifact'],
  workers: number,
): Slices => ({
  count: slicesWithPlaces(workers),
  stride: size,
})

/** What both kinds of programs depend on. */
function shapeOf(subject: Dividable, { workers, queueSize }: HybridOptions) {
  const { artifact, batch, kernel } = subject
  const { slice } = batch
  if (!slice || !artifact.item) throw new RangeError(`${artifact.name} cannot be replicated`)
  if (artifact.stateLayout.size === 0) throw new RangeError(`${artifact.name} keeps no state`)
  const credit = creditOf(1, queueSize)
  const ring: HistoryRing = {
    entries: heavyEntriesFor(workers, credit),
    itemBytes: artifact.item.itemBytes,
  }
  const functions = [...kernel.callees, kernel.main, slice.extract]
  const reads = (name: string): boolean => functions.some(f => readsInput(f, name))
  const inputs = {
    timed: reads('timestamp'),
    placed: reads('device'),
    measured: reads('originalLength'),
  }
  return { slice, ring, credit, inputs, slices: slicesAndCopies(artifact, workers) }
}

/**
 * Has the verifier look at a worker's program, once for each. The first one makes what all have in common. `seats` are where
 * workers will be. Throws what loadProgram and createMap throw.
 */
export const loadHeavyWorkers = (
  subject: Dividable,
  seats: ShardSeats['seats'],
  options: HybridOptions,
): LoadedProgram[] =>
  inFormThatFits(options.form ?? kernelForm(), (form, briefly) =>
    loadEach(subject, seats, { ...options, form }, briefly),
  )

function loadEach(
  subject: Dividable,
  seats: ShardSeats['seats'],
  options: HybridOptions & { readonly form: KernelForm },
  briefly: boolean,
): LoadedProgram[] {
  const { artifact, kernel } = subject
  const { workers, form, seed } = options
  requireCopies(workers)
  if (form.loops === 'bounded')
    throw new Unsupported(
      'strategy hybrid, which copies slices of state and reads a history in memory,',
      'Linux 6.9 (may_goto)',
      'an older kernel',
      '--strategy rebalanced, or hybrid in user space by --backend wasm',
    )
  refuseMapped(artifact, 'strategy hybrid, whose workers have rules in memory')
  const { slice, ring, inputs, slices } = shapeOf(subject, options)
  requireSlices(artifact, slices, 'divided')
  const { objects } = artifact.stateLayout
  const { target, maps } = environment({
    objects: artifact.rulesLayout.objects,
    rulesBytes: rulesBytesOf(artifact, options),
    settings: artifact.settings.map(s => s.name),
    counters: artifact.counters.map(c => c.name),
    cpus: 1,
    inputs: 'frame',
    ...form,
  })
  const places = new Map([...target.objects, ...placesInSlice(objects)])
  const compiled = compileHeavyWorker(
    { callees: kernel.callees, main: kernel.main, advance: slice.advance },
    { ...target, objects: places },
    { workers, slices, ring, ...inputs },
  )
  if (isRefusal(compiled)) throw stackExceeded(artifact.name, compiled)
  const made = {
    functions: compiled.functions,
    encoded: compiled.encoded,
    maps: [
      ...maps,
      verdictsDeclaration(1),
      framesDeclaration,
      bucketsDeclaration,
      steeringDeclaration,
      placesDeclaration,
      ringsDeclaration(ring),
      copyDeclaration(ring),
      slicesDeclaration(objects, slices),
    ],
    cpus: 1,
    attachType: options.attachType ?? 'xdp_cpumap',
    isPart: true,
    briefly,
    contents: new Map([
      [slicesMap, emptySlices(artifact, { ...slices, count: indirectionEntries }, seed)],
      [bucketsMap, firstBuckets(seats, options)],
      [steeringMap, contentsOf(artifact.steering!, [])],
    ]),
  }
  return installCopies(subject, options, made, commonMaps)
}

/**
 * The program that packets go through, one at a time; it says what is behind it. `isQueued`: it is the entry of a CPU map, behind a
 * funnel. Throws as `loadHeavyWorkers` does.
 */
export function loadDealer(
  subject: Dividable,
  workers: readonly LoadedProgram[],
  maps: ShardSeats['maps'],
  options: HybridOptions & { readonly isQueued: boolean },
): LoadedProgram {
  const { artifact, kernel } = subject
  const form = options.form ?? kernelForm()
  const { slice, ring, credit, inputs, slices } = shapeOf(subject, options)
  const { target, maps: own } = environment({
    objects: artifact.rulesLayout.objects,
    rulesBytes: rulesBytesOf(artifact, options),
    settings: artifact.settings.map(s => s.name),
    counters: [],
    cpus: 1,
    inputs: 'frame',
    ...form,
  })
  const compiled = compileDealer(
    { callees: kernel.callees, extract: slice.extract, steer: kernel.steer },
    { ...target, objects: new Map([...target.objects, [steeringObject, steeringPlace]]) },
    {
      workers: workers.length,
      layers: maps.length,
      credit,
      ring,
      clock: options.clock === 'coarse' ? 'coarse' : 'exact',
      ...inputs,
    },
  )
  if (isRefusal(compiled)) throw stackExceeded(artifact.name, compiled)
  return install(
    subject,
    { ...options, form },
    {
      functions: compiled.functions,
      encoded: compiled.encoded,
      maps: [
        ...own,
        bucketsDeclaration,
        steeringDeclaration,
        placesDeclaration,
        ringsDeclaration(ring),
        itemDeclaration(ring),
        slicesDeclaration(artifact.stateLayout.objects, slices),
        ...maps.map((_, layer) => present(sprayMap(layer), 8)),
      ],
      cpus: 0,
      ...(options.isQueued && { attachType: 'xdp_cpumap' as const, isPart: true }),
      described: {
        workers: workers.map(w => idsOf(w.maps)),
        slices: indirectionEntries,
      },
    },
    new Map([
      ...mapsInCommon(workers, commonMaps),
      ...maps.map((map, layer) => [sprayMap(layer), map] as const),
    ]),
  )
}

/** Bytes that stand in front of each packet on its way to a worker. */
export const headerBytesOf = (subject: Dividable, options: HybridOptions): number =>
  dealtBytes(shapeOf(subject, options).inputs.timed)
