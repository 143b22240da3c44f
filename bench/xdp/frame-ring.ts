/**
 * A driver that steps through frames and tail-calls the worker under test for each: as ring.ts does, but it numbers
 * the frames, and finds the head where a worker that takes its header off leaves it.
 */

import {
  alu64,
  be32,
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

/** Frames in the buffer of a test run, which has one page; and runs between a frame's writing and its reading. */
const places = 4
const ahead = 2
const XDP_DROP = 1

export interface FrameRing {
  readonly program: BpfProgram
  /** What a test run starts with. */
  readonly buffer: Uint8Array
  /** Before every call; `stripped` is what the program takes off a frame. */
  select(program: BpfProgram, stripped: number): void
  close(): void
}

/** A ring over frames, a power of two of them, for a worker whose frames' numbers rise by `step`. */
export function makeFrameRing(frames: readonly Uint8Array[], step: number): FrameRing {
  const [{ length: frameBytes }] = frames
  const single = (name: string, valueSize: number) =>
    createMap({ type: 'array', name, keySize: 4, valueSize, maxEntries: 1, flags: mapFlags.MMAPABLE })
  const templates = single('templates', frames.length * frameBytes)
  const position = single('position', 16)
  const chosen = createMap({ type: 'prog_array', name: 'chosen', keySize: 4, valueSize: 4, maxEntries: 1 })
  const memory = mapMemory(templates)
  frames.forEach((bytes, k) => memory.bytes.set(bytes, k * frameBytes))
  memory.unmap()
  const at = mapMemory(position)
  const words = new DataView(at.bytes.buffer, at.bytes.byteOffset)
  const fds = { templates: templates.fd, position: position.fd, chosen: chosen.fd }
  const code = driver(frames.length, frameBytes, step)
  const program = loadProgram({
    type: 'xdp',
    name: 'frame_ring',
    // The kernel lets a program call only those that are loaded for the same use.
    attachType: 'xdp',
    instructions: link(encode(code), new Map(Object.entries(fds))),
    licence: 'GPL',
  })
  const buffer = new Uint8Array(places * frameBytes)
  return {
    program,
    buffer,
    select(tested, stripped) {
      chosen.update(u32(0), u32(tested.fd))
      const view = new DataView(buffer.buffer)
      for (let k = 0; k < places; k++) {
        buffer.set(frames[k % frames.length], k * frameBytes)
        view.setUint32(k * frameBytes, (k + 1) * step)
      }
      words.setBigUint64(0, 0n, true)
      words.setBigUint64(8, BigInt(stripped), true)
    },
    close() {
      at.unmap()
      for (const object of [program, templates, position, chosen]) object.close()
    },
  }
}

const u32 = (n: number): Uint8Array => new Uint8Array(new Uint32Array([n]).buffer)

function driver(count: number, frameBytes: number, step: number): Code {
  const [context, number, written, data] = [r6, r7, r8, r2]
  const [drop, first] = [label('drop'), label('first')]
  const copy = Array.from({ length: frameBytes / 8 }, (_, k) => [
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

    // Back to the first frame from where the run before left the head; the first run of a call finds it there.
    mov64.imm(r2, 0),
    jeq.imm(number, 0, first),
    mov64.reg(r2, number),
    alu64.sub.imm(r2, 1),
    alu64.and.imm(r2, places - 1),
    alu64.mul.imm(r2, -frameBytes),
    ldx.dw(r3, r1, 8),
    alu64.sub.reg(r2, r3),
    first,
    mov64.reg(r1, context),
    call('xdp_adjust_head'),

    // The frame of some runs later, to its place, with its number.
    ldx.w(data, context, 0),
    ldx.w(r3, context, 4),
    mov64.reg(r5, number),
    alu64.add.imm(r5, ahead),
    mov64.reg(written, r5),
    alu64.and.imm(written, places - 1),
    alu64.mul.imm(written, frameBytes),
    alu64.add.reg(written, data),
    mov64.reg(r1, written),
    alu64.add.imm(r1, frameBytes),
    jgt.reg(r1, r3, drop),
    mov64.reg(r3, r5),
    alu64.and.imm(r5, count - 1),
    alu64.mul.imm(r5, frameBytes),
    ldMapValue(r1, 'templates'),
    alu64.add.reg(r1, r5),
    ...copy,
    alu64.add.imm(r3, 1),
    alu64.mul.imm(r3, step),
    be32(r3),
    stx.w(written, 0, r3),

    // To this run's place.
    mov64.reg(r2, number),
    alu64.and.imm(r2, places - 1),
    alu64.mul.imm(r2, frameBytes),
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
