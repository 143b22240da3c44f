// Expressions to values: the dispatch over syntax. Operators, chains, calls and records have files of their own.
//
// Syntax outside the language never arrives here with a value: subset.ts has reported it, and it lowers to an error.
// Read operators.ts, chains.ts, calls.ts next.

import type { Block } from '../../ir/types.js'
import { ts } from '../typescript.js'
import type { Ts } from '../typescript.js'
import { assignment, step } from './assignments.js'
import { chain } from './chains.js'
import { condition, isTruthValue } from './conditions.js'
import { elementAt, recordLiteral } from './records.js'
import { booleanConstant } from './lowering.js'
import type { Exit, Lowering } from './lowering.js'
import { binary, binaryOperators, bit, truth, unary } from './operators.js'
import { gather, presence } from './shape.js'
import { scalars } from '../types.js'
import { constant, errorValue, scalar, undefinedValue } from './value.js'
import type { Value } from './value.js'

/** The value of an expression, evaluated here. */
export function expression(l: Lowering, node: Ts.Expression): Value {
  return l.at(node, () => dispatch(l, node))
}

function dispatch(l: Lowering, node: Ts.Expression): Value {
  if (ts.isParenthesizedExpression(node)) return expression(l, node.expression)
  if (ts.isNumericLiteral(node)) return numeric(l, node.text)
  if (ts.isBigIntLiteral(node)) return constant('bigint', BigInt(node.text.slice(0, -1)))
  if (ts.isStringLiteral(node) || ts.isNoSubstitutionTemplateLiteral(node))
    return { kind: 'text', text: node.text }
  if (node.kind === ts.SyntaxKind.TrueKeyword) return booleanConstant(true)
  if (node.kind === ts.SyntaxKind.FalseKeyword) return booleanConstant(false)
  if (ts.isIdentifier(node)) return name(l, node)
  if (ts.isPropertyAccessExpression(node) || ts.isCallExpression(node)) return chain(l, node)
  if (ts.isElementAccessExpression(node)) return elementAt(l, node)
  if (ts.isPrefixUnaryExpression(node)) return prefix(l, node)
  if (ts.isPostfixUnaryExpression(node)) return step(l, node.operand, node.operator, 'before')
  if (ts.isBinaryExpression(node)) return infix(l, node)
  if (ts.isConditionalExpression(node)) return conditional(l, node)
  if (ts.isObjectLiteralExpression(node)) return recordLiteral(l, node)
  if (ts.isArrayLiteralExpression(node))
    return { kind: 'list', items: node.elements.map(e => expression(l, e)) }
  if (ts.isSatisfiesExpression(node)) return expression(l, node.expression)
  // `as const` is the one assertion of the language.
  if (ts.isAsExpression(node) && ts.isConstTypeReference(node.type)) return expression(l, node.expression)
  return errorValue
}

function numeric(l: Lowering, text: string): Value {
  const value = Number(text)
  if (!Number.isInteger(value)) return l.report('fraction', { text })
  if (value > 0xffffffff) return l.report('constantOverflow', { value: text, bits: 32 })
  return constant('number', BigInt(value))
}

function name(l: Lowering, node: Ts.Identifier): Value {
  if (node.text === 'undefined') return undefinedValue
  const binding = l.scope.get(node.text)
  if (!binding) return errorValue
  if (binding.kind === 'const')
    return binding.value.kind === 'setting' ? l.settingValue(binding.value) : binding.value
  return gather(
    binding.shape,
    binding.leaves.map(v => l.builder.read(v)),
  )
}

function prefix(l: Lowering, node: Ts.PrefixUnaryExpression): Value {
  switch (node.operator) {
    case ts.SyntaxKind.ExclamationToken: {
      const value = truth(l, expression(l, node.operand))
      if (value.kind === 'constant') return booleanConstant(value.value === 0n)
      if (value.kind !== 'scalar') return errorValue
      return scalar(scalars.bool, l.builder.emit('not', [value.leaves[0]]))
    }
    case ts.SyntaxKind.MinusToken:
      return unary(l, '-', expression(l, node.operand))
    case ts.SyntaxKind.PlusToken:
      return unary(l, '+', expression(l, node.operand))
    case ts.SyntaxKind.TildeToken:
      return unary(l, '~', expression(l, node.operand))
    default:
      return step(l, node.operand, node.operator, 'after')
  }
}

function infix(l: Lowering, node: Ts.BinaryExpression): Value {
  const { kind } = node.operatorToken
  switch (kind) {
    case ts.SyntaxKind.AmpersandAmpersandToken:
      return logical(l, node, 'and')
    case ts.SyntaxKind.BarBarToken:
      return logical(l, node, 'or')
    case ts.SyntaxKind.QuestionQuestionToken:
      return fallback(l, node)
    default:
  }
  if (kind >= ts.SyntaxKind.FirstAssignment && kind <= ts.SyntaxKind.LastAssignment)
    return assignment(l, node)
  const operator = ts.tokenToString(kind)!
  if (!Object.hasOwn(binaryOperators, operator)) return errorValue
  const a = expression(l, node.left)
  const b = expression(l, node.right)
  if (operator === '===' || operator === '!==') return equality(l, operator, a, b)
  return binary(l, operator, a, b)
}

