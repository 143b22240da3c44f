/**
 * WebAssembly instructions as values that read like the text format:
 *
 *     const next = label('next')
 *     loop(next, [local.get(n), i32.const(1), i32.sub, local.tee(n), br_if(next)])
 *
 * An instruction without an immediate is a constant (`i32.add`), one with an immediate a function
 * (`local.get(x)`, `i64.load(offset, align)`). Branch targets are labels, never depths; locals, globals,
 * functions and data segments are the objects that module.ts hands out. Indices and depths are found at encoding.
 *
 * Names follow the text format, with a trailing underscore where JavaScript reserves the word: `if_`, `return_`.
 * Read opcodes.ts first (the table these are made from), then module.ts.
 */
import { opcodes, type ImmediateOf, type Name, type Opcode, type ValType } from './opcodes.js'

export type { ValType } from './opcodes.js'

export interface Local {
  readonly type: ValType
  readonly name: string
  /** Position among the function's parameters and locals. */
  readonly index: number
}

/** What instructions need to know of a global; made by `Module.global`. */
export interface GlobalRef {
  readonly type: ValType
  readonly mutable: boolean
  readonly name: string
}

/** What instructions need to know of a function; made by `Module.func`. */
export interface FuncRef {
  readonly name: string
  readonly type: FuncType
}

/** What instructions need to know of a data segment; made by `Module.data`. */
export interface DataRef {
  readonly name: string
  readonly bytes: Uint8Array
}

export interface FuncType {
  readonly params: readonly ValType[]
  readonly results: readonly ValType[]
}

/** A branch target, compared by identity. Branching to a block leaves it; branching to a loop repeats it. */
export class Label {
  readonly name: string
  constructor(name: string) {
    this.name = name
  }
}

export type Instr =
  | { readonly kind: 'plain'; readonly op: Opcode }
  | { readonly kind: 'local'; readonly op: Opcode; readonly local: Local }
  | { readonly kind: 'global'; readonly op: Opcode; readonly global: GlobalRef }
  | { readonly kind: 'call'; readonly op: Opcode; readonly func: FuncRef }
  | { readonly kind: 'data'; readonly op: Opcode; readonly data: DataRef }
  | { readonly kind: 'memory'; readonly op: Opcode; readonly offset: number; readonly align: number }
  | { readonly kind: 'i32'; readonly op: Opcode; readonly value: number }
  | { readonly kind: 'i64'; readonly op: Opcode; readonly value: bigint }
  | { readonly kind: 'v128'; readonly op: Opcode; readonly value: bigint }
  | { readonly kind: 'lane'; readonly op: Opcode; readonly lane: number }
  | Block
  | { readonly kind: 'branch'; readonly op: Opcode; readonly target: Label }
  | {
      readonly kind: 'table'
      readonly op: Opcode
      readonly targets: readonly Label[]
      readonly otherwise: Label
    }

/** `block`, `loop` and `if`. */
export interface Block {
  readonly kind: 'block'
  readonly op: Opcode
  readonly label: Label
  readonly type: FuncType
  readonly body: readonly Instr[]
  /** The else branch of an `if`; undefined if it has none. */
  readonly otherwise: readonly Instr[] | undefined
}

/** Instructions in order; arrays nest freely, so that a helper can return several. */
export type Code = Instr | readonly Code[]

/** One array out of nested ones. */
export function flatten(code: Code, into: Instr[] = []): Instr[] {
  if (!Array.isArray(code)) into.push(remember(code as Instr))
  else for (const part of code as readonly Code[]) flatten(part, into)
  return into
}

// --- instructions made from the table -------------------------------------------------------------------------

