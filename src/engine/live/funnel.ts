// Before a sequencer that several interfaces or receive queues have in common: a program on all of them that sends every
// packet through the queue of one CPU, whose program is the sequencer. One thread of the kernel empties that queue.

import { call, exit, ldMap, mov64, r1, r2, r3 } from '../../backend/ebpf/asm.js'
import { encode, link } from '../../backend/ebpf/encode.js'
import { bindMap } from '../../sys/bind.js'
import { createMap } from '../../sys/map.js'
import type { BpfMap } from '../../sys/map.js'
import { loadProgram } from '../../sys/program.js'
import type { BpfProgram } from '../../sys/program.js'
import { writeDescription } from '../kernel/description.js'
import type { LoadedProgram } from '../kernel/load.js'
import { Held } from './held.js'
import { seat } from './spray.js'

/** Frames that its queue takes. */
const queueSize = 4096
const dropped = 1

export class Funnel {
  readonly map: BpfMap
  readonly program: BpfProgram
  readonly #held = new Held()

  constructor(cpu: number, { program: sequencer, description }: LoadedProgram) {
    const { keep } = this.#held
    this.map = keep(
      createMap({ type: 'cpumap', name: 'funnel', keySize: 4, valueSize: 8, maxEntries: cpu + 1 }),
    )
    try {
      seat(this.map, cpu, queueSize, sequencer)
      const code = [
        ldMap(r1, 'funnel'),
        mov64.imm(r2, cpu),
        mov64.imm(r3, dropped),
        call('redirect_map'),
        exit(),
      ]
      const instructions = link(encode(code), new Map([['funnel', this.map.fd]]))
      this.program = keep(
        loadProgram({ type: 'xdp', name: 'hairpin_funnel', instructions, licence: 'Apache-2.0' }),
      )
      // It is what stands on the interfaces: it says what is behind it.
      bindMap(this.program, keep(writeDescription(description)))
    } catch (error) {
      this.close()
      throw error
    }
  }

  close(): void {
    this.#held.close()
  }
}
