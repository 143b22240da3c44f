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
import type { Machine } from './machine.js'
import { stackBytes } from './opcodes.js'
import { isSectionCall } from './section-map.js'
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
  /** Of one that is no function of the program's, and is verified by itself: the numbers that it takes. */
  readonly numbers?: readonly string[]
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
  const wanted = called(functions, [functionNamed('main', functions)])
  return finishFunctions(
    wanted.map(f => select(f, target, f.name === 'main')),
    ['main'],
    above,
  )
}

/**
 * From machine code to bytecode. `roots` are called by none of them, but by a frame that takes `above` bytes. `adapt` may
 * make another of each function.
 */
export function finishFunctions(
  machines: readonly Machine[],
  roots: readonly string[],
  above = 0,
  adapt = (f: CompiledFunction): CompiledFunction => f,
): BpfCode | StackRefusal {
  const spilled = new Map<string, readonly string[]>()
  const compiled = machines.map(machine => {
    const allocation = allocate(machine)
    spilled.set(machine.name, allocation.spilled)
    const { name, largest, numbers } = machine
    return adapt({ name, largest, ...(numbers && { numbers }), ...emit(machine, allocation) })
  })
  const refusal = overStack(compiled, roots, spilled, above)
  if (refusal) return refusal
  const code = compiled.flatMap(f => f.code)
  let encoded: Encoded | undefined
  return {
    functions: compiled,
    code,
    // Whoever adds functions that these call has no use for it.
    get encoded() {
      return (encoded ??= encode(code))
    },
  }
}

/** `roots` and what they call, directly or not: the kernel refuses code that cannot be reached. */
export function called(functions: readonly Func[], roots: readonly Func[]): Func[] {
  const found = new Set(roots)
  for (const f of found)
    for (const b of f.blocks)
      for (const i of b.instrs)
        if (i.op === 'call' && !isSectionCall(String(i.attrs.callee)))
          found.add(functionNamed(String(i.attrs.callee), functions))
  return [...found]
}

function functionNamed(name: string, functions: readonly Func[]): Func {
  const found = functions.find(f => f.name === name)
  if (!found) throw new Error(`no function ${name}`)
  return found
}

export const isRefusal = (result: BpfCode | StackRefusal): result is StackRefusal => 'variables' in result

/** The kernel rounds frames up; may_goto takes 16 bytes of a frame. */
const frameOf = (f: CompiledFunction): number => Math.ceil(Math.max(f.stack + 16, 1) / 32) * 32

function overStack(
  functions: readonly CompiledFunction[],
  roots: readonly string[],
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
  for (const root of roots) visit(byName.get(root)!, before)
  return worst
}
