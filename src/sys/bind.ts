// Binding maps to a program that does not use them itself: they live as long as it does, and are found through it.

import { Attributes, bpf } from './bpf.js'
import type { BpfMap } from './map.js'
import type { BpfProgram } from './program.js'

/** Linux 5.10. Harmless for a map the program has already. */
export function bindMap(program: BpfProgram, map: BpfMap): void {
  bpf('PROG_BIND_MAP', new Attributes(12).u32(0, program.fd).u32(4, map.fd))
}
