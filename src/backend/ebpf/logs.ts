// The maps of loss recovery in the kernel, and code that finds its way in them (docs/recovery.md).
//
// All workers' logs stand one after the other in one map that every worker's program has; their form is that of user
// space (../wasm/log.ts). Beside it each worker has a map of its own: where its log is, how far it has come, what it
// counted, and what a run leaves for the next one. The verifier knows nothing of what is loaded from there, so that
// loops over it are looked at once.
//
// Order between CPUs: entries are written with plain stores, and progress by an exchange, which the kernel's memory
// model makes a full barrier on every machine: whoever sees the progress sees the entries, and no later entry is seen
// before it. A reader has a barrier on either side of its copy: an exchange with a word of its own.

import { entry, entryBytes, log, logBytes } from '../wasm/log.js'
import { alu64, atomic, jgt, label, ldMapValue, ldx, mov64, r9, stx } from './asm.js'
import type { Code, Register } from './asm.js'
import type { MapDeclaration } from './maps.js'

/** The logs of all workers. */
export const logsMap = '.logs'
/** What a worker keeps for itself. */
export const recoveryMap = '.recovery'

/** Its columns, u64 each. */
export const recoveryColumns = [
  /** Byte offset of its own log. */
  'own',
  /** The last number that its state has seen, and the last one in its log. */
  'last',
  'logged',
  /** 1 once it has given up. */
  'stopped',
  /** Numbers it found missing; of these, read in another log; of these, found to have reached nobody. */
  'detected',
  'recovered',
  'everywhere',
  /** Packets that arrived after it had given up. */
  'unrecoverable',
  /** Numbers that this run may still look at. */
  'rounds',
  /** Byte offset of the log that is looked into next. */
  'other',
  /** A log has not come to the number yet; a log no longer has it. */
  'pending',
  'gone',
  /** Exchanged for nothing but order. */
  'fence',
] as const
export type RecoveryColumn = (typeof recoveryColumns)[number]
/** Byte offset of a column. */
export const columnAt = (name: RecoveryColumn): number => 8 * recoveryColumns.indexOf(name)
/** Byte offset of room for one entry, behind the columns. */
export const copyAt = 128

/** Where logs are, and how long. */
export interface Logs {
  readonly workers: number
  /** Entries of each: a power of two. */
  readonly entries: number
  readonly itemBytes: number
}

export const recoveryBytes = ({ itemBytes }: Logs): number =>
  Math.ceil((copyAt + entryBytes(itemBytes)) / 64) * 64

/** Bytes from one log to the next. */
export const logStride = ({ entries, itemBytes }: Logs): number => logBytes(entries, itemBytes)

/** First contents of the map that worker `w` keeps for itself; `last` is the number before the first packet's. */
export function recoveryContents(logs: Logs, w: number, last: bigint): Uint8Array {
  const bytes = new Uint8Array(recoveryBytes(logs))
  const view = new DataView(bytes.buffer)
  view.setBigUint64(columnAt('own'), BigInt(w * logStride(logs)), true)
  view.setBigUint64(columnAt('last'), last, true)
  view.setBigUint64(columnAt('logged'), last, true)
  return bytes
}

export function recoveryDeclarations(logs: Logs): MapDeclaration[] {
  const size = logStride(logs)
  const own = recoveryBytes(logs)
  const of = entryBytes(logs.itemBytes)
  return [
    {
      name: logsMap,
      valueSize: logs.workers * size,
      valueType: btf => {
        const [u8, u64] = [btf.unsigned(1), btf.unsigned(8)]
        const one = btf.struct('hairpin_log_entry', of, [
          { name: 'tag', type: u64, offset: entry.tag },
          { name: 'item', type: btf.array(u8, of - entry.item), offset: entry.item },
        ])
        const whole = btf.struct('hairpin_log', size, [
          { name: 'progress', type: u64, offset: log.progress },
          { name: 'entries', type: btf.array(one, logs.entries + 1), offset: log.entries },
        ])
        return btf.array(whole, logs.workers)
      },
    },
    {
      name: recoveryMap,
      valueSize: own,
      valueType: btf => {
        const u64 = btf.unsigned(8)
        const columns = recoveryColumns.map(name => ({ name, type: u64, offset: columnAt(name) }))
        const copy = { name: 'copy', type: btf.array(btf.unsigned(1), own - copyAt), offset: copyAt }
        return btf.struct('hairpin_recovery', own, [...columns, copy])
      },
    },
  ]
}

/** Leaves the address of the worker's own log in `to`; r9 is its own map. */
export const ownLog = (logs: Logs, to: Register, scratch: Register, trap: string): Code => [
  ldx.dw(scratch, r9, columnAt('own')),
  ...logAt(logs, to, scratch, trap),
]

/** The address of the log at a byte offset, which is that of a log. */
export const logAt = (logs: Logs, to: Register, offset: Register, trap: string): Code => [
  jgt.imm(offset, (logs.workers - 1) * logStride(logs), label(trap)),
  // Changes nothing, but shows the verifier that exchanges there are aligned.
  alu64.and.imm(offset, -64),
  ldMapValue(to, logsMap),
  alu64.add.reg(to, offset),
]

/** to = the address of the entry of a number in a log; the entry's tag is at `tagAt` from there. */
export const entryAt = (logs: Logs, to: Register, logAddress: Register, number: Register): Code => [
  ...(to === number ? [] : [mov64.reg(to, number)]),
  alu64.and.imm(to, logs.entries - 1),
  alu64.mul.imm(to, entryBytes(logs.itemBytes)),
  alu64.add.reg(to, logAddress),
]
export const tagAt = log.entries + entry.tag
export const itemAt = log.entries + entry.item

/** Copies an entry's item, in words of 8 bytes. */
export const copyItem = (
  { itemBytes }: Pick<Logs, 'itemBytes'>,
  to: Register,
  toAt: number,
  from: Register,
  fromAt: number,
  scratch: Register,
): Code =>
  Array.from({ length: Math.ceil(itemBytes / 8) }, (_, k) => [
    ldx.dw(scratch, from, fromAt + 8 * k),
    stx.dw(to, toAt + 8 * k, scratch),
  ]).flat()

/** Makes what was written up to the number in `upTo` visible to the others; `upTo` is lost. */
export const publish = (logAddress: Register, upTo: Register): Code => [
  atomic.xchg('dw', logAddress, log.progress, upTo),
]

/** Adds one to a column; r9 is the worker's own map. */
export const countIn = (name: RecoveryColumn, scratch: Register): Code => [
  ldx.dw(scratch, r9, columnAt(name)),
  alu64.add.imm(scratch, 1),
  stx.dw(r9, columnAt(name), scratch),
]
