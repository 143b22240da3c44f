// What a lowered function stands in: where its packet, its state and its parameters are.

import type { Type } from '../../ir/types.js'
import type { Code, Local, ValType } from './asm.js'
import type { Func } from './module.js'

export interface Embedding {
  /** The function that the code becomes part of; new locals are declared here. */
  readonly func: Func
  /** The IR function's parameters, in order. */
  readonly params: readonly Local[]
  /** Address of the packet's first byte, and bytes present. Both i32. */
  readonly packet: Local
  readonly length: Local
  /** Address of the history item. */
  readonly item: Local
  /** Pushes `input name`. */
  readonly input: (name: string) => Code
  /** Pushes the value of a setting. */
  readonly setting: (name: string, type: Type) => Code
  /** Where a state object is: the address of its block, and its offset there. */
  readonly object: (name: string) => { base: Local; offset: number }
  /** Where the u64 of a counter is. */
  readonly counter: (name: string) => { base: Local; offset: number }
  /** A function of the program, and the arguments that come before its own. */
  readonly callee: (name: string) => { func: Func; leading: Code }
  /** Told of an addition in one step: the address, the number before, and what was added. */
  readonly added?: (place: Local, before: Local, amount: Local) => Code
  /** Leaves the function with these results; must not fall through. */
  readonly leave: (results: Code[]) => Code
}

/** Truth values are i32 0 or 1. */
export const wasmType = (type: Type): ValType => (type === 'i64' ? 'i64' : 'i32')
