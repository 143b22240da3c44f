// One state for all CPUs, under one spin lock: a function before the packet function, which holds the lock while that
// runs. The kernel lets no helper be called under a lock, so what helpers give is asked for before and kept in the
// runtime's map, which the lock protects too: the packet function is compiled for inputs from memory and for one CPU's
// counters. Wherever it leaves, by a return or by a bound that the verifier wanted, the lock is given up behind it.
// Read program.ts, target.ts and entry.ts first.

import { readsInput } from '../../ir/inputs.js'
import type { Func } from '../../ir/types.js'
import {
  alu64,
  call,
  callLocal,
  exit,
  jge,
  jgt,
  label,
  ldMapValue,
  ldx,
  mov64,
  r0,
  r1,
  r2,
  r3,
  r6,
  r7,
  r8,
  stx,
} from './asm.js'
import type { Code } from './asm.js'
import type { MapDeclaration } from './maps.js'
import type { CompiledFunction } from './program.js'
import { mapNames, runtime } from './target.js'
import type { Target } from './target.js'

/** The map with the lock, in a cache line of its own. */
export const lockMap = '.lock'
const lockBytes = 64

export const lockDeclaration: MapDeclaration = {
  name: lockMap,
  valueSize: lockBytes,
  valueType: btf => {
    // The kernel knows a lock by this name.
    const lock = btf.struct('bpf_spin_lock', 4, [{ name: 'val', type: btf.unsigned(4), offset: 0 }])
    const rest = btf.array(btf.unsigned(4), lockBytes / 4 - 1)
    return btf.struct('hairpin_lock', lockBytes, [
      { name: 'lock', type: lock, offset: 0 },
      { name: 'reserved', type: rest, offset: 4 },
    ])
  },
}

/** Name of the function before the packet function. */
export const lockedName = 'locked'
/** Bytes of stack that it takes, as the kernel rounds. */
export const lockedFrame = 32

/** Offsets in struct xdp_md. */
const context = { data: 0, dataEnd: 4, ingress: 12 } as const

/** Which packet (its first four bytes) came to which verdict, in the order in which they held the lock. */
export const commitsMap = '.commits'
export const mostCommits = 65_536
/** Byte offsets in its value: u64 how many there are, then u32 packet and u32 verdict of each. */
export const commits = { count: 0, first: 8, stride: 8 } as const

export const commitsDeclaration: MapDeclaration = {
  name: commitsMap,
  valueSize: commits.first + commits.stride * mostCommits,
  valueType: btf => btf.array(btf.unsigned(8), 1 + mostCommits),
}

export interface LockOptions {
  /** Where the program's inputs come from; those in memory are left as they are. */
  readonly inputs: Target['inputs']
  /** Keep the order of packets in `commitsMap`: for tests. */
  readonly checking?: boolean
}

/** The functions of a program, `main` first, with what holds the lock before them. */
export function underLock(
  functions: readonly CompiledFunction[],
  main: Func,
  { inputs, checking = false }: LockOptions,
): readonly CompiledFunction[] {
  const reads = (name: string): boolean => inputs === 'kernel' && readsInput(main, name)
  const later = label('locked.later')
  const time: Code = [
    ldMapValue(r1, mapNames.runtime, runtime.start),
    ldx.dw(r2, r1, 0),
    alu64.sub.reg(r7, r2),
    // CPUs come in another order than they looked at the clock: time does not step back for the program.
    ldx.dw(r2, r1, runtime.timestamp - runtime.start),
    jge.reg(r7, r2, later),
    mov64.reg(r7, r2),
    later,
    stx.dw(r1, runtime.timestamp - runtime.start, r7),
  ]
  const length: Code = [
    ldx.w(r2, r6, context.data),
    ldx.w(r3, r6, context.dataEnd),
    alu64.sub.reg(r3, r2),
    ldMapValue(r1, mapNames.runtime, runtime.originalLength),
    stx.w(r1, 0, r3),
  ]
  const device: Code = [
    ldx.w(r2, r6, context.ingress),
    ldMapValue(r1, mapNames.runtime, runtime.device),
    stx.w(r1, 0, r2),
  ]
  const [short, full] = [label('locked.short'), label('locked.full')]
  const packetNumber: Code = [
    mov64.imm(r8, 0),
    ldx.w(r2, r6, context.data),
    ldx.w(r3, r6, context.dataEnd),
    mov64.reg(r1, r2),
    alu64.add.imm(r1, 4),
    jgt.reg(r1, r3, short),
    ldx.w(r8, r2, 0),
    short,
  ]
  const commit: Code = [
    ldMapValue(r1, commitsMap),
    ldx.dw(r2, r1, commits.count),
    jge.imm(r2, mostCommits, full),
    mov64.reg(r3, r2),
    alu64.add.imm(r3, 1),
    stx.dw(r1, commits.count, r3),
    alu64.mul.imm(r2, commits.stride),
    alu64.add.reg(r1, r2),
    stx.w(r1, commits.first, r8),
    stx.w(r1, commits.first + 4, r6),
    full,
  ]
  const code: Code = [
    label(lockedName),
    mov64.reg(r6, r1),
    ...(reads('timestamp') ? [call('ktime_get_ns'), mov64.reg(r7, r0)] : []),
    ldMapValue(r1, lockMap),
    call('spin_lock'),
    ...(reads('timestamp') ? time : []),
    ...(reads('originalLength') ? length : []),
    ...(reads('device') ? device : []),
    ...(checking ? packetNumber : []),
    mov64.reg(r1, r6),
    callLocal(label('main')),
    mov64.reg(r6, r0),
    ...(checking ? commit : []),
    ldMapValue(r1, lockMap),
    call('spin_unlock'),
    mov64.reg(r0, r6),
    exit(),
  ]
  return [{ name: lockedName, code, stack: 0, largest: functions[0].largest }, ...functions]
}
