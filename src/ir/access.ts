// What the interpreter needs of the world: state objects, settings, a packet. Only interfaces stand here, because ir/
// imports nothing of state/; whoever runs the interpreter brings an implementation (model.ts is the smallest one).

import type { Block, Instr } from './types.js'

/** A value at run time: i1 and i32 as a number (0 <= v < 2^32), i64 as a bigint (0 <= v < 2^64). */
export type Value = number | bigint

/** A table. `operands` are those of the IR operation, in its order: see ops.ts. Slots are numbers; 0 is none. */
export interface TableAccess {
  find(operands: readonly Value[]): number
  insert(operands: readonly Value[]): number
  remove(slot: number): void
  /** `operands` without the slot. */
  touch(slot: number, operands: readonly Value[]): void
  /** Fields are read zero-extended; any Value is accepted as result and cut to the type of the operation. */
  load(slot: number, field: string, part: number): Value
  /** The implementation cuts the value to the field's width. */
  store(slot: number, field: string, part: number, value: Value): void
}

export interface ArrayAccess {
  /** 0 beyond the end. */
  load(index: number, field: string, part: number): Value
  /** Ignored beyond the end. */
  store(index: number, field: string, part: number, value: Value): void
}

export interface PoolAccess {
  /** `clocks`: now, for each expiring table that releases into the pool, in declared order. */
  take(clocks: readonly number[]): number
  give(number: number): void
}

export interface RulesAccess {
  /** Entry, or 0. */
  lookup(key: readonly Value[]): number
  load(entry: number, field: string, part: number): Value
}

/** The bytes of an object, little-endian; addresses count from its first byte; width is 1, 2, 4 or 8. */
export interface RawAccess {
  load(address: number, width: number): Value
  store(address: number, width: number, value: Value): void
}

/** The state of one worker and the rules all share, by object name. Asked once per operation when code is prepared. */
export interface StateAccess {
  table(name: string): TableAccess
  array(name: string): ArrayAccess
  pool(name: string): PoolAccess
  rules(name: string): RulesAccess
  raw(name: string): RawAccess
}

/** Told what the interpreter does, in execution order. */
export interface Tracer {
  /** After each instruction, phis included; `value` is undefined for void ones. */
  instr?(instr: Instr, value: Value | undefined): void
  /** At each branch, before it is taken. */
  branch?(block: Block, taken: boolean): void
  /** At each jump, before it is taken. */
  jump?(block: Block): void
}

/** Everything that outlives a packet. */
export interface Host {
  readonly state: StateAccess
  /** Values set by the user; a setting that is not here has its default. Read at each use: they may change. */
  readonly settings?: ReadonlyMap<string, bigint>
  /** Of random(); 0 if left out. */
  readonly seed?: bigint
  /** Called for each `count`. */
  count?(counter: string, amount: bigint): void
  readonly tracer?: Tracer
  /** Instructions one call of an Executable may execute before it is taken for an endless loop; default 1,000,000. */
  readonly stepLimit?: number
}

/** A packet as a program receives it. */
export interface ReceivedPacket {
  /** The bytes that are present, from the Ethernet header; stores change them. */
  readonly bytes: Uint8Array
  /** Length on the wire, in bytes. */
  readonly originalLength: number
  /** Nanoseconds since the run's start. */
  readonly timestamp: bigint
  readonly sequence: bigint
  readonly device: number
}
