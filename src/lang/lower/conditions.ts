// Conditions as control flow: `if (a && !b || c)` becomes branches, with no truth value in between.

import type { Block } from '../../ir/types.js'
import { ts } from '../typescript.js'
import type { Ts } from '../typescript.js'
import { expression } from './expressions.js'
import type { Lowering } from './lowering.js'
import { truth } from './operators.js'

/** Goes to `yes` if the condition holds, else to `no`. The caller seals both. */
export function condition(l: Lowering, node: Ts.Expression, yes: Block, no: Block): void {
  if (ts.isParenthesizedExpression(node)) return condition(l, node.expression, yes, no)
  if (ts.isPrefixUnaryExpression(node) && node.operator === ts.SyntaxKind.ExclamationToken)
    return condition(l, node.operand, no, yes)
  if (ts.isBinaryExpression(node)) {
    const and = node.operatorToken.kind === ts.SyntaxKind.AmpersandAmpersandToken
    const or = node.operatorToken.kind === ts.SyntaxKind.BarBarToken
    if (and || or) {
      const second = l.builder.block()
      if (and) condition(l, node.left, second, no)
      else condition(l, node.left, yes, second)
      l.builder.seal(second)
      l.builder.at(second)
      return condition(l, node.right, yes, no)
    }
  }
  l.at(node, () => {
    const value = truth(l, expression(l, node))
    if (value.kind === 'constant') l.builder.jump(value.value ? yes : no)
    else if (value.kind === 'scalar') l.builder.branch(value.leaves[0], yes, no)
    else l.builder.branch(l.lost(), yes, no)
  })
}

/** True if the syntax can only give true or false. */
export function isTruthValue(node: Ts.Expression): boolean {
  if (ts.isParenthesizedExpression(node)) return isTruthValue(node.expression)
  if (ts.isPrefixUnaryExpression(node)) return node.operator === ts.SyntaxKind.ExclamationToken
  if (!ts.isBinaryExpression(node)) return false
  switch (node.operatorToken.kind) {
    case ts.SyntaxKind.EqualsEqualsEqualsToken:
    case ts.SyntaxKind.ExclamationEqualsEqualsToken:
    case ts.SyntaxKind.LessThanToken:
    case ts.SyntaxKind.LessThanEqualsToken:
    case ts.SyntaxKind.GreaterThanToken:
    case ts.SyntaxKind.GreaterThanEqualsToken:
      return true
    case ts.SyntaxKind.AmpersandAmpersandToken:
    case ts.SyntaxKind.BarBarToken:
      return isTruthValue(node.left) && isTruthValue(node.right)
    default:
      return false
  }
}
