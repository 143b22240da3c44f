// Names and reasons for the fields of an item, for people: what each is, and what state needs it for.

import { opInfo } from '../ir/ops.js'
import type { Instr, Span } from '../ir/types.js'
import { testsIn } from './choice.js'
import type { ObjectShapes } from './shapes.js'
import type { Need, Purpose } from './slice-cut.js'
import { isSelector } from './slice-data.js'
import type { DataNode } from './slice-data.js'
import type { Uses } from './uses.js'

/** What describing a field takes beside the field. */
export interface NameContext {
  readonly shapes?: ObjectShapes | undefined
  /** Uses in the state body. */
  readonly uses: Uses
}

export function describeNeed(
  { node, purposes }: Need,
  context: NameContext,
): { name: string; reason: string; span?: Span } {
  const reasons = [...new Set(purposes.map(p => reasonFor(p, context)))]
  const span = isSelector(node) ? testsIn(node.choices[0])[0].cond.span : node.span
  return { name: nameOf(node), reason: reasons.join('; '), ...(span && { span }) }
}

const decides = 'decides how state changes'

function reasonFor(purpose: Purpose, { shapes, uses }: NameContext): string {
  if ('choice' in purpose) return decides
  const { user, operand } = purpose
  // The nearest operation on state that the value reaches, or a branch.
  const seen = new Map<Instr, number>([[user, operand]])
  for (const [i, at] of seen) {
    if (opInfo(i.op).effect.startsWith('state.')) return stateReason(i, at, shapes)
    for (const use of uses.of(i)) {
      if (!use.instr) return decides
      if (!seen.has(use.instr)) seen.set(use.instr, use.operand)
    }
  }
  return 'computed with state'
}

function stateReason(user: Instr, operand: number, shapes: ObjectShapes | undefined): string {
  const object = String(user.attrs.object)
  if (user.op === 'table.find' || user.op === 'table.insert' || user.op === 'table.touch') {
    const shape = shapes?.get(object)
    const keys = user.op === 'table.touch' ? 1 : (shape?.keyLeaves ?? Infinity)
    if (operand < keys) return `key of ${object}`
    return operand === keys && shape?.expires !== false ? `time of ${object}` : `order of ${object}`
  }
  if (user.op === 'array.load' || (user.op === 'array.store' && operand === 0)) return `index of ${object}`
  if (user.op === 'table.store' || user.op === 'array.store') return `${object}.${String(user.attrs.field)}`
  if (user.op === 'pool.take') return `time of ${object}`
  return user.op === 'pool.give' ? `given to ${object}` : object
}

const infix: Readonly<Record<string, string>> = {
  eq: '==',
  ne: '!=',
  ltu: '<',
  lts: '<',
  leu: '<=',
  les: '<=',
  add: '+',
  sub: '-',
  mul: '*',
  and: '&',
  or: '|',
  xor: '^',
  shl: '<<',
  shru: '>>',
  divu: '/',
  remu: '%',
}

/** The author's name of a value, or an expression over such names. */
export function nameOf(node: DataNode, depth = 3): string {
  if (isSelector(node)) {
    const conds = testsIn(node.choices[0]).map(t => t.cond)
    return conds.length > 3
      ? `one of ${node.outcomes} ways`
      : `way by ${conds.map(c => nameOf(c, 1)).join(', ')}`
  }
  return node.name ?? expression(node, depth)
}

function expression(i: Instr, depth: number): string {
  if (i.op === 'const') return String(i.attrs.value)
  if (i.op === 'input' || i.op === 'setting') return String(i.attrs.name)
  if (i.op === 'rules.lookup' || i.op === 'rules.load')
    return `${String(i.attrs.object)}${i.op === 'rules.load' ? `.${String(i.attrs.field)}` : ''}`
  if (i.op === 'load') return `packet[${Number(i.attrs.width)} bytes]`
  if (depth === 0) return '…'
  const [a, b] = i.args
  if (i.op === 'bswap16' || i.op === 'bswap32' || i.op === 'bswap64' || i.op === 'zext' || i.op === 'trunc')
    return nameOf(a, depth)
  if (i.op === 'not') return `!${nameOf(a, depth - 1)}`
  const sign = infix[i.op]
  if (!sign) return `${i.op}(${i.args.map(x => nameOf(x, depth - 1)).join(', ')})`
  const number = b.op === 'const' ? constantBeside(a, b) : nameOf(b, depth - 1)
  return `${nameOf(a, depth - 1)} ${sign} ${number}`
}

/** Folding compares raw loads with swapped constants; people read host order. */
function constantBeside(other: Instr, constant: Instr): string {
  const value = BigInt(constant.attrs.value)
  const width = other.op === 'load' ? Number(other.attrs.width) : 1
  if (width !== 2 && width !== 4) return String(value)
  return String(opInfo(width === 2 ? 'bswap16' : 'bswap32').fold!([value], 'i32', 'i32', {}))
}
