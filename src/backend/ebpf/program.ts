// A whole program in bytecode: the packet function and those it calls, one after the other.
//
// The result is plain data: instructions, the maps they refer to, and where functions begin. loading it is the
// affair of whoever may speak to the kernel; encode.ts's `link` puts the descriptors in.

import type { Func } from '../../ir/types.js'
import { allocate } from './allocate.js'
import type { Code } from './asm.js'
import { emit } from './emit.js'
import { encode } from './encode.js'
import type { Encoded } from './encode.js'
import { stackBytes } from './opcodes.js'
import { select } from './select.js'
import type { Target } from './target.js'

/** A function that needs more stack than the kernel gives a program. */
export interface StackRefusal {
  readonly function: string
  /** Bytes that the call chain down to this function needs, of the 512 there are. */
  readonly bytes: number
  /** Variables that found no register, as the author calls them. */
  readonly variables: readonly string[]
}

export interface CompiledFunction {
  readonly name: string
  readonly code: Code
  readonly stack: number
  /** The largest result as the verifier knows it. */
  readonly largest: bigint
}

export interface BpfCode {
  readonly functions: readonly CompiledFunction[]
  readonly code: Code
  readonly encoded: Encoded
}

/** `functions`: callees and `main`, which becomes the entry, or is called by one whose frame takes `above` bytes. */
export function compileFunctions(
  functions: readonly Func[],
  target: Target,
  above = 0,
): BpfCode | StackRefusal {
  const entryFirst = called(functions)
  const spilled = new Map<string, readonly string[]>()
  const compiled = entryFirst.map(f => {
    const machine = select(f, target, f.name === 'main')
    const allocation = allocate(machine)
    spilled.set(f.name, allocation.spilled)
    return { name: f.name, largest: machine.largest, ...emit(machine, allocation) }
  })
  const refusal = overStack(compiled, spilled, above)
  if (refusal) return refusal
  const code = compiled.flatMap(f => f.code)
  return { functions: compiled, code, encoded: encode(code) }
}

/** `main` and what it calls, directly or not: the kernel refuses code that cannot be reached. */
function called(functions: readonly Func[]): Func[] {
  const byName = new Map(functions.map(f => [f.name, f]))
  const found = new Set([byName.get('main')!])
  for (const f of found)
    for (const b of f.blocks)
      for (const i of b.instrs) if (i.op === 'call') found.add(byName.get(String(i.attrs.callee))!)
  return [...found]
}

export const isRefusal = (result: BpfCode | StackRefusal): result is StackRefusal => 'variables' in result

/** The kernel rounds frames up; may_goto takes 16 bytes of a frame. */
const frameOf = (f: CompiledFunction): number => Math.ceil(Math.max(f.stack + 16, 1) / 32) * 32

function overStack(
  functions: readonly CompiledFunction[],
  spilled: ReadonlyMap<string, readonly string[]>,
  before: number,
): StackRefusal | undefined {
  const byName = new Map(functions.map(f => [f.name, f]))
  let worst: StackRefusal | undefined
  const visit = (f: CompiledFunction, above: number): void => {
    const bytes = above + frameOf(f)
    if (bytes > stackBytes && bytes > (worst?.bytes ?? 0))
      worst = { function: f.name, bytes, variables: spilled.get(f.name) ?? [] }
    const callees = new Set(f.code.flatMap(i => ('target' in i && i.target ? [i.target.label] : [])))
    for (const name of callees) {
      const callee = byName.get(name)
      if (callee && callee !== f) visit(callee, bytes)
    }
  }
  visit(functions[0], before)
  return worst
}
