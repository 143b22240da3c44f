// What a statement computed: its expressions with their values, in the order in which they were evaluated.
//
// An expression's value is found by its place: events carry the span of the expression they were made for. Expressions
// that the compiler folded away, and names of known values, have no event and no note. Read steps.ts first.

import type { Value } from '../../ir/access.js'
import { bitsOf } from '../../ir/ops.js'
import { ts } from '../../lang/typescript.js'
import type { Ts } from '../../lang/typescript.js'
import { scalarNamed } from '../../lang/types.js'
import { formatIpv6 } from '../../state/address.js'
import type { StateObject } from '../../state/declaration.js'
import { scalarText, typeName } from './format.js'
import type { Event } from './recorder.js'
import { labelOf, ownNodes } from './source.js'
import { stateText } from './operations.js'
import type { Step } from './steps.js'

export interface Note {
  readonly expression: string
  readonly value: string
}

export interface Explained {
  readonly notes: readonly Note[]
  /** Of a statement with a condition: whether it held. Of a switch: the case it went to. */
  readonly outcome?: string
}

type ValueEvent = Extract<Event, { kind: 'value' }>

/** Values of variables by name, of one call of a function. */
export type Variables = Map<string, string>

export interface Context {
  readonly checker: Ts.TypeChecker
  readonly objects: ReadonlyMap<string, StateObject>
}

/** What there is to say about a step. Remembers in `variables` what its variables are. */
export function explain(step: Step, context: Context, variables: Variables): Explained {
  const reader = new Reader(step.events, context, variables)
  const outcome = reader.outcome(step.statement)
  const statements = [step.statement, ...step.inner]
  const branch = silentBranch(step.statement, outcome)
  if (branch && !step.inner.includes(branch)) statements.push(branch)
  for (const statement of statements) for (const node of ownNodes(statement)) reader.read(node)
  const sorted = [...reader.notes.values()].toSorted((a, b) => a.at - b.at)
  const notes = sorted.filter(
    (note, i) => sorted.findIndex(n => n.expression === note.expression && n.value === note.value) === i,
  )
  return {
    notes: notes.map(({ expression, value }) => ({ expression, value })),
    ...(outcome !== undefined && { outcome }),
  }
}

/** The one statement that an `if` leads to, which may have left no event, such as `x = y`. */
function silentBranch(statement: Ts.Statement, outcome: string | undefined): Ts.Statement | undefined {
  if (!ts.isIfStatement(statement)) return undefined
  const branch =
    outcome === 'yes' ? statement.thenStatement : outcome === 'no' ? statement.elseStatement : undefined
  return branch && ts.isExpressionStatement(branch) ? branch : undefined
}

const comparisons = new Map<Ts.SyntaxKind, string>()
const yesNo = (b: boolean): string => (b ? 'yes' : 'no')

class Reader {
  /** By the node they are about; `at` is the number of the node's last event. */
  readonly notes = new Map<Ts.Node, Note & { readonly at: number }>()
  private readonly context: Context
  private readonly variables: Variables
  private readonly events: readonly Event[]
  private readonly byPlace = new Map<string, number[]>()

  constructor(events: readonly Event[], context: Context, variables: Variables) {
    this.context = context
    this.variables = variables
    this.events = events
    events.forEach(({ span }, i) => {
      const key = `${span.start}:${span.end}`
      this.byPlace.set(key, [...(this.byPlace.get(key) ?? []), i])
    })
    if (comparisons.size === 0)
      for (const [kind, text] of [
        [ts.SyntaxKind.EqualsEqualsEqualsToken, '==='],
        [ts.SyntaxKind.ExclamationEqualsEqualsToken, '!=='],
        [ts.SyntaxKind.LessThanToken, '<'],
        [ts.SyntaxKind.LessThanEqualsToken, '<='],
        [ts.SyntaxKind.GreaterThanToken, '>'],
        [ts.SyntaxKind.GreaterThanEqualsToken, '>='],
      ] as const)
        comparisons.set(kind, text)
  }

  private placed(node: Ts.Node): readonly number[] {
    return this.byPlace.get(`${node.getStart()}:${node.getEnd()}`) ?? []
  }

  private values(node: Ts.Node): ValueEvent[] {
    return this.placed(node)
      .map(i => this.events[i])
      .filter(e => e.kind === 'value')
  }

