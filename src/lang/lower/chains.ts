// Member access and calls, with optional chaining: `ip?.tcp`, `table.get(key)?.count`, `packet.u16(12)`.
//
// `chain(l, node, absent)` evaluates a chain and goes to `absent` where it is cut short or where its last call finds
// nothing; without `absent` the result is an optional value. Promises: what stands behind `?.` is evaluated only if
// what stands before it is there.

import type { Block } from '../../ir/types.js'
import { ts } from '../typescript.js'
import type { Ts } from '../typescript.js'
import { callFunction } from './functions.js'
import { callBuiltin } from './builtins.js'
import { orElse, expression } from './expressions.js'
import type { Lowering } from './lowering.js'
import { memberOf } from './members.js'
import { callMethod } from './methods.js'
import { errorValue, undefinedValue } from './value.js'
import type { Value } from './value.js'

type Link = Ts.PropertyAccessExpression | Ts.CallExpression

/** The value of a property access or call. */
export function chain(l: Lowering, node: Link, absent?: Block): Value {
  if (absent) return link(l, node, absent)
  return optionally(l, out => link(l, node, out))
}

/** Runs `body`, which may leave for the block it is given; what leaves becomes undefined. */
export function optionally(l: Lowering, body: (absent: Block) => Value): Value {
  const absent = l.builder.block()
  const value = body(absent)
  const end = l.builder.here
  l.builder.seal(absent)
  if (!absent.preds.length) return value
  return l.merge([
    { block: end, value },
    { block: absent, value: undefinedValue },
  ])
}

function link(l: Lowering, node: Link, absent: Block): Value {
  if (ts.isPropertyAccessExpression(node)) {
    const owner = base(l, node.expression, node.questionDotToken !== undefined, absent)
    return l.at(node, () => memberOf(l, owner, node.name.text))
  }
  const callee = base(l, node.expression, node.questionDotToken !== undefined, absent)
  return l.at(node, () => call(l, node, callee, absent))
}

/** What stands before a dot; `optional` if the dot is `?.`. Only a chain's own links share its way out. */
function base(l: Lowering, node: Ts.Expression, optional: boolean, absent: Block): Value {
  const linked = ts.isPropertyAccessExpression(node) || ts.isCallExpression(node)
  let value: Value
  if (linked && (ts.isOptionalChain(node) || optional)) value = l.at(node, () => link(l, node, absent))
  else value = expression(l, node)
  return optional ? l.at(node, () => orElse(l, value, absent)) : value
}

function call(l: Lowering, node: Ts.CallExpression, callee: Value, absent: Block): Value {
  switch (callee.kind) {
    case 'function':
      return callFunction(l, node, callee)
    case 'method':
      return callMethod(l, node, callee.receiver, callee.name, absent)
    case 'builtin':
    case 'type':
      return callBuiltin(l, node, callee)
    case 'members':
      return callBuiltin(l, node, { kind: 'builtin', name: callee.name })
    case 'error':
      for (const a of node.arguments) expression(l, a)
      return errorValue
    default:
      return errorValue
  }
}
