// What stands before a program whose history is in shared memory (ring.ts): like frame.ts, but what was missed is read there.
//
//   entry    frame → checks → catchUp → header off → main → verdict

import {
  alu64,
  be32,
  callLocal,
  jeq,
  jne,
  jsgt,
  jslt,
  label,
  ldMapValue,
  ldx,
  mov64,
  r0,
  r1,
  r2,
  r3,
  r7,
  r8,
  r9,
} from './asm.js'
import type { Code } from './asm.js'
import { check, gapAndFlush, hand, inFull, reasons, verdict, wrong } from './frame.js'
import type { FrameShape } from './frame.js'
import type { HistoryRing } from './ring.js'
import { mapNames, runtime } from './target.js'

/** The entry: it calls `main` and `catchUp`. The frame has no slots. */
export function ringEntry(frame: FrameShape, ring: HistoryRing, transmits: boolean): Code {
  const caughtUp = label('entry.caughtUp')
  return [
    label('entry'),
    ...check(frame),
    // The packet's number in full, and by how much it is ahead of the last one.
    ldMapValue(r9, mapNames.runtime),
    ldx.dw(r2, r9, runtime.sequence),
    ldx.w(r3, r7, frame.outer),
    be32(r3),
    ...inFull,
    jslt.imm(r3, 1, wrong('stale')),
    jsgt.imm(r3, ring.entries, label('entry.gap')),
    mov64.reg(r8, r2),
    jeq.imm(r3, 1, caughtUp),
    mov64.reg(r1, r2),
    alu64.add.imm(r1, -1),
    callLocal(label('catchUp')),
    jne.imm(r0, 0, label('entry.gap')),
    caughtUp,
    mov64.reg(r2, r8),
    ...hand(frame),
    ...verdict(transmits),
    ...reasons(frame.outer > 0, gapAndFlush()),
  ]
}
