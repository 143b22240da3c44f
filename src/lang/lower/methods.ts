// Method calls: what programs do with tables, arrays, pools, rule tables, counters and views.
//
// One row per method says how many arguments it takes and how it is lowered; the state operations stand in state.ts.

import type { Block } from '../../ir/types.js'
import { methodNames as viewMethods, writeNames } from '../members.js'
import type { Ts } from '../typescript.js'
import { callMethod as callView, writeBytes } from '../views.js'
import { scalars } from '../types.js'
import type { ScalarType } from '../types.js'
import { toType } from './convert.js'
import { expression, orElse } from './expressions.js'
import type { Lowering } from './lowering.js'
import { memberValue } from './members.js'
import { routeLookup } from './routes.js'
import * as state from './state.js'
import { bare, constant, errorValue, scalar, voidValue } from './value.js'
import type { Value, View } from './value.js'

/** Names that are methods of state objects and counters. */
export const methodNames: ReadonlySet<string> = new Set([
  'get',
  'has',
  'set',
  'upsert',
  'delete',
  'at',
  'take',
  'give',
  'lookup',
  'redirect',
  'add',
])

/** Calls a method; where it finds nothing it may go to `absent`. */
export function callMethod(
  l: Lowering,
  node: Ts.CallExpression,
  receiver: Value,
  name: string,
  absent: Block,
): Value {
  if (receiver.kind === 'view') return viewMethod(l, node, receiver, name, absent)
  if (!l.inFunction) return l.report('outsideFunction', { what: `${l.describe(receiver)}.${name}()` })
  if (receiver.kind === 'counter') return add(l, node, receiver.name)
  if (receiver.kind !== 'state') return errorValue
  const { object } = receiver
  const args = node.arguments.map(a => expression(l, a))
  switch (object.kind) {
    case 'table':
      if (name === 'get') return state.tableGet(l, object, args[0], absent)
      if (name === 'has') return state.tableHas(l, object, args[0])
      if (name === 'set') return state.tableSet(l, object, args[0], args[1])
      if (name === 'upsert') return state.tableUpsert(l, object, args[0], args[1])
      return state.tableDelete(l, object, args[0])
    case 'array':
      if (object.cell) {
        return name === 'get'
          ? state.arrayGet(l, object, undefined)
          : state.arraySet(l, object, undefined, args[0])
      }
      if (name === 'get') return state.arrayGet(l, object, args[0])
      if (name === 'set') return state.arraySet(l, object, args[0], args[1])
      return state.arrayAt(l, object, args[0])
    case 'pool':
      return name === 'take' ? state.poolTake(l, object, absent) : state.poolGive(l, object, args[0])
    case 'rules':
      if (name === 'redirect') return state.rulesRedirect(l, node, object, args)
      if (object.fib !== undefined) return routeLookup(l, object, args[0])
      return state.rulesLookup(l, object, args[0], absent)
  }
}

function add(l: Lowering, node: Ts.CallExpression, counter: string): Value {
  const by = node.arguments.length ? expression(l, node.arguments[0]) : constant('bigint', 1n)
  const wide = by.kind === 'constant' && by.sort === 'number' ? constant('bigint', by.value) : by
  const count =
    wide.kind === 'scalar' && wide.type.sort === 'number'
      ? l.builder.emit('zext', [wide.leaves[0]], {}, 'i64')
      : toType(l, wide, scalars.u64)?.leaves[0]
  if (count) l.builder.emit('count', [count], { counter })
  return voidValue
}

function viewMethod(
  l: Lowering,
  node: Ts.CallExpression,
  receiver: View,
  name: string,
  absent: Block,
): Value {
  if (writeNames.some(m => m === name)) return write(l, node, receiver, name)
  if (!viewMethods.some(m => m === name)) return errorValue
  const values = node.arguments.map(a => expression(l, a))
  const constants = values.map(v =>
    v.kind === 'text' ? v.text : v.kind === 'constant' ? Number(v.value) : undefined,
  )
  const wanted = name === 'time' ? [0, 1] : name === 'bytes' ? [1] : []
  for (const k of wanted)
    if (constants[k] === undefined)
      return l.report(
        'constantExpected',
        { what: `argument ${k + 1} of ${name}()` },
        node.arguments[k] ?? node,
      )
  if (name === 'bytes' && !(Number(constants[1]) >= 1 && Number(constants[1]) <= 64))
    return l.report('byteCount', { found: String(constants[1]) }, node.arguments[1])
  const args = name === 'time' ? [] : [toType(l, values[0], scalars.u32)?.leaves[0]]
  if (args.some(a => a === undefined)) return errorValue
  const member = callView(l.context, receiver.view, name, args as never[], constants)
  return orElse(l, memberValue(l, member, name), absent)
}

const integers: Readonly<Record<string, ScalarType>> = {
  setU8: scalars.u8,
  setU16: scalars.u16,
  setU32: scalars.u32,
  setU64: scalars.u64,
}

function write(l: Lowering, node: Ts.CallExpression, receiver: View, name: string): Value {
  const [offset, given] = node.arguments.map(a => expression(l, a))
  const at = toType(l, offset, scalars.u32)
  const value = bare(given)
  const type = integers[name] ?? (value.kind === 'scalar' ? value.type : scalars.u8)
  const leaves = toType(l, value, type)?.leaves
  if (!at || !leaves) return errorValue
  return scalar(scalars.bool, writeBytes(l.context, receiver.view, at.leaves[0], type.bits / 8, leaves))
}
