// Workers that are copies of one program, each behind a queue, and what the program before those queues shares with them.
//
// The first copy makes the maps that all have in common. Strategies sharded and rebalanced differ only in which those are
// (sharded.ts, rebalanced.ts). Nothing is attached here. Read load.ts first.

import { environment } from '../../backend/ebpf/maps.js'
import { mostShards } from '../../backend/ebpf/steering.js'
import type { BpfMap } from '../../sys/map.js'
import type { KernelArtifact } from '../artifact.js'
import type { KernelForm } from './form.js'
import { install, rulesBytesOf } from './load.js'
import type { Installable, LoadOptions, Loadable, LoadedProgram } from './load.js'

/** The maps of these names that the first copy made, or none where there is no copy yet. */
export const mapsInCommon = (
  [first]: readonly LoadedProgram[],
  names: readonly string[],
): Map<string, BpfMap> => new Map([...(first?.maps ?? [])].filter(([name]) => names.includes(name)))

/** Throws a `RangeError` unless there are 1 to `mostShards` workers. */
export function requireCopies(workers: number): void {
  if (!Number.isInteger(workers) || workers < 1 || workers > mostShards)
    throw new RangeError(`${workers} workers: there must be 1 to ${mostShards}`)
}

/** Has the verifier look at each copy; all are closed if one is refused. Throws what loadProgram and createMap throw. */
export function installCopies(
  subject: Loadable,
  options: LoadOptions & { readonly form: KernelForm; readonly workers: number },
  made: Installable,
  names: readonly string[],
): LoadedProgram[] {
  const loaded: LoadedProgram[] = []
  try {
    while (loaded.length < options.workers) {
      const worker = loaded.length
      loaded.push(install(subject, options, { ...made, worker }, mapsInCommon(loaded, names)))
    }
    return loaded
  } catch (error) {
    for (const one of loaded) one.close()
    throw error
  }
}

/**
 * What the program before the queues stands in. It looks at no rules and settings, but who changes them finds them by it: it
 * is what is attached.
 */
export const frontEnvironment = (
  artifact: KernelArtifact,
  options: LoadOptions & { readonly form: KernelForm },
) =>
  environment({
    objects: artifact.rulesLayout.objects,
    rulesBytes: rulesBytesOf(artifact, options),
    settings: artifact.settings.map(s => s.name),
    counters: [],
    cpus: 1,
    inputs: 'kernel',
    ...options.form,
  })
