// Assignments, `x += y` and `++`/`--`: to variables, fields of entries and elements, and writable packet fields.
//
// Promises: the value is truncated to the target's declared type, and is what the assignment evaluates to.

import type { Instr } from '../../ir/types.js'
import { memberInfo } from '../members.js'
import { ts } from '../typescript.js'
import type { Ts } from '../typescript.js'
import { scalars, typeOfField } from '../types.js'
import type { ScalarType } from '../types.js'
import { readMember, writeMember } from '../views.js'
import { toType } from './convert.js'
import { expression, orElse } from './expressions.js'
import type { Lowering } from './lowering.js'
import { fieldNamed, loadField, memberValue } from './members.js'
import { binary } from './operators.js'
import { gather, spread } from './shape.js'
import { storeField } from './state.js'
import { constant, errorValue } from './value.js'
import type { Scalar, Value } from './value.js'

/** A place that can be read and written. */
interface Place {
  read(): Value
  write(value: Value): Value
}

/** `target = value`, `target += value`, `target ??= value` and so on. */
export function assignment(l: Lowering, node: Ts.BinaryExpression): Value {
  const { kind } = node.operatorToken
  const place = placeOf(l, node.left)
  if (kind === ts.SyntaxKind.EqualsToken) {
    const value = expression(l, node.right)
    return place ? place.write(value) : errorValue
  }
  if (kind === ts.SyntaxKind.QuestionQuestionEqualsToken) return place ? orAssign(l, node, place) : errorValue
  const operator = ts.tokenToString(kind)!.slice(0, -1)
  if (operator === '&&' || operator === '||' || operator === '**') return errorValue
  if (!place) {
    expression(l, node.right)
    return errorValue
  }
  const before = place.read()
  const right = expression(l, node.right)
  return place.write(binary(l, operator, before, right))
}

function orAssign(l: Lowering, node: Ts.BinaryExpression, place: Place): Value {
  const absent = l.builder.block()
  const value = orElse(l, place.read(), absent)
  const end = l.builder.here
  l.builder.seal(absent)
  if (!absent.preds.length) return value
  l.builder.at(absent)
  const written = place.write(expression(l, node.right))
  return l.merge([
    { block: end, value },
    { block: l.builder.here, value: written },
  ])
}

/** `x++` and `--x`: the value before or after. */
export function step(
  l: Lowering,
  target: Ts.Expression,
  operator: Ts.SyntaxKind,
  result: 'before' | 'after',
): Value {
  const place = placeOf(l, target)
  if (!place) return errorValue
  const before = place.read()
  const sort = before.kind === 'scalar' ? before.type.sort : 'number'
  const one = constant(sort === 'bigint' ? 'bigint' : 'number', 1n)
  const sign = operator === ts.SyntaxKind.PlusPlusToken ? '+' : '-'
  const after = place.write(binary(l, sign, before, one))
  return result === 'before' ? before : after
}

function placeOf(l: Lowering, node: Ts.Expression): Place | undefined {
  if (ts.isParenthesizedExpression(node)) return placeOf(l, node.expression)
  if (ts.isIdentifier(node)) return variablePlace(l, node)
  if (ts.isPropertyAccessExpression(node)) return l.at(node, () => memberPlace(l, node))
  expression(l, node)
  if (!ts.isElementAccessExpression(node)) l.report('assignmentTarget', { target: node.getText() }, node)
  return undefined
}

function variablePlace(l: Lowering, node: Ts.Identifier): Place | undefined {
  const binding = l.scope.get(node.text)
  if (!binding || binding.kind !== 'let') return undefined
  const { shape, leaves } = binding
  return {
    read: () =>
      gather(
        shape,
        leaves.map(v => l.builder.read(v)),
      ),
    write: value => {
      const spreadLeaves = spread(l, value, shape)
      spreadLeaves.forEach((leaf, k) => {
        if (shape.kind === 'scalar') l.named(leaf, binding.name)
        l.builder.write(leaves[k], leaf)
      })
      return gather(shape, spreadLeaves)
    },
  }
}

function memberPlace(l: Lowering, node: Ts.PropertyAccessExpression): Place | undefined {
  const owner = expression(l, node.expression)
  const name = node.name.text
  if (owner.kind === 'entry' || owner.kind === 'element') {
    const field = fieldNamed(owner, name)
    if (!field) return undefined
    const type = typeOfField(field)
    const at = owner.kind === 'entry' ? owner.slot : owner.index
    const op = owner.kind === 'entry' ? 'table.store' : 'array.store'
    return scalarPlace(
      l,
      node,
      type,
      () => loadField(l, owner, name),
      leaves => storeField(l, op, owner.object.name, at, field, widened(l, leaves)),
    )
  }
  if (owner.kind === 'view') {
    const { view } = owner
    const info = memberInfo(view.protocol, name)
    if (!info || info.kind !== 'field') return undefined
    const type = scalars[info.field.type]
    return scalarPlace(
      l,
      node,
      narrowed(type, info.field.bits),
      () => memberValue(l, readMember(l.context, view, name), name),
      leaves => writeMember(l.context, view, name, leaves),
    )
  }
  if (owner.kind === 'record' || owner.kind === 'optional') l.report('recordMutation', { field: name }, node)
  else if (owner.kind !== 'error') l.report('assignmentTarget', { target: node.getText() }, node)
  return undefined
}

/** A header field narrower than its type keeps only its own bits. */
const narrowed = (type: ScalarType, bits: number): ScalarType =>
  type.sort === 'number' && bits < type.bits ? { ...type, bits } : type

const widened = (l: Lowering, leaves: readonly Instr[]): Instr[] =>
  leaves.map(leaf => (leaf.type === 'i1' ? l.builder.emit('zext', [leaf], {}, 'i32') : leaf))

function scalarPlace(
  l: Lowering,
  node: Ts.Node,
  type: ScalarType,
  read: () => Value,
  store: (leaves: readonly Instr[]) => void,
): Place {
  return {
    read: () => l.at(node, read),
    write: value => {
      const stored: Scalar | undefined = toType(l, value, type)
      if (!stored) return errorValue
      l.at(node, () => store(stored.leaves))
      return stored
    },
  }
}
