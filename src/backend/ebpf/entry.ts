// What stands before a program that is attached to a device: it calls the packet function, counts the verdict, and
// turns it into the action that the kernel understands.
//
// Verdicts are XDP's numbers already, but a redirect carries the device in its upper bits: the kernel wants that told
// by a helper. Device numbers are the kernel's interface indices. Read program.ts and target.ts first.

import {
  alu64,
  call,
  callLocal,
  exit,
  jgt,
  jne,
  label,
  ldMapValue,
  ldx,
  mov64,
  r0,
  r1,
  r2,
  r6,
  r7,
  stx,
} from './asm.js'
import type { Code } from './asm.js'

/** The map of verdicts: for each CPU a cache line with the number of packets by verdict, u64 each. */
export const verdictsMap = '.verdicts'
export const verdictStride = 64
/** Verdicts by their number. */
export const verdictNames = ['aborted', 'drop', 'pass', 'transmit', 'redirect'] as const

const redirect = verdictNames.indexOf('redirect')

/** The code of a whole program with the entry before it. */
export function withEntry(code: Code, cpus: number): Code {
  const [done, plain, wrong] = ['done', 'plain', 'wrong'].map(name => label(`entry.${name}`))
  return [
    label('entry'),
    callLocal(label('main')),
    mov64.reg(r6, r0),
    mov64.reg(r7, r0),
    alu64.and.imm(r7, 0xff),
    jgt.imm(r7, redirect, wrong),
    call('smp_processor_id'),
    jgt.imm(r0, cpus - 1, done),
    alu64.mul.imm(r0, verdictStride),
    ldMapValue(r1, verdictsMap),
    alu64.add.reg(r1, r0),
    mov64.reg(r2, r7),
    alu64.lsh.imm(r2, 3),
    alu64.add.reg(r1, r2),
    ldx.dw(r2, r1, 0),
    alu64.add.imm(r2, 1),
    stx.dw(r1, 0, r2),
    done,
    jne.imm(r7, redirect, plain),
    mov64.reg(r1, r6),
    alu64.rsh.imm(r1, 8),
    mov64.imm(r2, 0),
    call('redirect'),
    exit(),
    plain,
    mov64.reg(r0, r7),
    exit(),
    wrong,
    mov64.imm(r0, 0),
    exit(),
    ...code,
  ]
}
