// Code between selection and emission: a graph of blocks whose values have no registers yet.
//
// select.ts makes it from IR, allocate.ts gives every value a register or a stack slot, emit.ts writes assembly.
// Registers r0 and r1 are never given to values: instructions may use them freely while they are written.

import type { Code, Item, Label, Register } from './asm.js'

/** A value of up to 64 bits; narrower ones are zero-extended. */
export interface Value {
  readonly id: number
  /** The author's name for it, for messages. */
  readonly name?: string
  /** A register it would like to be in. */
  prefer?: Register
  /** A value whose register it would like to have. */
  like?: Value
  /** Where it is read from, if that holds it for as long as it is needed: no reason to keep it on the stack. */
  again?: Source
}

/** Memory that a function only reads. */
export interface Source {
  readonly pointer: Value
  readonly off: number
  readonly width: number
}

/** A constant is held as an unsigned 64-bit number. */
export type Operand = Value | bigint
export const isValue = (o: Operand): o is Value => typeof o !== 'bigint'

/** What an instruction sees while it is written: see emit.ts. */
export interface Out {
  push(...items: Code): void
  /** A register that holds the operand; a constant or a spilled value is brought into `scratch`. */
  read(operand: Operand, scratch: Register): Register
  /** Brings the operand into this very register. */
  into(register: Register, operand: Operand): void
  /** Runs `compute` with the register to leave the result in: the value's own, or the scratch if it is spilled. */
  write(value: Value, scratch: Register, compute: (register: Register) => void): void
  label(): Label
  /** Leaves the program where the kernel's verifier must be shown a way out that is never taken. */
  readonly trap: Label
  /** Offset from the frame pointer of so many slots of 8 bytes, for as long as one instruction is written. */
  area(slots: number): number
  /** Offset from the frame pointer of `slots` slots that are the function's own, from the one called `first` on. */
  kept(first: number, slots: number): number
  /** Brings arguments into r1, r2, …; more than five go through memory, and r1 points to them. */
  arguments(operands: readonly Operand[]): void
}

export interface Step {
  readonly dst?: Value
  readonly uses: readonly Value[]
  /** Loses r1 to r5. */
  readonly call?: boolean
  /** Does something besides its result. */
  readonly kept?: boolean
  /** Reads or writes a state object. */
  readonly state?: boolean
  readonly write: (out: Out) => void
  /** What it does, where that is a choice between two constants. */
  readonly choice?: { readonly condition: Condition; readonly yes: bigint; readonly no: bigint }
  /** Offset in the program's source. */
  readonly origin?: number
}

/** A condition of a branch: jumps to `target` if it is `sense`, and falls through otherwise. */
export interface Condition {
  readonly uses: readonly Value[]
  readonly jump: (out: Out, target: Label, sense: boolean) => void
}

export interface Phi {
  readonly dst: Value
  /** In the order of the block's predecessors. */
  readonly args: Operand[]
}

export type End =
  | { readonly kind: 'jump'; targets: [Block] }
  | { readonly kind: 'branch'; readonly condition: Condition; targets: [Block, Block] }
  | { readonly kind: 'return'; readonly result?: Operand; targets: [] }
  | { readonly kind: 'trap'; targets: [] }

export interface Block {
  /** Unique in its machine. */
  id: number
  /** How many loops it is in. */
  depth: number
  phis: Phi[]
  steps: Step[]
  end: End
  /** Predecessors in the order of phi operands. */
  preds: Block[]
}

export interface Machine {
  readonly name: string
  readonly params: readonly Value[]
  /** The largest result as the verifier knows it. */
  readonly largest: bigint
  /** It is verified by itself, and takes these numbers; else it is what the program's functions say, or verified with its caller. */
  readonly numbers?: readonly string[]
  /** Slots of the stack that instructions share from one to the next; none if absent. */
  readonly kept?: number
  /** Each behind its dominator. */
  blocks: Block[]
  /** Where a branch leaves a loop, the way out is the one that falls through. */
  readonly exitsFirst: boolean
  /** Blocks may change places, so that most packets run straight on (layout.ts). */
  readonly straight: boolean
}

/** Values among operands. */
export const valuesIn = (operands: readonly Operand[]): Value[] => operands.filter(isValue)

export type { Code, Item, Label, Register }