  /** Notes of a node and of all inside it, inner ones first. */
  read(node: Ts.Node): void {
    if (isAssignment(node)) {
      this.read(node.right)
      return this.assign(node)
    }
    ts.forEachChild(node, child => {
      if (!ts.isTypeNode(child)) this.read(child)
    })
    if (ts.isVariableDeclaration(node) && node.initializer && ts.isIdentifier(node.name))
      return this.rename(node.initializer, node.name.text)
    if (ts.isVariableDeclaration(node) && node.initializer && ts.isObjectBindingPattern(node.name))
      return this.unpack(node.initializer, node.name)
    if (ts.isBindingElement(node)) {
      const value = this.textOf(node)
      this.remember(node.name.getText(), value)
      return this.add(node, node.name.getText(), value)
    }
    if (ts.isPrefixUnaryExpression(node) || ts.isPostfixUnaryExpression(node))
      if (node.operator === ts.SyntaxKind.PlusPlusToken || node.operator === ts.SyntaxKind.MinusMinusToken)
        return this.add(node, labelOf(node.operand), this.textOf(node))
    if (isShown(node)) this.add(node, labelOf(node), this.textOf(node))
  }

  private add(node: Ts.Node, expression: string, value: string | undefined): void {
    const at = this.placed(node).at(-1)
    if (value !== undefined && at !== undefined) this.notes.set(node, { expression, value, at })
  }

  /** A variable takes the place of the expression it is initialised with. */
  private rename(node: Ts.Expression, name: string): void {
    const inner = skipped(node)
    if (!this.notes.has(inner)) this.add(inner, name, this.textOf(inner))
    const note = this.notes.get(inner)
    if (note) this.notes.set(inner, { ...note, expression: name })
    this.remember(name, note?.value ?? this.known(inner))
  }

  /** The value of a variable that was computed earlier. */
  private known(node: Ts.Expression): string | undefined {
    return ts.isIdentifier(node) ? this.variables.get(node.text) : undefined
  }

  private remember(name: string, value: string | undefined): void {
    if (value === undefined) this.variables.delete(name)
    else this.variables.set(name, value)
  }

  /** Variables that take the parts of what a call gives: paths meet in phis of their names. */
  private unpack(initialiser: Ts.Expression, pattern: Ts.ObjectBindingPattern): void {
    const events = this.values(initialiser)
    for (const element of pattern.elements) {
      const name = element.name.getText()
      const phi = events.findLast(e => e.instr.op === 'phi' && e.instr.name === name)
      const type = typeName(element.name, this.context.checker)
      if (phi?.value === undefined || !scalarNamed(type)) continue
      const value = scalarText(type, phi.value, bitsOf(phi.instr.type))
      this.remember(name, value)
      this.notes.set(element, { expression: name, value, at: this.events.indexOf(phi) })
    }
  }

  private assign(node: Ts.BinaryExpression): void {
    const right = this.notes.get(skipped(node.right))
    const stored = this.stateOf(node.left)
    const at = Math.max(-1, ...this.placed(node.left), ...this.placed(node), right?.at ?? -1)
    const given = right?.value ?? this.known(node.right)
    const plain = node.operatorToken.kind === ts.SyntaxKind.EqualsToken
    const computed = plain ? given : this.textOf(node)
    const value = stored ?? computed ?? this.written(node.left) ?? this.textOf(node)
    if (ts.isIdentifier(node.left)) this.remember(node.left.text, value)
    if (value === undefined) return
    const arrow = stored?.includes('←') ? value : `← ${value}`
    this.notes.set(node, { expression: labelOf(node.left), value: arrow, at: at < 0 ? Infinity : at })
  }

