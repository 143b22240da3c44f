// The state of lowering one program: builder, scopes, inlining stack, declared objects, diagnostics.
//
// The functions of this folder take it as their first argument. Promises: lowering never throws on a program that
// TypeScript accepts; what it cannot express is reported, and the value becomes an error that stays silent. Read
// expressions.ts and statements.ts next.

import { FunctionBuilder } from '../../ir/builder.js'
import type { Variable } from '../../ir/builder.js'
import type { Block, Call, Counter, Instr, Setting } from '../../ir/types.js'
import { diagnose } from '../../diagnostics/diagnostic.js'
import type { Blanks, Diagnostic, Note, Span } from '../../diagnostics/diagnostic.js'
import type { Rule } from '../../diagnostics/catalogue.js'
import type { StateObject } from '../../state/declaration.js'
import type { Ts } from '../typescript.js'
import type { PacketContext } from '../views.js'
import { Scope } from './scope.js'
import { gather, join, leafTypes, shapeOf, spread } from './shape.js'
import type { Shape } from './shape.js'
import { constant, errorValue, scalar } from './value.js'
import type { Scalar, Value } from './value.js'

/** Where control leaves a construct, and with what value. */
export interface Exit {
  readonly block: Block | undefined
  readonly value: Value
}

/** A function being inlined. */
export interface Frame {
  readonly name: string
  readonly node: Ts.Node
  /** The call that it is inlined for; undefined for the packet function. */
  readonly call: Call | undefined
  /** Declared result, if annotated. */
  readonly result: Shape | undefined
  readonly exits: Exit[]
  /** Loops and switches of this function that are open, innermost last. */
  readonly targets: { readonly onBreak: Block; readonly onContinue?: Block }[]
}

export class Lowering {
  readonly file: string
  /** For what no annotation tells. To ask takes a checked program, which may not be there yet. */
  readonly checker: () => Ts.TypeChecker
  readonly builder: FunctionBuilder
  /** The current version of the packet's bytes. */
  readonly memory: Variable
  readonly context: PacketContext
  readonly diagnostics: Diagnostic[] = []
  readonly objects: StateObject[] = []
  readonly settings: Setting[] = []
  readonly counters: Counter[] = []
  readonly frames: Frame[] = []
  /** Functions that were inlined at least once. */
  readonly used = new Set<Ts.Node>()
  /** Type aliases and interfaces of the program. */
  readonly types = new Map<string, Ts.TypeAliasDeclaration | Ts.InterfaceDeclaration>()
  /** Local name to the prelude's name, for type positions. */
  readonly imports = new Map<string, string>()
  scope = new Scope()
  /** Name of the module constant whose initialiser is being evaluated. */
  declaring: string | undefined
  /** Draw sites of random() so far. */
  draws = 0
  /** Counters of the open loops, outermost first: they tell the iterations of a draw site apart. */
  readonly iterations: Variable[] = []
  /** Why the last `for` was found to be unbounded. */
  why: string | undefined
  /** Where a value was lost without a report: a bug of ours unless something else was reported. */
  lostAt: Ts.Node | undefined
  /** Blocks that control is taken to reach: the entry, and where code is lowered aside. */
  private readonly roots = new Set<Block>()
  private node: Ts.Node

  constructor(file: string, sourceFile: Ts.SourceFile, checker: () => Ts.TypeChecker) {
    this.file = file
    this.checker = checker
    this.node = sourceFile
    this.builder = new FunctionBuilder('main', [], 'i32')
    this.roots.add(this.builder.func.blocks[0])
    this.memory = this.builder.variable('mem', 'packet')
    this.builder.write(this.memory, this.builder.emit('packet', []))
    const frame = this.builder.const('i32', 0)
    this.context = { builder: this.builder, memory: this.memory, frame }
  }

  /** Runs `body` with `node` as the place of everything it emits or reports. */
  at<T>(node: Ts.Node, body: () => T): T {
    const { node: before, builder } = this
    const span = builder.span
    this.node = node
    const call = this.frames.at(-1)?.call
    builder.span = { ...this.spanOf(node), ...(call && { call }) }
    try {
      return body()
    } finally {
      this.node = before
      builder.span = span
    }
  }

  spanOf(node: Ts.Node): Span {
    return { start: node.getStart(), end: node.getEnd() }
  }

  /** The node being lowered. */
  get place(): Ts.Node {
    return this.node
  }

  /** Reports a diagnostic at `node` (default: the current one); gives the silent error value. */
  report(rule: Rule, blanks: Blanks = {}, node: Ts.Node = this.node, notes: readonly Note[] = []): Value {
    this.diagnostics.push(diagnose(rule, this.file, this.spanOf(node), blanks, notes))
    return errorValue
  }