interface Forms {
  none: Instr
  zero: Instr
  zeros: Instr
  local: (local: Local) => Instr
  global: (global: GlobalRef) => Instr
  init: (data: DataRef) => Instr
  data: (data: DataRef) => Instr
  func: (func: FuncRef) => Instr
  /** Offset 0..2^32-1 in bytes; `align` in bytes as in the text format, the natural alignment by default. */
  memarg: (offset?: number, align?: number) => Instr
  /** -2^31..2^32-1; the upper half is taken as the negative number with the same bits. */
  i32: (value: number) => Instr
  /** -2^63..2^64-1 likewise; a number must be a safe integer. */
  i64: (value: bigint | number) => Instr
  /** 0..2^128-1; the first byte in memory is the lowest. */
  v128: (value: bigint) => Instr
  lane: (lane: number) => Instr
  label: (target: Label) => Instr
  labels: (targets: readonly Label[], otherwise: Label) => Instr
  block: never
}

function make(op: Opcode): unknown {
  switch (op.immediate) {
    case 'none':
    case 'zero':
    case 'zeros':
      return { kind: 'plain', op } satisfies Instr
    case 'local':
      return (local: Local): Instr => ({ kind: 'local', op, local })
    case 'global':
      return (global: GlobalRef): Instr => ({ kind: 'global', op, global })
    case 'init':
    case 'data':
      return (data: DataRef): Instr => ({ kind: 'data', op, data })
    case 'func':
      return (func: FuncRef): Instr => ({ kind: 'call', op, func })
    case 'memarg':
      return (offset = 0, align = op.width): Instr => {
        if (!(offset >>> 0 === offset)) throw new RangeError(`${op.name}: offset ${offset} is not a u32`)
        const fits = op.atomic
          ? align === op.width
          : align <= op.width && align > 0 && (align & (align - 1)) === 0
        if (!fits) throw new RangeError(`${op.name}: alignment ${align} for ${op.width} bytes`)
        return { kind: 'memory', op, offset, align }
      }
    case 'i32':
      return (value: number): Instr => {
        if ((value | 0) !== value && value >>> 0 !== value) throw new RangeError(`i32.const: ${value}`)
        return { kind: 'i32', op, value: value | 0 }
      }
    case 'i64':
      return (value: bigint | number): Instr => {
        if (typeof value === 'number' && !Number.isSafeInteger(value))
          throw new RangeError(`i64.const: ${value}`)
        const wide = BigInt(value)
        const signed = BigInt.asIntN(64, wide)
        if (signed !== wide && BigInt.asUintN(64, wide) !== wide) throw new RangeError(`i64.const: ${wide}`)
        return { kind: 'i64', op, value: signed }
      }
    case 'v128':
      return (value: bigint): Instr => ({ kind: 'v128', op, value: BigInt.asUintN(128, value) })
    case 'lane':
      return (lane: number): Instr => ({ kind: 'lane', op, lane })
    case 'label':
      return (target: Label): Instr => ({ kind: 'branch', op, target })
    case 'labels':
      return (targets: readonly Label[], otherwise: Label): Instr => ({
        kind: 'table',
        op,
        targets,
        otherwise,
      })
    case 'block':
      return undefined
  }
}

/** `Space<'i32'>` has a member per instruction called `i32.…`; further dots nest: `i32.atomic.rmw.add`. */
type Space<P extends string> = {
  readonly [N in Name as N extends `${P}.${infer Rest}` ? Head<Rest> : never]: N extends `${P}.${infer Rest}`
    ? Rest extends `${infer H}.${string}`
      ? Space<`${P}.${H}`>
      : Forms[ImmediateOf<N>]
    : never
}
type Head<S extends string> = S extends `${infer H}.${string}` ? H : S

function space<P extends string>(prefix: P): Space<P> {
  const root: Record<string, unknown> = {}
  for (const op of Object.values(opcodes)) {
    const path = op.name.split('.')
    if (path.shift() !== prefix) continue
    const leaf = path.pop()!
    let at = root
    for (const part of path) at = (at[part] ??= {}) as Record<string, unknown>
    at[leaf] = make(op)
  }
  return root as Space<P>
}

