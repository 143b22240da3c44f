// Binding maps to a program that does not use them itself: they live as long as it does, and are found through it.

import { release } from 'node:os'
import { Attributes, bpfError } from './bpf.js'
import { errno } from './errno.js'
import { Unsupported } from './failure.js'
import type { BpfMap } from './map.js'
import type { BpfProgram } from './program.js'

/** Harmless for a map the program has already. Throws `Unsupported` before Linux 5.10. */
export function bindMap(program: BpfProgram, map: BpfMap): void {
  const result = new Attributes(12).u32(0, program.fd).u32(4, map.fd).call('PROG_BIND_MAP')
  // A kernel that does not know the command answers so.
  if (-result === errno.EINVAL)
    throw new Unsupported('binding maps to programs', 'Linux 5.10', `Linux ${release()}`)
  if (result < 0) throw bpfError('PROG_BIND_MAP', -result)
}