/** `===` and `!==`, where either side may be undefined. */
export function equality(l: Lowering, operator: string, a: Value, b: Value): Value {
  const equal = operator === '==='
  const result = (present: Value): Value => {
    if (present.kind === 'constant') return equal ? present : booleanConstant(present.value === 0n)
    if (present.kind !== 'scalar' || equal) return present
    return scalar(scalars.bool, l.builder.emit('not', [present.leaves[0]]))
  }
  if (a.kind === 'undefined' || b.kind === 'undefined') {
    const other = a.kind === 'undefined' ? b : a
    if (other.kind === 'undefined') return booleanConstant(equal)
    const present = presence(l, other)
    if (!present) return booleanConstant(!equal)
    return equal ? scalar(scalars.bool, l.builder.emit('not', [present])) : scalar(scalars.bool, present)
  }
  if (a.kind !== 'optional' && b.kind !== 'optional') return binary(l, operator, a, b)
  // Equal if both are absent, or both are there and equal.
  const inner = binary(l, '===', a.kind === 'optional' ? a.value : a, b.kind === 'optional' ? b.value : b)
  if (inner.kind === 'error') return inner
  const value = bit(l, inner)
  const pa = presence(l, a)
  const pb = presence(l, b)
  if (!pa || !pb) return result(scalar(scalars.bool, l.builder.emit('and', [(pa ?? pb)!, value])))
  const both = l.builder.emit('and', [l.builder.emit('and', [pa, pb]), value])
  const neither = l.builder.emit('not', [l.builder.emit('or', [pa, pb])])
  return result(scalar(scalars.bool, l.builder.emit('or', [both, neither])))
}

function logical(l: Lowering, node: Ts.BinaryExpression, which: 'and' | 'or'): Value {
  const { builder } = l
  const second = builder.block()
  const exits: Exit[] = []
  if (isTruthValue(node.left)) {
    const short = builder.block()
    if (which === 'and') condition(l, node.left, second, short)
    else condition(l, node.left, short, second)
    builder.seal(short)
    if (short.preds.length) exits.push({ block: short, value: booleanConstant(which === 'or') })
  } else {
    const left = expression(l, node.left)
    const holds = truth(l, left)
    if (holds.kind === 'error') return holds
    if (holds.kind === 'constant') {
      const goesOn = (holds.value !== 0n) === (which === 'and')
      return goesOn ? expression(l, node.right) : left
    }
    const short = builder.block()
    const cond = bit(l, holds)
    if (which === 'and') builder.branch(cond, second, short)
    else builder.branch(cond, short, second)
    builder.seal(short)
    builder.at(short)
    exits.push({ block: short, value: which === 'and' ? falsy(left) : truthy(left) })
  }
  builder.seal(second)
  if (second.preds.length) {
    builder.at(second)
    const value = expression(l, node.right)
    exits.push({ block: builder.here, value })
  }
  return l.merge(exits)
}

/** What a value is once it is known to be false. */
function falsy(value: Value): Value {
  if (value.kind === 'scalar' && value.type.sort === 'boolean') return booleanConstant(false)
  if (value.kind === 'scalar' && value.type.sort === 'number') return constant('number', 0n)
  if (value.kind === 'scalar' && value.type.sort === 'bigint') return constant('bigint', 0n)
  if (value.kind === 'view' || value.kind === 'entry') return undefinedValue
  if (value.kind === 'optional' && value.value.kind === 'record') return undefinedValue
  return value
}

/** What a value is once it is known to be true. */
function truthy(value: Value): Value {
  if (value.kind === 'scalar' && value.type.sort === 'boolean') return booleanConstant(true)
  return value.kind === 'optional' ? value.value : value
}

function fallback(l: Lowering, node: Ts.BinaryExpression): Value {
  return either(l, absent => present(l, node.left, absent), node.right)
}

/** The value if it is there, else that of the expression. */
export const withDefault = (l: Lowering, value: Value, other: Ts.Expression): Value =>
  either(l, absent => orElse(l, value, absent), other)

function either(l: Lowering, first: (absent: Block) => Value, second: Ts.Expression): Value {
  const absent = l.builder.block()
  const value = first(absent)
  const exits: Exit[] = [{ block: l.builder.here, value }]
  l.builder.seal(absent)
  if (absent.preds.length) {
    l.builder.at(absent)
    const other = expression(l, second)
    exits.push({ block: l.builder.here, value: other })
  }
  return l.merge(exits)
}

/** Evaluates `node` and goes on only if it is not undefined, without the undefined; else goes to `absent`. */
export function present(l: Lowering, node: Ts.Expression, absent: Block): Value {
  if (ts.isParenthesizedExpression(node)) return present(l, node.expression, absent)
  const value =
    ts.isPropertyAccessExpression(node) || ts.isCallExpression(node)
      ? l.at(node, () => chain(l, node, absent))
      : expression(l, node)
  return l.at(node, () => orElse(l, value, absent))
}

/** Goes on with the value if it is there, else to `absent`. */
export function orElse(l: Lowering, value: Value, absent: Block): Value {
  const there = presence(l, value)
  if (!there) return value
  if (value.kind === 'undefined') {
    l.builder.jump(absent)
    return errorValue
  }
  const next = l.builder.block()
  l.builder.branch(there, next, absent)
  l.builder.seal(next)
  l.builder.at(next)
  return value.kind === 'optional' ? value.value : value
}

function conditional(l: Lowering, node: Ts.ConditionalExpression): Value {
  const { builder } = l
  const yes = builder.block()
  const no = builder.block()
  condition(l, node.condition, yes, no)
  const exits: Exit[] = []
  for (const [block, arm] of [
    [yes, node.whenTrue],
    [no, node.whenFalse],
  ] as const) {
    builder.seal(block)
    if (!block.preds.length) continue
    builder.at(block)
    const value = expression(l, arm)
    exits.push({ block: builder.here, value })
  }
  return l.merge(exits)
}