function form<N extends Name>(name: N): Forms[ImmediateOf<N>] {
  return make(opcodes[name]) as Forms[ImmediateOf<N>]
}

export const i32 = space('i32')
export const i64 = space('i64')
export const v128 = space('v128')
export const i8x16 = space('i8x16')
export const i64x2 = space('i64x2')
export const local = space('local')
export const global = space('global')
export const memory = space('memory')
export const data = space('data')
export const atomic = space('atomic')

/** Traps. */
export const unreachable = form('unreachable')
export const nop = form('nop')
export const drop = form('drop')
/** `a b condition > condition ? a : b`; both are evaluated. */
export const select = form('select')
export const return_ = form('return')
export const call = form('call')
export const br = form('br')
export const br_if = form('br_if')
/** `index >`: to `targets[index]`, or to `otherwise` from `targets.length` on (unsigned). */
export const br_table = form('br_table')

// --- structured control -----------------------------------------------------------------------------------------

/** A fresh branch target; the name is only for people. */
export function label(name = ''): Label {
  return new Label(name)
}

/** No operands and no results, one result, or a full signature. */
export type BlockType = ValType | FuncType

const EMPTY: FuncType = { params: [], results: [] }
const SINGLE: Readonly<Record<ValType, FuncType>> = {
  i32: { params: [], results: ['i32'] },
  i64: { params: [], results: ['i64'] },
  v128: { params: [], results: ['v128'] },
}

type Parts = [Label, BlockType, Code, Code?] | [Label | BlockType, Code, Code?] | [Code, Code?]

function structured(op: Opcode, parts: Parts): Instr {
  let target: Label | undefined
  let type = EMPTY
  let at = 0
  if (parts[at] instanceof Label) target = parts[at++] as Label
  const given = parts[at] as BlockType | Code
  if (typeof given === 'string') type = SINGLE[given]
  else if ('params' in given) type = given
  if (type !== EMPTY) at++
  const body = flatten(parts[at++] as Code)
  const otherwise = parts[at] === undefined ? undefined : flatten(parts[at] as Code)
  return { kind: 'block', op, label: target ?? label(), type, body, otherwise }
}

/** `block(label?, type?, body)`: a branch to the label goes to its end, with the results on the stack. */
export function block(...parts: [Label, BlockType, Code] | [Label | BlockType, Code] | [Code]): Instr {
  return structured(opcodes.block, parts)
}

/** `loop(label?, type?, body)`: a branch to the label goes to its start, with the parameters on the stack. */
export function loop(...parts: [Label, BlockType, Code] | [Label | BlockType, Code] | [Code]): Instr {
  return structured(opcodes.loop, parts)
}

/** `if_(label?, type?, then, else?)`: pops the condition. */
export function if_(...parts: Parts): Instr {
  return structured(opcodes.if, parts)
}

// --- where an instruction was written ---------------------------------------------------------------------------

const authors = new WeakMap<Instr, string>()
let tracing = false

/**
 * While on, every instruction with an immediate that enters a body remembers the stack of the call that placed it,
 * so that the checker can name the author's line. Costs microseconds per instruction: for tests and debugging.
 */
export function traceAuthors(on: boolean): void {
  tracing = on
}

/** `file:line:column` of the code that placed the instruction, if it was traced. */
export function authorOf(instr: Instr): string | undefined {
  return authors.get(instr)
}

function remember(instr: Instr): Instr {
  if (tracing && instr.kind !== 'plain' && !authors.has(instr)) {
    const frames = (new Error().stack ?? '').split('\n').slice(1)
    const outside = frames.find(frame => !/backend\/wasm\/(asm|module)\.[jt]s:/.test(frame))
    if (outside !== undefined)
      authors.set(instr, outside.replace(/^\s*at (.*\()?(file:\/\/)?/, '').replace(/\)$/, ''))
  }
  return instr
}