  /** What was written into the packet: the bytes of the first stores, which are the field's own. */
  private written(node: Ts.Node): string | undefined {
    const type = typeName(node, this.context.checker)
    const scalar = scalarNamed(type)
    if (!scalar || scalar.bits % 8 !== 0 || scalar.bits > 64) return undefined
    const pieces: { at: number; bytes: number[] }[] = []
    let left = scalar.bits / 8
    for (const { instr, args } of this.values(node)) {
      if (instr.op !== 'store' || left <= 0) continue
      const [base, value] = [args[1], args[2]]
      if (base === undefined || value === undefined) return undefined
      const width = Number(instr.attrs.width)
      const byte = (_: unknown, k: number): number => Number((BigInt(value) >> BigInt(8 * k)) & 0xffn)
      pieces.push({
        at: Number(base) + Number(instr.attrs.offset),
        bytes: Array.from({ length: width }, byte),
      })
      left -= width
    }
    if (left !== 0) return undefined
    const bytes = pieces.toSorted((a, b) => a.at - b.at).flatMap(p => p.bytes)
    return scalarText(type, BigInt(`0x${Buffer.from(bytes).toString('hex')}`), scalar.bits)
  }

  private stateOf(node: Ts.Node): string | undefined {
    return stateText(this.values(node), this.context.objects)
  }

  /** The value of an expression, as text; undefined if nothing was computed for it. */
  private textOf(node: Ts.Node): string | undefined {
    const state = this.stateOf(node)
    if (state !== undefined) return state
    const events = this.values(node)
    if (ts.isBinaryExpression(node)) {
      const operator = comparisons.get(node.operatorToken.kind)
      if (operator !== undefined) return this.comparison(node, operator, events)
    }
    const named = ts.isBindingElement(node) ? node.name : node
    const type = typeName(named, this.context.checker)
    if (type === 'Ipv6Address' || type.startsWith('Bytes<')) return bytesText(type, events)
    const boolean = type === 'boolean' || type === 'bool'
    if (!boolean && !scalarNamed(type) && !isPlain(type)) return this.presence(node, events)
    const branch = this.branchAt(node)
    if (boolean && branch !== undefined) return String(branch)
    const fits = (e: ValueEvent): boolean =>
      e.value !== undefined && e.instr.type !== 'mem' && (e.instr.type === 'i1') === boolean
    const last = events.findLast(e => fits(e) && e.instr.op !== 'const') ?? events.findLast(fits)
    if (!last || events.every(e => e.instr.op === 'const')) return undefined
    if (this.isMissing(named, events)) return 'undefined'
    return scalarText(type, last.value!, bitsOf(last.instr.type))
  }

  /** True if an expression that may be undefined is. */
  private isMissing(node: Ts.Node, events: readonly ValueEvent[]): boolean {
    const type = this.context.checker.getTypeAtLocation(node)
    const optional = type.isUnion() && type.types.some(t => t.flags & ts.TypeFlags.Undefined)
    return optional && events.findLast(e => e.instr.type === 'i1')?.value === 0
  }

  private branchAt(node: Ts.Node): boolean | undefined {
    const found = this.placed(node)
      .map(i => this.events[i])
      .findLast(e => e.kind === 'branch')
    return found?.taken
  }

  /** Whether a view, an entry or a record is there. */
  private presence(node: Ts.Node, events: readonly ValueEvent[]): string | undefined {
    const named = events.findLast(e => e.instr.name?.endsWith('.present'))
    const last = named ?? events.findLast(e => e.instr.type === 'i1')
    const there = last ? last.value === 1 : this.branchAt(node)
    return there === undefined ? undefined : there ? 'present' : 'absent'
  }

  private comparison(
    node: Ts.BinaryExpression,
    operator: string,
    events: readonly ValueEvent[],
  ): string | undefined {
    const last = events.findLast(e => e.instr.type === 'i1')
    const taken = this.branchAt(node) ?? (last && last.value === 1)
    if (taken === undefined) return undefined
    const { checker } = this.context
    const [left, right] = [typeName(node.left, checker), typeName(node.right, checker)]
    const type = scalarNamed(left) ? left : right
    const [a, b] = operator.startsWith('>') ? [last?.args[1], last?.args[0]] : [last?.args[0], last?.args[1]]
    const single = events.filter(e => e.instr.type === 'i1').length === 1
    if (!last || !single || a === undefined || b === undefined || last.args.length !== 2) return String(taken)
    const text = (v: Value, k: 0 | 1): string => scalarText(type, v, bitsOf(last.instr.args[k].type))
    return `${text(a, 0)} ${operator} ${text(b, 1)}: ${taken}`
  }

