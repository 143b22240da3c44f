/**
 * Nanoseconds that a program takes in the kernel, net of an empty program measured right before it: by the processor
 * time of this thread around BPF_PROG_TEST_RUN.
 */

import { exit, mov64, r0 } from '../../src/backend/ebpf/asm.js'
import { encode } from '../../src/backend/ebpf/encode.js'
import { loadProgram } from '../../src/sys/program.js'
import type { BpfProgram } from '../../src/sys/program.js'
import { testRun } from '../../src/sys/test-run.js'
import { threadTime } from '../../src/sys/thread-time.js'
import { packetBytes, templateBytes } from './packets.js'
import type { PacketSet } from './packets.js'
import { makeRing } from './ring.js'

const XDP_TX = 3

/** A way of running programs: gross nanoseconds a run. */
export interface Mode {
  readonly name: string
  /** Nanoseconds a packet of this program alone. */
  measure(program: BpfProgram): number | Promise<number>
  close(): void
}

/** The program that everything is net of. */
export function emptyProgram(): BpfProgram {
  return loadProgram({
    type: 'xdp',
    name: 'empty',
    instructions: encode([mov64.imm(r0, XDP_TX), exit()]).bytes,
    licence: 'GPL',
  })
}

function gross(program: BpfProgram, data: Uint8Array, repeat: number): number {
  const begun = threadTime()
  testRun(program, { data, repeat })
  return Number(threadTime() - begun) / repeat
}

/** One packet of one flow again and again: everything is in the first cache, and branches are learnt. */
export function modeOne(packets: PacketSet, repeat: number): Mode {
  const empty = emptyProgram()
  const [data] = packets.measured
  return {
    name: 'one',
    measure(program) {
      const base = gross(empty, data, repeat)
      return gross(program, data, repeat) - base
    },
    close: () => empty.close(),
  }
}

/** All flows in random order. */
export function modeMany(packets: PacketSet, repeat: number): Mode {
  const empty = emptyProgram()
  const ring = makeRing(packets.measured, packetBytes, templateBytes)
  const run = (program: BpfProgram): number => {
    ring.select(program)
    return gross(ring.program, ring.buffer, repeat)
  }
  return {
    name: 'many',
    measure(program) {
      const base = run(empty)
      return run(program) - base
    },
    close() {
      ring.close()
      empty.close()
    },
  }
}
