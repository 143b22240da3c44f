// What a program that is attached to a device does at its end: it counts the verdict, and turns it into the action that
// the kernel understands.
//
// Verdicts are XDP's numbers already, but a redirect carries the device in its upper bits: the kernel wants that told
// by a helper. Device numbers are the kernel's interface indices. The code stands where the packet function would
// return, because a call costs as much as a small program. Read program.ts and target.ts first.

import {
  alu64,
  call,
  exit,
  isLabel,
  ja,
  jeq,
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
  r6,
  stx,
} from './asm.js'
import type { Code, Instruction, Item, Label, Register } from './asm.js'
import { targetVerdict } from './lookup.js'
import { perCpuType } from './map-types.js'
import type { MapDeclaration } from './maps.js'
import { jumps } from './opcodes.js'
import type { CompiledFunction } from './program.js'
import type { KernelMap } from '../../state/kernel-map.js'

/** The map of verdicts: for each CPU a cache line with the number of packets by verdict, u64 each. */
export const verdictsMap = '.verdicts'
export const verdictStride = 64
/** Verdicts by their number. */
export const verdictNames = ['aborted', 'drop', 'pass', 'transmit', 'redirect'] as const

const redirect = verdictNames.indexOf('redirect')
/** Of a CPU's number: its cache line holds eight counts. */
const strideBits = 3

const isExit = (item: Item): boolean =>
  !isLabel(item) && (item.code & 0xf0) === jumps.exit && (item.code & 7) === 5

/** The map of verdicts. */
export const verdictsDeclaration = (cpus: number): MapDeclaration => ({
  name: verdictsMap,
  valueSize: verdictStride * cpus,
  valueType: btf => perCpuType(btf, 'hairpin_verdicts', verdictNames, verdictStride, cpus),
})

/**
 * The functions of a whole program, of which the packet function is the first, with its returns replaced. `targets`: the
 * maps that packets may be redirected through (lookup.ts, targetMaps).
 */
export function withEntry(
  [main, ...others]: readonly CompiledFunction[],
  cpus: number,
  targets: readonly KernelMap[] = [],
): readonly Pick<CompiledFunction, 'name' | 'code'>[] {
  const written = new Set<string>()
  const code: Item[] = []
  for (const item of main.code) {
    if (!isExit(item)) {
      code.push(item)
      continue
    }
    const last = code.at(-1)
    const known = last && setsResult(last) && last.imm >= 0 && last.imm < redirect ? last.imm : undefined
    if (known !== undefined) code.pop()
    const verdict = label(`entry.verdict${known ?? ''}`)
    if (written.has(verdict.label)) code.push(ja(verdict))
    else if (known !== undefined) code.push(verdict, ...endingOf(known, cpus))
    else
      code.push(
        verdict,
        ...throughMaps(targets),
        ...ending(cpus, main.largest < redirect, targets.length > 0),
      )
    written.add(verdict.label)
  }
  return [{ name: main.name, code }, ...others]
}

/** `r0 = constant`. */
const setsResult = (item: Item): item is Instruction =>
  !isLabel(item) && item.code === mov64.imm(r0, 0).code && item.dst === r0

/** Counts a verdict that is known, and leaves with it. */
function endingOf(verdict: number, cpus: number): Code {
  const counted = label(`entry.counted${verdict}`)
  return [
    call('smp_processor_id'),
    jgt.imm(r0, cpus - 1, counted),
    alu64.lsh.imm(r0, strideBits + 3),
    ldMapValue(r1, verdictsMap, 8 * verdict),
    alu64.add.reg(r1, r0),
    ldx.dw(r0, r1, 0),
    alu64.add.imm(r0, 1),
    stx.dw(r1, 0, r0),
    counted,
    mov64.imm(r0, verdict),
    exit(),
  ]
}

/**
 * Counts the verdict in r0 and leaves with it; `plain` if it is known to be one of drop, pass and transmit, `done` if a
 * redirect without a device has been made already.
 */
function ending(cpus: number, plain: boolean, done: boolean): Code {
  const [counted, wrong, action] = ['counted', 'wrong', 'action'].map(name => label(`entry.${name}`))
  return [
    mov64.reg(r6, r0),
    call('smp_processor_id'),
    ...(plain ? [] : [mov64.reg(r2, r6), alu64.and.imm(r2, 0xff), jgt.imm(r2, redirect, wrong)]),
    jgt.imm(r0, cpus - 1, counted),
    alu64.lsh.imm(r0, strideBits),
    alu64.add.reg(r0, plain ? r6 : r2),
    alu64.lsh.imm(r0, 3),
    ldMapValue(r1, verdictsMap),
    alu64.add.reg(r1, r0),
    ldx.dw(r0, r1, 0),
    alu64.add.imm(r0, 1),
    stx.dw(r1, 0, r0),
    counted,
    ...(plain ? [mov64.reg(r0, r6), exit()] : actionOf(action, wrong, done)),
  ]
}

/** Leaves with the action of the verdict whose number is in r2, and which is in r6. */
function actionOf(action: Label, wrong: Label, done: boolean): Code {
  return [
    mov64.reg(r0, r2),
    jne.imm(r2, redirect, action),
    ...(done ? [jeq.imm(r6, redirect, action)] : []),
    mov64.reg(r1, r6),
    alu64.rsh.imm(r1, 8),
    mov64.imm(r2, 0),
    call('redirect'),
    action,
    exit(),
    wrong,
    mov64.imm(r0, 0),
    exit(),
  ]
}

/** Redirects as the verdict in r0 says, if it names a map, and leaves in r0 what became of it. */
function throughMaps(targets: readonly KernelMap[]): Code {
  if (targets.length === 0) return []
  const other = label('entry.noMap')
  const field = (register: Register, shift: number, bits: number): Code => [
    mov64.reg(register, r0),
    alu64.rsh.imm(register, shift),
    alu64.and.imm(register, 2 ** bits - 1),
  ]
  const { index, missing, map, flag } = targetVerdict
  const ways = targets.flatMap(({ name }, k): Code => {
    const next = label(`entry.map${k}`)
    return [jne.imm(r4, k, next), ldMap(r1, name), call('redirect_map'), ja(other), next]
  })
  return [
    mov64.reg(r4, r0),
    alu64.rsh.imm(r4, flag),
    jne.imm(r4, 1, other),
    ...field(r2, index, 16),
    ...field(r3, missing, 2),
    ...field(r4, map, 5),
    ...ways,
    mov64.imm(r0, 0),
    other,
  ]
}