  /** Whether the condition of a statement held, from the branches that its parts took. */
  outcome(statement: Ts.Statement): string | undefined {
    if (ts.isSwitchStatement(statement)) {
      const clauses = statement.caseBlock.clauses.filter(ts.isCaseClause)
      const taken = clauses.find(c => this.branchAt(c.expression) === true)
      return taken ? `case ${labelOf(taken.expression)}` : 'no case'
    }
    const condition = ts.isIfStatement(statement)
      ? statement.expression
      : ts.isForStatement(statement)
        ? statement.condition
        : undefined
    const held = condition && this.held(condition)
    return held === undefined ? undefined : yesNo(held)
  }

  private held(node: Ts.Expression): boolean | undefined {
    if (ts.isParenthesizedExpression(node)) return this.held(node.expression)
    if (ts.isPrefixUnaryExpression(node) && node.operator === ts.SyntaxKind.ExclamationToken) {
      const held = this.held(node.operand)
      return held === undefined ? undefined : !held
    }
    if (ts.isBinaryExpression(node)) {
      const and = node.operatorToken.kind === ts.SyntaxKind.AmpersandAmpersandToken
      const or = node.operatorToken.kind === ts.SyntaxKind.BarBarToken
      if (and || or) {
        // A side without a branch was not evaluated, or is constant and did not decide.
        const sides = [this.held(node.left), this.held(node.right)].filter(s => s !== undefined)
        if (sides.length === 0) return undefined
        return and ? sides.every(s => s) : sides.some(s => s)
      }
    }
    return this.branchAt(node)
  }
}

/** Without parentheses and assertions. */
function skipped(node: Ts.Expression): Ts.Expression {
  return ts.isParenthesizedExpression(node) ? skipped(node.expression) : node
}

function isAssignment(node: Ts.Node): node is Ts.BinaryExpression {
  if (!ts.isBinaryExpression(node)) return false
  const { kind } = node.operatorToken
  return kind >= ts.SyntaxKind.FirstAssignment && kind <= ts.SyntaxKind.LastAssignment
}

/** Expressions worth a note: not literals, nor what only passes a value on. */
function isShown(node: Ts.Node): boolean {
  if (ts.isParenthesizedExpression(node) || ts.isObjectLiteralExpression(node)) return false
  if (ts.isBinaryExpression(node)) {
    const { kind } = node.operatorToken
    return kind !== ts.SyntaxKind.AmpersandAmpersandToken && kind !== ts.SyntaxKind.BarBarToken
  }
  if (ts.isPrefixUnaryExpression(node)) return node.operator !== ts.SyntaxKind.ExclamationToken
  // A parameter of the program shows where it is compared.
  if (ts.isIdentifier(node)) return !isOperand(node) && !isNamePart(node)
  return ts.isPropertyAccessExpression(node) || ts.isCallExpression(node) || ts.isConditionalExpression(node)
}

/** True for an operand of arithmetic or a comparison, which shows its operands' values. */
const isOperand = ({ parent }: Ts.Node): boolean =>
  ts.isBinaryExpression(parent) &&
  parent.operatorToken.kind !== ts.SyntaxKind.AmpersandAmpersandToken &&
  parent.operatorToken.kind !== ts.SyntaxKind.BarBarToken

/** True for the name of a property, a declaration or a label: no expression of its own. */
function isNamePart({ parent }: Ts.Identifier): boolean {
  return (
    ts.isPropertyAccessExpression(parent) ||
    ts.isPropertyAssignment(parent) ||
    ts.isBindingElement(parent) ||
    ts.isVariableDeclaration(parent)
  )
}

const isPlain = (type: string): boolean => /^(number|bigint|[\d_n |]+)$/.test(type)

/** The bytes that were loaded, in order. */
function bytesText(type: string, events: readonly ValueEvent[]): string | undefined {
  const loads = events.filter(e => e.instr.op === 'load' && e.instr.name !== undefined)
  if (loads.length === 0) return undefined
  const bytes = loads.flatMap(({ value, instr }) =>
    Array.from({ length: Number(instr.attrs.width) }, (_, k) =>
      Number((BigInt(value!) >> BigInt(8 * k)) & 0xffn),
    ),
  )
  if (type === 'Ipv6Address') return bytes.length === 16 ? formatIpv6(Uint8Array.from(bytes)) : undefined
  return `0x${Buffer.from(bytes).toString('hex')}`
}