  /** A truth value in place of one that could not be lowered. */
  lost(): Instr {
    if (this.builder.here && this.isLive(this.builder.here)) this.lostAt ??= this.node
    return this.builder.emit('param', [], { index: 0 }, 'i1')
  }

  /** Runs `body` for its value alone: what it emits and reports is thrown away. */
  scratch<T>(body: () => T): T {
    const reported = this.diagnostics.length
    const value = this.aside(body)
    this.diagnostics.length = reported
    return value
  }

  /** Runs `body` where control never comes: what it emits is thrown away, what it reports is kept. */
  aside<T>(body: () => T): T {
    const { builder, lostAt } = this
    const here = builder.here
    const place = builder.block()
    builder.seal(place)
    builder.at(place)
    this.roots.add(place)
    const value = body()
    this.lostAt = lostAt
    builder.leave()
    if (here) builder.at(here)
    return value
  }

  /** True if control can reach this block as built so far. */
  private isLive(block: Block): boolean {
    const seen = new Set<Block>()
    const walk = [block]
    while (walk.length) {
      const b = walk.pop()!
      if (this.roots.has(b)) return true
      if (seen.has(b)) continue
      seen.add(b)
      walk.push(...b.preds)
    }
    return false
  }

  /** Runs `body` in an inner scope. */
  inner<T>(body: () => T): T {
    const outer = this.scope
    this.scope = new Scope(outer)
    try {
      return body()
    } finally {
      this.scope = outer
    }
  }

  /** Continues where several exits meet, with the value they have in common. */
  merge(exits: readonly Exit[]): Value {
    const live = exits.filter(
      (e): e is { block: Block; value: Value } => e.block !== undefined && this.isLive(e.block),
    )
    this.builder.leave()
    if (live.length === 0) return { kind: 'never' }
    if (live.length === 1) {
      this.builder.at(live[0].block)
      return live[0].value
    }
    const shape = this.common(live.map(e => e.value))
    const variables = shape ? leafTypes(shape).map(type => this.builder.variable(type)) : []
    const meeting = this.builder.block()
    for (const { block, value } of live) {
      this.builder.at(block)
      if (shape) spread(this, value, shape).forEach((leaf, k) => this.builder.write(variables[k], leaf))
      this.builder.jump(meeting)
    }
    this.builder.seal(meeting)
    this.builder.at(meeting)
    return shape
      ? gather(
          shape,
          variables.map(v => this.builder.read(v)),
        )
      : errorValue
  }

  private common(values: readonly Value[]): Shape | undefined {
    let shape: Shape | undefined
    for (const value of values) {
      if (value.kind === 'never') continue
      const next = shapeOf(value)
      if (!next) {
        this.report('notAValue', { found: this.describe(value) })
        return undefined
      }
      const joined = shape ? join(shape, next) : next
      if (!joined) {
        this.report('noCommonType', { a: this.describe(values[0]), b: this.describe(value) })
        return undefined
      }
      shape = joined
    }
    return shape
  }

  /** The value of a parameter of the program. */
  settingValue(value: Extract<Value, { kind: 'setting' }>): Scalar {
    const type = value.type
    const instr = this.builder.emit('setting', [], { name: value.setting.name }, type.leaves[0])
    return scalar(type, this.named(instr, value.setting.name))
  }

  /** Gives an instruction the author's name, unless it has one. */
  named(instr: Instr, name: string): Instr {
    if (instr.op !== 'const') instr.name ??= name
    return instr
  }

  /** What a value is, in words for messages. */
  describe(value: Value): string {
    switch (value.kind) {
      case 'constant':
        return value.sort === 'boolean' ? String(value.value !== 0n) : String(value.value)
      case 'scalar':
        return value.type.name
      case 'optional':
        return `${this.describe(value.value)} | undefined`
      case 'record':
        return `{ ${[...value.fields.keys()].join(', ')} }`
      case 'view':
        return `the ${value.view.protocol} view`
      case 'entry':
        return `an entry of ${value.object.name}`
      case 'element':
        return `an element of ${value.object.name}`
      case 'state':
        return `the ${value.object.kind} ${value.object.name}`
      case 'setting':
        return `the parameter ${value.setting.name}`
      case 'text':
        return 'a string'
      case 'list':
        return 'an array literal'
      case 'method':
        return `the method ${value.name}`
      case 'type':
        return `the type ${value.type.name}`
      default:
        return value.kind === 'members' || value.kind === 'builtin' || value.kind === 'function'
          ? value.name
          : value.kind
    }
  }

  /** True while statements of the packet function are lowered, false for the initialisers of module constants. */
  get inFunction(): boolean {
    return this.frames.length > 0
  }
}

export const booleanConstant = (truth: boolean): Value => constant('boolean', truth ? 1n : 0n)
