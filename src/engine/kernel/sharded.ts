// Strategy `sharded` in the kernel: a program on interfaces that steers packets by a hash of their fields, and for each
// worker the program as it stands, on tables of its own, at the end of a CPU's queue.
//
// Workers share what only user space writes: rules and settings. Nothing is attached here. Read load.ts first.

import { verdictsDeclaration } from '../../backend/ebpf/entry.js'
import { environment, present } from '../../backend/ebpf/maps.js'
import { isRefusal } from '../../backend/ebpf/program.js'
import { sprayMap } from '../../backend/ebpf/sequencer-map.js'
import {
  compileShard,
  compileSteering,
  seatsAt,
  steeringBytes,
  steeringDeclaration,
  steeringMap,
  steeringPlace,
} from '../../backend/ebpf/steering.js'
import { mapNames } from '../../backend/ebpf/target.js'
import type { Func } from '../../ir/types.js'
import { steeringBlock, steeringObject } from '../../strategy/steering.js'
import type { SteeringFields } from '../../strategy/steering.js'
import type { BpfMap } from '../../sys/map.js'
import { frontEnvironment, installCopies, mapsInCommon, requireCopies } from './copies.js'
import { idsOf } from './description.js'
import type { Description } from './description.js'
import { inFormThatFits, kernelForm } from './form.js'
import type { KernelForm } from './form.js'
import { install, requireReach, rulesBytesOf, stackExceeded } from './load.js'
import type { LoadOptions, Loadable, LoadedProgram } from './load.js'
import { refuseMapped } from './mapped.js'

/** What all workers share. */
const sharedMaps: readonly string[] = [mapNames.rules, mapNames.settings]

/** A program that can be sharded. */
export interface Shardable extends Loadable {
  readonly kernel: Loadable['kernel'] & { readonly steer: Func }
}

export interface ShardedOptions extends Omit<LoadOptions, 'inputs' | 'sharing'> {
  readonly workers: number
}

/** Where packets are steered to, and what leads there. */
export interface ShardSeats {
  /** CPU and map of each worker; or of each group's sequencer, which has workers of its own. */
  readonly seats: readonly { readonly cpu: number; readonly layer: number }[]
  /** The CPU maps, by layer. */
  readonly maps: readonly BpfMap[]
  /** Of groups: how many there are, and the bytes of history in front of each packet. */
  readonly grouped?: Pick<Description, 'groups' | 'headerBytes'>
}

/** Has the verifier look at a worker's program, once for each. Throws what loadProgram and createMap throw. */
export const loadShards = (subject: Shardable, options: ShardedOptions): LoadedProgram[] =>
  inFormThatFits(options.form ?? kernelForm(), (form, briefly) =>
    loadEach(subject, { ...options, form }, briefly),
  )

function loadEach(
  subject: Shardable,
  options: ShardedOptions & { readonly form: KernelForm },
  briefly: boolean,
): LoadedProgram[] {
  const { artifact, kernel } = subject
  const { workers, form, clock = 'exact' } = options
  requireCopies(workers)
  requireReach(artifact)
  refuseMapped(artifact, 'strategy sharded, whose workers have rules in memory')
  const { target, maps } = environment({
    objects: [...artifact.stateLayout.objects, ...artifact.rulesLayout.objects],
    rulesBytes: rulesBytesOf(artifact, options),
    settings: artifact.settings.map(s => s.name),
    counters: artifact.counters.map(c => c.name),
    cpus: 1,
    inputs: 'kernel',
    clock,
    ...form,
  })
  const compiled = compileShard([...kernel.callees, kernel.main], target)
  if (isRefusal(compiled)) throw stackExceeded(artifact.name, compiled)
  const { functions, encoded } = compiled
  const made = {
    functions,
    encoded,
    maps: [...maps, verdictsDeclaration(1)],
    cpus: 1,
    attachType: 'xdp_cpumap' as const,
    isPart: true,
    briefly,
  }
  return installCopies(subject, options, made, sharedMaps)
}

/** The program that goes on interfaces; `shards` are the workers behind it. Throws as `loadShards` does. */
export function loadSteering(
  subject: Shardable,
  shards: readonly LoadedProgram[],
  { seats, maps, grouped }: ShardSeats,
  options: ShardedOptions,
): LoadedProgram {
  const { artifact, kernel } = subject
  const steering = artifact.steering
  if (!steering) throw new RangeError(`${artifact.name} cannot be sharded`)
  const form = options.form ?? kernelForm()
  const { target, maps: own } = frontEnvironment(artifact, { ...options, form })
  const compiled = compileSteering(
    kernel.steer,
    { ...target, objects: new Map([[steeringObject, steeringPlace]]) },
    { workers: seats.length, layers: maps.length },
  )
  if (isRefusal(compiled)) throw stackExceeded(artifact.name, compiled)
  const { functions, encoded } = compiled
  return install(
    subject,
    { ...options, form },
    {
      functions,
      encoded,
      maps: [...own, steeringDeclaration, ...maps.map((_, layer) => present(sprayMap(layer), 8))],
      cpus: 0,
      contents: new Map([[steeringMap, contentsOf(steering, seats)]]),
      described: { ...grouped, workers: shards.map(shard => idsOf(shard.maps)) },
    },
    new Map([
      ...mapsInCommon(shards, sharedMaps),
      ...maps.map((map, layer) => [sprayMap(layer), map] as const),
    ]),
  )
}

/** The steering map: hash tables, buckets, and where workers are. */
export function contentsOf(fields: SteeringFields, seats: ShardSeats['seats']): Uint8Array {
  const bytes = new Uint8Array(steeringBytes)
  bytes.set(steeringBlock(fields, seats.length).subarray(0, seatsAt))
  const view = new DataView(bytes.buffer)
  seats.forEach(({ cpu, layer }, w) => {
    view.setUint32(seatsAt + 8 * w, cpu, true)
    view.setUint32(seatsAt + 8 * w + 4, layer, true)
  })
  return bytes
}
