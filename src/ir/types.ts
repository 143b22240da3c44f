// The intermediate representation: typed SSA over a control-flow graph.
//
// A function is a list of blocks; blocks[0] is the entry. A block holds instructions (phis first) and ends in one
// terminator. Every instruction is also the value it produces. Packet bytes are versioned memory: `load` names the
// version it reads (a value of type mem), `store` makes a new one, so reordering and slicing need no alias guesses
// about the packet. State objects (tables, arrays, pools) are not versioned: their operations stay in block order.
// What each operation means, reads and writes stands in one place, ops.ts. Read that next.

/** i1 is a truth value; i32 and i64 carry no sign (operations do); mem is a version of the packet's bytes. */
export type Type = 'i1' | 'i32' | 'i64' | 'mem' | 'void'

/** A range of UTF-16 offsets in the program's source text, end exclusive. */
export interface Span {
  readonly start: number
  readonly end: number
  /** The call that this was inlined for; absent in the packet function itself. */
  readonly call?: Call
}

/** One inlined call; each is an object of its own. */
export interface Call {
  /** Where the call stands, with the call around it if that was inlined too. */
  readonly span: Span
}

export type AttrValue = bigint | number | string | boolean
export type Attrs = { readonly [name: string]: AttrValue }

/** One instruction and the value it produces. `id` is unique within its function. */
export interface Instr {
  readonly id: number
  op: string
  type: Type
  args: Instr[]
  attrs: Attrs
  /** Where in the source it comes from. */
  span?: Span
  /** The author's name for it, such as `ip.source`; used by listings and by the metadata report. */
  name?: string
}

export type Terminator =
  | { op: 'jump'; targets: [Block]; span?: Span }
  /** Goes to targets[0] when cond is 1, to targets[1] when it is 0. */
  | { op: 'branch'; cond: Instr; targets: [Block, Block]; span?: Span }
  | { op: 'return'; args: Instr[]; targets: []; span?: Span }
  | { op: 'unreachable'; targets: []; span?: Span }

export interface Block {
  readonly id: number
  instrs: Instr[]
  term: Terminator
  /** Predecessors; the args of a phi stand in this order. A block that branches here twice is listed twice. */
  preds: Block[]
}

export interface Func {
  name: string
  /** Instructions with op `param`; they live in no block. */
  params: Instr[]
  result: Type
  blocks: Block[]
  /** The next unused id for an instruction or a block. */
  nextId: number
}

/** A value the user may set with `--set name=value`; constant during a run. */
export interface Setting {
  readonly name: string
  /** Scalar type name: u8, u16, u32, i32, u64, i64 or bool. */
  readonly type: string
  readonly default: bigint
  readonly description?: string
  /** How people spell it: ipv4, mac, port or hex; a number if left out. */
  readonly display?: string
  readonly span?: Span
}

/** A counter of verdict-side events: per worker, summed, never replayed. */
export interface Counter {
  readonly name: string
  readonly description?: string
}

/** A whole program. `O` is the declaration type of state objects (src/state/declaration.ts). */
export interface Program<O extends { readonly name: string } = { readonly name: string }> {
  readonly name: string
  /** SPDX identifier the program declares, if any. */
  readonly licence?: string
  readonly file: string
  readonly source: string
  readonly objects: readonly O[]
  readonly settings: readonly Setting[]
  readonly counters: readonly Counter[]
  /** The packet function (name `main`, no parameters, returns the verdict as i32), and after expansion its callees. */
  functions: Func[]
}
