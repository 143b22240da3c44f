// Calls of the program's own functions: every call is inlined.
//
// Parameters and results with a declared type are truncated to it, as any store is. Returns may stand anywhere; they
// meet behind the call. Promises: recursion, direct or through others, is reported with the cycle.

import type { Call } from '../../ir/types.js'
import { ts } from '../typescript.js'
import type { Ts } from '../typescript.js'
import { annotated } from './annotations.js'
import { expression } from './expressions.js'
import type { Frame, Lowering } from './lowering.js'
import { Scope } from './scope.js'
import { gather, spread } from './shape.js'
import { block } from './statements.js'
import { undefinedValue, voidValue } from './value.js'
import type { Value } from './value.js'
import { bindVariable } from './variables.js'

/** Inlines a call. */
export function callFunction(
  l: Lowering,
  node: Ts.CallExpression,
  callee: Extract<Value, { kind: 'function' }>,
): Value {
  const args = node.arguments.map(a => expression(l, a))
  const cycle = l.frames.findIndex(f => f.node === callee.node)
  if (cycle >= 0) {
    const names = [...l.frames.slice(cycle).map(f => f.name), callee.name]
    return l.report('recursion', { cycle: names.join(' calls ') })
  }
  return inline(l, callee.node, callee.name, args, { span: l.builder.span ?? l.spanOf(node) })
}

/** The body of a function with these arguments, here. */
export function inline(
  l: Lowering,
  node: Ts.FunctionDeclaration,
  name: string,
  args: readonly Value[],
  call?: Call,
): Value {
  l.used.add(node)
  const result =
    node.type && node.type.kind !== ts.SyntaxKind.VoidKeyword ? annotated(l, node.type) : undefined
  const frame: Frame = { name, node, call, result, exits: [], targets: [] }
  const outer = l.scope
  l.scope = new Scope(outer.root)
  l.frames.push(frame)
  node.parameters.forEach((parameter, k) => bindParameter(l, node, parameter, args[k]))
  if (node.body) block(l, node.body.statements)
  frame.exits.push({
    block: l.builder.here,
    value: endsWithout(l, node, result) ? { kind: 'never' } : voidValue,
  })
  l.frames.pop()
  l.scope = outer
  return l.merge(frame.exits)
}

/**
 * True if TypeScript has proved that the end of the body is never reached: each path returns a value. If a value is
 * declared that is not optional, it proves that or complains.
 */
function endsWithout(l: Lowering, node: Ts.FunctionDeclaration, result: Frame['result']): boolean {
  if (node.type?.kind === ts.SyntaxKind.VoidKeyword) return false
  if (result) return result.kind !== 'optional'
  const checker = l.checker()
  const signature = checker.getSignatureFromDeclaration(node)
  if (!signature) return false
  const type = checker.getReturnTypeOfSignature(signature)
  const parts = type.isUnion() ? type.types : [type]
  return parts.every(t => (t.flags & (ts.TypeFlags.Undefined | ts.TypeFlags.Void)) === 0)
}

function bindParameter(
  l: Lowering,
  owner: Ts.FunctionDeclaration,
  parameter: Ts.ParameterDeclaration,
  given: Value | undefined,
): void {
  l.at(parameter, () => {
    let value = given ?? undefinedValue
    if (!given && parameter.initializer) value = expression(l, parameter.initializer)
    let shape = parameter.type && annotated(l, parameter.type)
    if (parameter.questionToken && (shape?.kind === 'scalar' || shape?.kind === 'record'))
      shape = { kind: 'optional', of: shape }
    if (shape && value.kind !== 'error') value = asDeclared(l, value, shape)
    if (!ts.isIdentifier(parameter.name)) return bindVariable(l, parameter.name, value, false)
    bindVariable(l, parameter.name, value, isAssigned(parameter.name.text, owner))
  })
}

/** A value as a variable of this shape holds it; constants stay constants. */
export function asDeclared(l: Lowering, value: Value, shape: ReturnType<typeof annotated>): Value {
  if (!shape) return value
  if (value.kind === 'constant' && shape.kind === 'scalar') {
    const { type } = shape
    const wrapped = type.signed
      ? BigInt.asIntN(type.bits, value.value)
      : BigInt.asUintN(type.bits, value.value)
    if (value.sort === type.sort && wrapped === value.value) return { ...value, type }
    if (value.sort === type.sort && value.type) return { ...value, value: wrapped, type }
  }
  if (value.kind === 'error' || value.kind === 'undefined' || value.kind === 'never') return value
  return gather(shape, spread(l, value, shape))
}

const isAssignment = (kind: Ts.SyntaxKind): boolean =>
  kind >= ts.SyntaxKind.FirstAssignment && kind <= ts.SyntaxKind.LastAssignment

const isStep = (kind: Ts.SyntaxKind): boolean =>
  kind === ts.SyntaxKind.PlusPlusToken || kind === ts.SyntaxKind.MinusMinusToken

const assignedNames = new WeakMap<Ts.Node, Set<string>>()

/** True if the function assigns a variable of this name anywhere. */
export function isAssigned(name: string, owner: Ts.Node): boolean {
  let names = assignedNames.get(owner)
  if (!names) {
    names = new Set()
    const found = names
    const visit = (node: Ts.Node): void => {
      if (ts.isBinaryExpression(node) && isAssignment(node.operatorToken.kind) && ts.isIdentifier(node.left))
        found.add(node.left.text)
      const steps =
        ts.isPostfixUnaryExpression(node) || (ts.isPrefixUnaryExpression(node) && isStep(node.operator))
      if (steps && ts.isIdentifier(node.operand)) found.add(node.operand.text)
      ts.forEachChild(node, visit)
    }
    visit(owner)
    assignedNames.set(owner, names)
  }
  return names.has(name)
}
