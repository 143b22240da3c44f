// Object literals as keys and values, destructuring, and elements of literal arrays.

import { ts } from '../typescript.js'
import type { Ts } from '../typescript.js'
import { scalars } from '../types.js'
import { toType } from './convert.js'
import { expression } from './expressions.js'
import type { Lowering } from './lowering.js'
import { errorValue, record, scalar } from './value.js'
import type { Value } from './value.js'

/** `{ source: ip.source, port }`. */
export function recordLiteral(l: Lowering, node: Ts.ObjectLiteralExpression): Value {
  const fields: [string, Value][] = []
  for (const p of node.properties) {
    const name = p.name && (ts.isIdentifier(p.name) || ts.isStringLiteral(p.name)) ? p.name.text : undefined
    if (name === undefined) continue
    if (ts.isPropertyAssignment(p)) fields.push([name, expression(l, p.initializer)])
    else if (ts.isShorthandPropertyAssignment(p)) fields.push([name, expression(l, p.name)])
  }
  return record(fields)
}

/** `ports[i]` on a literal array of constants: a constant index picks, another one selects; 0 beyond the end. */
export function elementAt(l: Lowering, node: Ts.ElementAccessExpression): Value {
  const list = expression(l, node.expression)
  const index = expression(l, node.argumentExpression)
  if (list.kind === 'error' || index.kind === 'error') return errorValue
  if (list.kind !== 'list') return l.report('indexedAccess', { found: l.describe(list) })
  if (index.kind === 'constant') {
    const picked = index.value < 0n ? undefined : list.items[Number(index.value)]
    return picked ?? l.report('indexOutOfRange', { index: index.value, length: list.items.length })
  }
  const at = toType(l, index, scalars.u32)
  if (!at) return errorValue
  const constants = list.items.filter(i => i.kind === 'constant')
  const sorts = new Set(constants.map(c => c.sort))
  if (constants.length !== list.items.length || sorts.size !== 1 || constants.length > 64)
    return l.report('constantArray', { found: l.describe(list) })
  const wide = sorts.has('bigint')
  const type = sorts.has('boolean') ? scalars.bool : wide ? scalars.u64 : scalars.u32
  const signed = constants.some(c => c.value < 0n)
  const ir = type.leaves[0]
  let result = l.builder.const(ir, 0)
  for (let k = constants.length - 1; k >= 0; k--) {
    const here = l.builder.emit('eq', [at.leaves[0], l.builder.const('i32', k)])
    result = l.builder.emit('select', [here, l.builder.const(ir, constants[k].value), result])
  }
  return scalar(signed ? (wide ? scalars.i64 : scalars.i32) : type, result)
}
