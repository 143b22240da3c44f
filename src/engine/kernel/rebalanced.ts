// Strategy `rebalanced` in the kernel: as `sharded` (sharded.ts), but state is in slices, one for each bucket, which all
// workers have in their memory, and which worker has a bucket may change while packets flow.
//
// What decides on changes is ../live/bucket-control.ts; how they come about, backend/ebpf/buckets.ts. Nothing is attached here.

import { compileBucketWorker, compileDirector } from '../../backend/ebpf/buckets.js'
import {
  bucketEntry,
  bucketsBytes,
  bucketsDeclaration,
  bucketsMap,
  countBits,
  seatEntry,
  seatsFrom,
} from '../../backend/ebpf/buckets-map.js'
import { verdictsDeclaration } from '../../backend/ebpf/entry.js'
import { environment, present } from '../../backend/ebpf/maps.js'
import { isRefusal } from '../../backend/ebpf/program.js'
import { sprayMap } from '../../backend/ebpf/sequencer-map.js'
import { placesInSlice, slicesDeclaration, slicesMap } from '../../backend/ebpf/slices.js'
import type { Slices } from '../../backend/ebpf/slices.js'
import { steeringDeclaration, steeringMap, steeringPlace } from '../../backend/ebpf/steering.js'
import { mapNames } from '../../backend/ebpf/target.js'
import { clearBlock } from '../../state/block.js'
import { hashMultipliers } from '../../state/format.js'
import { stateMemory } from '../../state/memory.js'
import { steeringObject } from '../../strategy/steering.js'
import { indirectionEntries } from '../../strategy/toeplitz.js'
import type { KernelArtifact } from '../artifact.js'
import { frontEnvironment, installCopies, mapsInCommon, requireCopies } from './copies.js'
import { idsOf } from './description.js'
import { inFormThatFits, kernelForm } from './form.js'
import type { KernelForm } from './form.js'
import { install, mostBytes, requireReach, rulesBytesOf, stackExceeded, StateExceeded } from './load.js'
import type { LoadedProgram } from './load.js'
import { refuseMapped } from './mapped.js'
import { creditOf } from './sequencer.js'
import { contentsOf } from './sharded.js'
import type { Shardable, ShardedOptions, ShardSeats } from './sharded.js'

/** Maps that all workers and the program on interfaces have in common, as far as there are such. */
const commonMaps: readonly string[] = [mapNames.rules, mapNames.settings, slicesMap, bucketsMap, steeringMap]

/** Slices of a program's state, if it has any. The artifact is one of slices (CompileOptions.slices). */
export const slicesOf = ({ stateLayout: { size } }: KernelArtifact): Slices => ({
  count: indirectionEntries,
  stride: size,
})

export interface RebalancedOptions extends ShardedOptions {
  /** Frames that a worker's queue takes. */
  readonly queueSize: number
}

/**
 * Has the verifier look at a worker's program, once for each. The first one makes what all have in common. `cpus` and
 * layers of `seats` are where workers will be. Throws what loadProgram and createMap throw.
 */
export const loadBucketWorkers = (
  subject: Shardable,
  seats: ShardSeats['seats'],
  options: RebalancedOptions,
): LoadedProgram[] =>
  inFormThatFits(options.form ?? kernelForm(), (form, briefly) =>
    loadEach(subject, seats, { ...options, form }, briefly),
  )

function loadEach(
  subject: Shardable,
  seats: ShardSeats['seats'],
  options: RebalancedOptions & { readonly form: KernelForm },
  briefly: boolean,
): LoadedProgram[] {
  const { artifact, kernel } = subject
  const { workers, form, clock = 'exact', seed } = options
  requireCopies(workers)
  const slices = slicesOf(artifact)
  requireSlices(artifact, slices)
  refuseMapped(artifact, 'strategy rebalanced, whose workers have rules in memory')
  const { objects } = artifact.stateLayout
  const { target, maps } = environment({
    objects: artifact.rulesLayout.objects,
    rulesBytes: rulesBytesOf(artifact, options),
    settings: artifact.settings.map(s => s.name),
    counters: artifact.counters.map(c => c.name),
    cpus: 1,
    inputs: 'kernel',
    clock,
    ...form,
  })
  const places = new Map([
    ...target.objects,
    ...placesInSlice(objects),
    [steeringObject, steeringPlace] as const,
  ])
  const functions = [...kernel.callees, kernel.main]
  const compiled = compileBucketWorker(functions, kernel.steer, { ...target, objects: places }, slices)
  if (isRefusal(compiled)) throw stackExceeded(artifact.name, compiled)
  const made = {
    functions: compiled.functions,
    encoded: compiled.encoded,
    maps: [
      ...maps,
      verdictsDeclaration(1),
      bucketsDeclaration,
      steeringDeclaration,
      ...(slices.stride > 0 ? [slicesDeclaration(objects, slices)] : []),
    ],
    cpus: 1,
    attachType: 'xdp_cpumap' as const,
    isPart: true,
    briefly,
    contents: new Map([
      [slicesMap, emptySlices(artifact, slices, seed)],
      [bucketsMap, firstBuckets(seats, options)],
      [steeringMap, contentsOf(artifact.steering!, [])],
    ]),
  }
  return installCopies(subject, options, made, commonMaps)
}

