/**
 * The sequencer and its worker as one would write them by hand, to measure the compiled ones against: 3 items of 16
 * bytes in front of each packet, a ring that holds every item twice, and a worker that applies items to a table of 4096
 * slots and drops.
 */

import {
  alu64,
  call,
  exit,
  ja,
  jge,
  jgt,
  jne,
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
  r7,
  r8,
  r9,
  stx,
} from '../../src/backend/ebpf/asm.js'
import type { Code } from '../../src/backend/ebpf/asm.js'
import { encode, link } from '../../src/backend/ebpf/encode.js'
import { seat } from '../../src/engine/live/spray.js'
import { createMap, mapFlags } from '../../src/sys/map.js'
import { mapMemory } from '../../src/sys/map-memory.js'
import { loadProgram } from '../../src/sys/program.js'
import type { BpfProgram } from '../../src/sys/program.js'

const items = 3
const itemBytes = 16
/** Number, index and padding, then the items. */
const header = 16 + items * itemBytes
const slots = 4096
/** Of the worker's map: u64 packets handled, then the table, u64 each. */
const tableAt = 64
/** Of the sequencer's: u64 number, u64 index, then every item twice. */
const ringAt = 16

export interface Recipe {
  readonly program: BpfProgram
  readonly worker: BpfProgram
  /** Packets that the worker has handled. */
  handled(): number
  close(): void
}

export function loadRecipe(cpu: number, queueSize: number): Recipe {
  const array = { type: 'array', keySize: 4, maxEntries: 1, flags: mapFlags.MMAPABLE } as const
  const state = createMap({ ...array, name: 'recipe_state', valueSize: ringAt + 2 * items * itemBytes })
  const table = createMap({ ...array, name: 'recipe_table', valueSize: tableAt + 8 * slots })
  const spray = createMap({
    type: 'cpumap',
    name: 'recipe_spray',
    keySize: 4,
    valueSize: 8,
    maxEntries: cpu + 1,
  })
  const descriptors = new Map(Object.entries({ state: state.fd, table: table.fd, spray: spray.fd }))
  const load = (name: string, code: Code, attachType?: 'xdp_cpumap'): BpfProgram =>
    loadProgram({
      type: 'xdp',
      name,
      instructions: link(encode(code), descriptors),
      licence: 'GPL',
      ...(attachType && { attachType }),
    })
  const worker = load('recipe_worker', workerCode, 'xdp_cpumap')
  seat(spray, cpu, queueSize, worker)
  const program = load('recipe', sequencerCode(cpu))
  const memory = mapMemory(table)
  const view = new DataView(memory.bytes.buffer, memory.bytes.byteOffset)
  return {
    program,
    worker,
    handled: () => Number(view.getBigUint64(0, true)),
    close() {
      memory.unmap()
      for (const object of [program, worker, spray, table, state]) object.close()
    },
  }
}

const drop = label('drop')

/** Addresses and ports of the packet are its item. */
const sequencerCode = (cpu: number): Code => [
  mov64.reg(r6, r1),
  ldx.w(r2, r6, 0),
  ldx.w(r3, r6, 4),
  mov64.reg(r1, r2),
  alu64.add.imm(r1, 38),
  jgt.reg(r1, r3, drop),
  ldx.dw(r7, r2, 26),
  ldx.w(r8, r2, 34),
  mov64.reg(r1, r6),
  mov64.imm(r2, -header),
  call('xdp_adjust_head'),
  jne.imm(r0, 0, drop),
  ldx.w(r2, r6, 0),
  ldx.w(r3, r6, 4),
  mov64.reg(r1, r2),
  alu64.add.imm(r1, header),
  jgt.reg(r1, r3, drop),
  ldMapValue(r9, 'state'),
  ldx.dw(r1, r9, 0),
  alu64.add.imm(r1, 1),
  stx.dw(r9, 0, r1),
  stx.dw(r2, 0, r1),
  ldx.dw(r4, r9, 8),
  stx.dw(r2, 8, r4),
  jge.imm(r4, items, drop),
  mov64.reg(r5, r4),
  alu64.mul.imm(r5, itemBytes),
  alu64.add.reg(r5, r9),
  ...Array.from({ length: (items * itemBytes) / 8 }, (_, k) => [
    ldx.dw(r1, r5, ringAt + 8 * k),
    stx.dw(r2, 16 + 8 * k, r1),
  ]).flat(),
  stx.dw(r5, ringAt, r7),
  stx.dw(r5, ringAt + 8, r8),
  stx.dw(r5, ringAt + items * itemBytes, r7),
  stx.dw(r5, ringAt + items * itemBytes + 8, r8),
  alu64.add.imm(r4, 1),
  jne.imm(r4, items, label('in ring')),
  mov64.imm(r4, 0),
  label('in ring'),
  stx.dw(r9, 8, r4),
  ldMap(r1, 'spray'),
  mov64.imm(r2, cpu),
  mov64.imm(r3, 0),
  call('redirect_map'),
  exit(),
  drop,
  mov64.imm(r0, 1),
  exit(),
]

/** Counts what hashes to a slot: r3 = the item's first eight bytes. */
const apply: Code = [
  alu64.mul.imm(r3, 0x9e3779b1),
  alu64.rsh.imm(r3, 20),
  alu64.and.imm(r3, slots - 1),
  alu64.lsh.imm(r3, 3),
  alu64.add.reg(r3, r9),
  ldx.dw(r4, r3, tableAt),
  alu64.add.imm(r4, 1),
  stx.dw(r3, tableAt, r4),
]

const workerCode: Code = [
  mov64.reg(r6, r1),
  ldx.w(r7, r6, 0),
  ldx.w(r8, r6, 4),
  mov64.reg(r1, r7),
  alu64.add.imm(r1, header + 34),
  jgt.reg(r1, r8, drop),
  ldMapValue(r9, 'table'),
  ...Array.from({ length: items }, (_, k) => [ldx.dw(r3, r7, 16 + k * itemBytes), ...apply]).flat(),
  ldx.dw(r3, r7, header + 26),
  ...apply,
  mov64.reg(r1, r6),
  mov64.imm(r2, header),
  call('xdp_adjust_head'),
  jne.imm(r0, 0, drop),
  ldx.dw(r1, r9, 0),
  alu64.add.imm(r1, 1),
  stx.dw(r9, 0, r1),
  ja(drop),
  drop,
  mov64.imm(r0, 1),
  exit(),
]
