// A program on interfaces that goes on in the program of the receive queue that a packet came by (a tail call). The kernel runs
// a queue on one CPU at a time, and so the program of a queue. Packets of queues without one are dropped and counted.

import {
  alu64,
  call,
  exit,
  ldMap,
  ldMapValue,
  ldx,
  mov64,
  r0,
  r1,
  r2,
  r3,
  r6,
  stx,
} from '../../backend/ebpf/asm.js'
import { encode, link } from '../../backend/ebpf/encode.js'
import { bindMap } from '../../sys/bind.js'
import { createMap, mapFlags } from '../../sys/map.js'
import { loadProgram } from '../../sys/program.js'
import type { BpfProgram } from '../../sys/program.js'
import { writeDescription } from '../kernel/description.js'
import type { Description } from '../kernel/description.js'
import { Held } from './held.js'
import { MappedMaps } from './workers.js'

const otherQueue = 'other'
const dropped = 1
/** Offset in struct xdp_md. */
const queueIndex = 16

const code = [
  mov64.reg(r6, r1),
  ldMap(r2, 'queues'),
  ldx.w(r3, r6, queueIndex),
  call('tail_call'),
  ldMapValue(r1, otherQueue),
  ldx.dw(r2, r1, 0),
  alu64.add.imm(r2, 1),
  stx.dw(r1, 0, r2),
  mov64.imm(r0, dropped),
  exit(),
]

export class Dispatcher {
  readonly program: BpfProgram
  readonly #other: MappedMaps
  readonly #held = new Held()

  /** Programs of the queues from 0 on, and what is behind it: it is what stands on the interfaces, and says so. */
  constructor(programs: readonly BpfProgram[], description: Description) {
    const { keep } = this.#held
    const one = { keySize: 4, maxEntries: 1 } as const
    try {
      const queues = keep(
        createMap({ ...one, type: 'prog_array', name: 'queues', valueSize: 4, maxEntries: programs.length }),
      )
      const other = keep(
        createMap({ ...one, type: 'array', name: otherQueue, valueSize: 8, flags: mapFlags.MMAPABLE }),
      )
      const descriptors = new Map([
        ['queues', queues.fd],
        [otherQueue, other.fd],
      ])
      this.program = keep(
        loadProgram({
          type: 'xdp',
          name: 'hairpin_queues',
          instructions: link(encode(code), descriptors),
          licence: 'Apache-2.0',
          attachType: 'xdp',
        }),
      )
      const word = (n: number): Uint8Array<ArrayBuffer> => new Uint8Array(new Uint32Array([n]).buffer)
      programs.forEach(({ fd }, queue) => queues.update(word(queue), word(fd)))
      this.#other = keep(new MappedMaps(new Map([[otherQueue, other]])))
      bindMap(this.program, keep(writeDescription(description)))
    } catch (error) {
      this.close()
      throw error
    }
  }

  /** Packets that it dropped, as counters of a sequencer are. */
  get drops(): ReadonlyMap<'otherQueue', bigint> {
    return new Map([['otherQueue', this.#other.view(otherQueue).getBigUint64(0, true)]])
  }

  close(): void {
    this.#held.close()
  }
}
