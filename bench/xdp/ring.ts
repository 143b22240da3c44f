/**
 * Mode `many`: a driver that steps through packets of many flows and tail-calls the program under test for each.
 *
 * A test run has one buffer. The driver treats it as a ring of eight slots: it moves the packet's head from slot to
 * slot, and writes each packet four runs before it is read, so that no load of the program waits for a store of the
 * driver. What the driver costs is measured with an empty program in the place of the one under test.
 */

import {
  alu64,
  call,
  exit,
  jeq,
  jgt,
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
  stx,
} from '../../src/backend/ebpf/asm.js'
import type { Code } from '../../src/backend/ebpf/asm.js'
import { encode, link } from '../../src/backend/ebpf/encode.js'
import { createMap, mapFlags } from '../../src/sys/map.js'
import { mapMemory } from '../../src/sys/map-memory.js'
import { loadProgram } from '../../src/sys/program.js'
import type { BpfProgram } from '../../src/sys/program.js'

const slots = 8
/** Runs between a packet's writing and its reading. */
const ahead = 4
const XDP_DROP = 1

export interface Ring {
  readonly program: BpfProgram
  /** What a test run starts with. */
  readonly buffer: Uint8Array
  /** Before every call: puts the program under test in place, and begins with the first packet again. */
  select(program: BpfProgram): void
  close(): void
}

/** A ring over `packets`, a power of two of them, all of `packetBytes`, of which the first `templateBytes` differ. */
export function makeRing(packets: readonly Uint8Array[], packetBytes: number, templateBytes: number): Ring {
  const single = (name: string, valueSize: number) =>
    createMap({ type: 'array', name, keySize: 4, valueSize, maxEntries: 1, flags: mapFlags.MMAPABLE })
  const templates = single('templates', packets.length * templateBytes)
  const position = single('position', 8)
  const chosen = createMap({ type: 'prog_array', name: 'chosen', keySize: 4, valueSize: 4, maxEntries: 1 })
  const memory = mapMemory(templates)
  packets.forEach((bytes, k) => memory.bytes.set(bytes.subarray(0, templateBytes), k * templateBytes))
  memory.unmap()
  const at = mapMemory(position)
  const fds = { templates: templates.fd, position: position.fd, chosen: chosen.fd }
  const instructions = link(
    encode(driver(packets.length, packetBytes, templateBytes)),
    new Map(Object.entries(fds)),
  )
  const program = loadProgram({ type: 'xdp', name: 'ring', instructions, licence: 'GPL' })
  const buffer = new Uint8Array(slots * packetBytes)
  return {
    program,
    buffer,
    select(tested) {
      chosen.update(u32(0), u32(tested.fd))
      for (let k = 0; k < slots; k++) buffer.set(packets[k % packets.length], k * packetBytes)
      at.bytes.fill(0, 0, 8)
    },
    close() {
      at.unmap()
      for (const object of [program, templates, position, chosen]) object.close()
    },
  }
}

const u32 = (n: number): Uint8Array => new Uint8Array(new Uint32Array([n]).buffer)

function driver(count: number, packetBytes: number, templateBytes: number): Code {
  const [context, number, written, data] = [r6, r7, r8, r2]
  const [drop, first] = [label('drop'), label('first')]
  const copy = Array.from({ length: templateBytes / 8 }, (_, k) => [
    ldx.dw(r4, r1, 8 * k),
    stx.dw(written, 8 * k, r4),
  ]).flat()
  return [
    mov64.reg(context, r1),
    ldMapValue(r1, 'position'),
    ldx.dw(number, r1, 0),
    mov64.reg(r2, number),
    alu64.add.imm(r2, 1),
    stx.dw(r1, 0, r2),

    // Back to slot 0 from where the run before left the head; the first run of a call finds it there.
    mov64.imm(r2, 0),
    jeq.imm(number, 0, first),
    mov64.reg(r2, number),
    alu64.sub.imm(r2, 1),
    alu64.and.imm(r2, slots - 1),
    alu64.mul.imm(r2, -packetBytes),
    first,
    mov64.reg(r1, context),
    call('xdp_adjust_head'),

    // The packet of four runs later, to its slot.
    ldx.w(data, context, 0),
    ldx.w(r3, context, 4),
    mov64.reg(r5, number),
    alu64.add.imm(r5, ahead),
    mov64.reg(written, r5),
    alu64.and.imm(written, slots - 1),
    alu64.mul.imm(written, packetBytes),
    alu64.add.reg(written, data),
    mov64.reg(r1, written),
    alu64.add.imm(r1, templateBytes),
    jgt.reg(r1, r3, drop),
    alu64.and.imm(r5, count - 1),
    alu64.mul.imm(r5, templateBytes),
    ldMapValue(r1, 'templates'),
    alu64.add.reg(r1, r5),
    ...copy,

    // To this run's slot.
    mov64.reg(r2, number),
    alu64.and.imm(r2, slots - 1),
    alu64.mul.imm(r2, packetBytes),
    mov64.reg(r1, context),
    call('xdp_adjust_head'),

    mov64.reg(r1, context),
    ldMap(r2, 'chosen'),
    mov64.imm(r3, 0),
    call('tail_call'),
    drop,
    mov64.imm(r0, XDP_DROP),
    exit(),
  ]
}
