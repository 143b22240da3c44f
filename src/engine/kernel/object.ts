// A compiled program as an object file for other loaders than ours.
//
// They make maps and fill them with what the file has, so everything must be right in the file: an object has the
// settings and rules it was built with, a clock that begins at boot, and tables whose empty form is all zeros. The
// hash's seed, and that of random(), are 0. Read backend/ebpf/object.ts for what is where, docs/objects.md for how it
// is loaded. Pure: the same program and options give the same bytes on any machine and in any folder.

import { basename } from 'node:path'
import { kernelLicence } from '../../backend/ebpf/licence.js'
import { writeObject } from '../../backend/ebpf/object.js'
import { firstContents } from './contents.js'
import { bytecodeOf, rulesBytesOf } from './load.js'
import type { Loadable } from './load.js'

/** CPUs that have verdicts and counters in an object, which may run on any machine. */
export const objectCpus = 1024

/** Seed of hashes and of random() in an object: that of a table of zeros. */
export const objectSeed = 0n

export interface ObjectOptions {
  readonly settings: ReadonlyMap<string, bigint>
  /** The rules block. */
  readonly rules?: Uint8Array
  /** Loaders are to pin rule tables that are maps of the kernel's by name. */
  readonly pin?: boolean
}

/** The state is larger than what the verifier lets a program reach in one map. */
export class StateTooLarge extends Error {}

/** The verifier follows addresses no further into the value of a map. */
const reach = 1 << 29

/** The bytes of the file. Throws `StackExceeded` and `StateTooLarge`. */
export function objectOf(subject: Loadable, options: ObjectOptions): Uint8Array<ArrayBuffer> {
  const { artifact, kernel, program } = subject
  const stateBytes = artifact.stateLayout.size
  if (stateBytes > reach)
    throw new StateTooLarge(
      `${artifact.name} keeps ${stateBytes} bytes of state, and an object has room for ${reach}: make tables smaller`,
    )
  const rulesBytes = rulesBytesOf(artifact, options)
  const { functions, maps } = bytecodeOf(subject, rulesBytes, { cpus: objectCpus })
  const contents = firstContents(artifact, { ...options, seed: objectSeed }, 0n)
  // An empty table of zeros needs no bytes in the file: what its header would say stands in the code.
  for (const { kind, name } of artifact.stateLayout.objects) if (kind === 'table') contents.delete(name)
  return writeObject({
    code: functions,
    functions: [...kernel.callees, kernel.main],
    source: { file: basename(program.file), text: program.source, name: artifact.name },
    licence: kernelLicence(program.licence),
    maps,
    contents,
    pin: options.pin ?? false,
  })
}
