// Programs that lose frames on purpose, by their number, between a sequencer and its workers in a lab; and which packets
// survive.

import {
  alu64,
  be32,
  call,
  exit,
  ja,
  jeq,
  jgt,
  jlt,
  jset,
  label,
  ldMap,
  ldMapValue,
  ldx,
  mov64,
  r0,
  r1,
  r2,
  r3,
  r4,
  r5,
  r6,
  stx,
} from '../../src/backend/ebpf/asm.js'
import type { Code } from '../../src/backend/ebpf/asm.js'
import { encode, link } from '../../src/backend/ebpf/encode.js'
import { createMap, mapFlags } from '../../src/sys/map.js'
import type { BpfMap } from '../../src/sys/map.js'
import { mapMemory } from '../../src/sys/map-memory.js'
import { loadProgram } from '../../src/sys/program.js'
import type { BpfProgram } from '../../src/sys/program.js'
import { outerBytes } from '../../src/wire/history.js'

/** One frame in `one`, and `burst` in a row once in `period`. */
export interface Losses {
  readonly one: number
  readonly period: number
  readonly burst: number
}

const isLost = ({ one, period, burst }: Losses, number: number): boolean =>
  number % one === 7 || number % period < burst

const outOf = (losses: Losses, upTo: number): number[] =>
  Array.from({ length: upTo }, (_, k) => k + 1).filter(n => isLost(losses, n))

/** Packets that some frame brought to a worker; `end` packets, then flushes for all. */
export function survivors(losses: Losses, end: number, slots: number): boolean[] {
  const lost = new Set(outOf(losses, end))
  return Array.from({ length: end }, (_, k) => {
    for (let n = k + 1; n <= k + 1 + slots; n++) if (n > end || !lost.has(n)) return true
    return false
  })
}

export const lostOf = (losses: Losses, end: number): number => outOf(losses, end).length

/** Loses frames and has the rest go on: into a worker, or out of a device. */
export class Losing {
  readonly program: BpfProgram
  readonly #lost: BpfMap
  readonly #programs: BpfMap | undefined

  /** `to`: a worker of a CPU map, or the index of a device that frames with an outer header leave by. */
  constructor(losses: Losses, to: BpfProgram | number, flushOf?: number) {
    const outer = typeof to === 'number' ? outerBytes : 0
    this.#lost = createMap({
      type: 'array',
      name: 'lost',
      keySize: 4,
      valueSize: 8,
      maxEntries: 1,
      flags: mapFlags.MMAPABLE,
    })
    const descriptors = new Map([['lost', this.#lost.fd]])
    if (typeof to !== 'number') {
      this.#programs = createMap({
        type: 'prog_array',
        name: 'next',
        keySize: 4,
        valueSize: 4,
        maxEntries: 1,
      })
      descriptors.set('next', this.#programs.fd)
    }
    this.program = loadProgram({
      type: 'xdp',
      name: 'test_losing',
      instructions: link(encode(code(losses, outer, to, flushOf)), descriptors),
      licence: 'Apache-2.0',
      attachType: typeof to === 'number' ? 'xdp' : 'xdp_cpumap',
    })
    if (typeof to !== 'number')
      this.#programs!.update(new Uint8Array(4), new Uint8Array(new Uint32Array([to.fd]).buffer))
  }

  get lost(): number {
    const { bytes, unmap } = mapMemory(this.#lost)
    const n = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true)
    unmap()
    return Number(n)
  }

  close(): void {
    this.program.close()
    this.#programs?.close()
    this.#lost.close()
  }
}

function code({ one, period, burst }: Losses, outer: number, to: BpfProgram | number, flushOf = -1): Code {
  const [on, lose, flush] = ['on', 'lose', 'flush'].map(label)
  return [
    mov64.reg(r6, r1),
    ldx.w(r2, r1, 0),
    ldx.w(r3, r1, 4),
    mov64.reg(r4, r2),
    alu64.add.imm(r4, outer + 8),
    jgt.reg(r4, r3, on),
    ldx.b(r4, r2, outer + 4),
    jset.imm(r4, 8, flush),
    ldx.w(r5, r2, outer),
    be32(r5),
    mov64.reg(r4, r5),
    alu64.mod.imm(r4, one),
    jeq.imm(r4, 7, lose),
    alu64.mod.imm(r5, period),
    jlt.imm(r5, burst, lose),
    ja(on),
    flush,
    // The source address ends in the worker's number.
    ...(outer > 0 ? [ldx.b(r4, r2, 11), jeq.imm(r4, flushOf, lose)] : []),
    on,
    ...(typeof to === 'number'
      ? [mov64.imm(r1, to), mov64.imm(r2, 0), call('redirect'), exit()]
      : [mov64.reg(r1, r6), ldMap(r2, 'next'), mov64.imm(r3, 0), call('tail_call')]),
    lose,
    ldMapValue(r1, 'lost'),
    ldx.dw(r2, r1, 0),
    alu64.add.imm(r2, 1),
    stx.dw(r1, 0, r2),
    mov64.imm(r0, 1),
    exit(),
  ]
}
