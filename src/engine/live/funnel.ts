// Before a sequencer that several interfaces or receive queues have in common: a program on all of them that sends every
// packet through the queue of one CPU, whose program is the sequencer. One thread of the kernel empties that queue.

import { call, exit, ldMap, mov64, r1, r2, r3 } from '../../backend/ebpf/asm.js'
import { encode, link } from '../../backend/ebpf/encode.js'
import { createMap } from '../../sys/map.js'
import type { BpfMap } from '../../sys/map.js'
import { loadProgram } from '../../sys/program.js'
import type { BpfProgram } from '../../sys/program.js'
import { seat } from './spray.js'

/** Frames that its queue takes. */
const queueSize = 4096
const dropped = 1

export class Funnel {
  readonly map: BpfMap
  readonly program: BpfProgram

  constructor(cpu: number, sequencer: BpfProgram) {
    this.map = createMap({ type: 'cpumap', name: 'funnel', keySize: 4, valueSize: 8, maxEntries: cpu + 1 })
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
      this.program = loadProgram({ type: 'xdp', name: 'hairpin_funnel', instructions, licence: 'Apache-2.0' })
    } catch (error) {
      this.map.close()
      throw error
    }
  }

  close(): void {
    this.program.close()
    this.map.close()
  }
}