/** The program that goes on interfaces; it says what is behind it. Throws as `loadBucketWorkers` does. */
export function loadDirector(
  subject: Shardable,
  workers: readonly LoadedProgram[],
  maps: ShardSeats['maps'],
  options: RebalancedOptions,
): LoadedProgram {
  const { artifact, kernel } = subject
  const form = options.form ?? kernelForm()
  const { target, maps: own } = frontEnvironment(artifact, { ...options, form })
  const compiled = compileDirector(
    kernel.steer,
    { ...target, objects: new Map([[steeringObject, steeringPlace]]) },
    { workers: workers.length, layers: maps.length, credit: creditOf(1, options.queueSize) },
  )
  if (isRefusal(compiled)) throw stackExceeded(artifact.name, compiled)
  const slices = slicesOf(artifact)
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
        ...(slices.stride > 0 ? [slicesDeclaration(artifact.stateLayout.objects, slices)] : []),
        ...maps.map((_, layer) => present(sprayMap(layer), 8)),
      ],
      cpus: 0,
      described: { workers: workers.map(w => idsOf(w.maps)), slices: slices.count },
    },
    new Map([
      ...mapsInCommon(workers, commonMaps),
      ...maps.map((map, layer) => [sprayMap(layer), map] as const),
    ]),
  )
}

/** All slices are in one map's value, which programs reach with an offset they compute. */
export function requireSlices(
  artifact: KernelArtifact,
  { count, stride }: Slices,
  done = 'rebalanced',
): void {
  requireReach(artifact)
  if (count * stride >= mostBytes)
    throw new StateExceeded(
      `${artifact.name} cannot be ${done} in the kernel: ${count} slices of its state take ` +
        `${((count * stride) / 2 ** 20).toFixed(0)} MiB, and the kernel's verifier follows offsets below ` +
        `${mostBytes / 2 ** 20} MiB only; give its tables a smaller capacity, or use --strategy sharded`,
    )
}

export function emptySlices(
  { stateLayout }: KernelArtifact,
  { count, stride }: Slices,
  seed: bigint,
): Uint8Array {
  const block = stateMemory(new ArrayBuffer(stride))
  clearBlock(block, 0, stateLayout, seed)
  const bytes = new Uint8Array(count * stride)
  for (let k = 0; k < count; k++) bytes.set(block.bytes, k * stride)
  return bytes
}

/** Bucket b is worker b mod n's, as in strategy sharded. */
export function firstBuckets(
  seats: ShardSeats['seats'],
  { workers, queueSize, seed }: RebalancedOptions,
): Uint8Array {
  const bytes = new Uint8Array(bucketsBytes)
  const view = new DataView(bytes.buffer)
  for (let b = 0; b < indirectionEntries; b++) {
    const at = b * bucketEntry.stride
    view.setBigUint64(at + bucketEntry.word, BigInt(b % workers) << BigInt(countBits), true)
    view.setUint32(at + bucketEntry.wish, b % workers, true)
    view.setBigUint64(at + bucketEntry.seed, seed + BigInt(b) * hashMultipliers[1], true)
  }
  seats.forEach(({ cpu, layer }, w) => {
    const at = seatsFrom + w * seatEntry.stride
    view.setUint32(at + seatEntry.cpu, cpu, true)
    view.setUint32(at + seatEntry.layer, layer, true)
    view.setBigUint64(at + seatEntry.limit, BigInt(creditOf(1, queueSize)), true)
  })
  return bytes
}
