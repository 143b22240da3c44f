/** The smallest XDP program that does something: it counts packets in an array map and returns a fixed verdict. */

import { exit, instructionBytes, loadMapValue, moveImmediate } from '../../src/sys/instruction.js'
import type { Instruction } from '../../src/sys/instruction.js'
import { createMap, mapFlags } from '../../src/sys/map.js'
import type { BpfMap } from '../../src/sys/map.js'
import { loadProgram } from '../../src/sys/program.js'
import type { BpfProgram } from '../../src/sys/program.js'

export const verdicts = { drop: 1, pass: 2, transmit: 3 } as const

export interface Counter {
  readonly map: BpfMap
  readonly program: BpfProgram
  /** Packets so far. */
  count(): number
  close(): void
}

/** `counter += 1; return verdict`, by an atomic addition. */
export function counterProgram(verdict: number, name = 'test_counter'): Counter {
  const map = createMap({
    type: 'array',
    name,
    keySize: 4,
    valueSize: 8,
    maxEntries: 1,
    flags: mapFlags.MMAPABLE,
  })
  const add: Instruction = [0xdb, 1, 2, 0, 0]
  const instructions = instructionBytes([
    ...loadMapValue(1, map.fd),
    moveImmediate(2, 1),
    add,
    moveImmediate(0, verdict),
    exit,
  ])
  const program = loadProgram({ type: 'xdp', name, instructions, licence: 'Apache-2.0' })
  return {
    map,
    program,
    count: () => Number(new DataView(map.lookup(new Uint8Array(4))!.buffer).getBigUint64(0, true)),
    close() {
      program.close()
      map.close()
    },
  }
}

/** A frame of `length` bytes: broadcast, EtherType 0x88b5 (local experiments), the rest its own offsets. */
export function frame(length: number): Uint8Array {
  const bytes = Uint8Array.from({ length }, (_, k) => k)
  bytes.set([255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 9, 0x88, 0xb5])
  return bytes
}
