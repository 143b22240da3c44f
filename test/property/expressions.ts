/**
 * Random expressions of the language's subset, of a wanted type.
 *
 * What TypeScript would call pointless is avoided: comparing two constants, testing one, a default behind what is
 * never undefined. Signs are not mixed.
 */

import { viewTypes } from '../../src/lang/members.js'
import type { ViewName } from '../../src/lang/members.js'
import { literal } from './declarations.js'
import type { Choice } from './draw.js'
import type { Scope } from './scope.js'
import { expression } from './tree.js'
import type { Part, Sort, Tree } from './tree.js'
import { ofField, scalars } from './types.js'
import type { Scalar, Shape } from './types.js'

export interface Made {
  readonly tree: Tree
  /** Of an unsigned number: the bits TypeScript believes it may have. */
  readonly bits: number
  /** TypeScript knows the value. */
  readonly literal: boolean
}

const made = (sort: Sort, bits: number, ...parts: readonly Part[]): Made => ({
  tree: expression(sort, ...parts),
  bits,
  literal: false,
})

/** A value of a type, as what mixes with others. */
const plainly = (type: Scalar, ...parts: readonly Part[]): Made =>
  type.plainly === undefined
    ? made(type.sort, type.bits, ...parts)
    : made(type.sort, type.bits, `${type.plainly}(`, ...parts, ')')

/** Members of a view that are scalars of these sorts, and those that are views. */
function membersOf(view: ViewName) {
  const { protocol, members } = viewTypes[view]
  const values: { name: string; type: Scalar; optional: boolean; writable: boolean; bits?: number }[] = []
  const views: { name: string; view: ViewName; always: boolean }[] = []
  for (const [name, { type, writable, bits }] of Object.entries(protocol?.fields ?? {}))
    values.push({ name, type: ofField[type], optional: false, writable: writable === true, bits })
  for (const [name, member] of Object.entries(members))
    if (member.kind === 'view') views.push({ name, view: member.view, always: member.always === true })
    else
      values.push({ name, type: ofField[member.type], optional: member.optional === true, writable: false })
  return { values, views }
}

const table = Object.fromEntries(
  (Object.keys(viewTypes) as ViewName[]).map(view => [view, membersOf(view)]),
) as Readonly<Record<ViewName, ReturnType<typeof membersOf>>>

/** Scalar members and views behind a view. */
export const membersByView = table

const arithmetic = ['+', '-', '*', '/', '%', '&', '|', '^', '<<', '>>'] as const
const comparisons = ['===', '!==', '<', '<=', '>', '>='] as const
const numeric: readonly Sort[] = ['unsigned', 'unsigned', 'signed', 'wide', 'signedWide']

/** An expression to store in a place of this type. */
export function value(scope: Scope, type: Scalar, depth = 2): Tree {
  if (type.plainly !== undefined && scope.draw.chance(2, 3)) {
    const path = exactly(scope, type)
    if (path !== undefined) return expression(type.sort, path)
  }
  const found = ofSort(scope, type.sort, depth, type)
  if (type.sort !== 'unsigned' || found.bits <= type.bits) return found.tree
  return expression('unsigned', `${type.name}(`, found.tree, ')')
}

/** Something in scope that has this very type. */
function exactly(scope: Scope, type: Scalar): string | undefined {
  const paths = [
    ...scope.variables.filter(v => v.type === type).map(v => v.name),
    ...scope.fielded.flatMap(f => f.fields.filter(g => g.type === type).map(g => `${f.name}.${g.name}`)),
    ...scope.views.flatMap(v =>
      membersByView[v.view].values
        .filter(m => m.type === type && !m.optional)
        .map(m => `${v.name}.${m.name}`),
    ),
  ]
  return paths.length ? scope.draw.pick(paths) : undefined
}

/** An expression that is no constant for TypeScript. */
export function variable(scope: Scope, sort: Sort, depth: number): Made {
  const { draw } = scope
  if (depth < 0) return simple(scope, sort)
  if (sort === 'bool') return bool(scope, depth)
  return draw.weighted<Made>([...leaves(scope, sort, depth), ...compounds(scope, sort, depth)])
}

export function ofSort(scope: Scope, sort: Sort, depth: number, type?: Scalar): Made {
  const { draw } = scope
  if (sort === 'opaque') return opaque(scope, type!)
  if (sort !== 'bool' && draw.chance(1, depth > 1 ? 6 : 3)) return constant(scope, sort, type)
  return variable(scope, sort, depth)
}

function constant(scope: Scope, sort: Sort, type?: Scalar): Made {
  const { draw } = scope
  const known = scope.variables.filter(
    v => v.literal && v.type.sort === sort && (!type || v.type.bits <= type.bits),
  )
  if (known.length && draw.chance(1, 4)) {
    const { name, type } = draw.pick(known)
    return { tree: expression(sort, name), bits: type.bits, literal: true }
  }
  const of =
    type ??
    { unsigned: scalars.u32, signed: scalars.i32, wide: scalars.u64, signedWide: scalars.i64 }[
      sort as 'unsigned'
    ]
  const text = literal(draw, of)
  return { tree: expression(sort, text), bits: of.bits, literal: true }
}

/** Names in scope, fields of views and entries, state, parameters, the packet's own numbers. */
function leaves(scope: Scope, sort: Sort, depth: number): Choice<Made>[] {
  const { draw } = scope
  const choices: Choice<Made>[] = []
  const variables = scope.variables.filter(v => v.type.sort === sort && v.literal !== true)
  if (variables.length)
    choices.push([
      6,
      () => {
        const { name, type } = draw.pick(variables)
        return plainly(type, name)
      },
    ])
  const fields = scope.fielded.flatMap(f =>
    f.fields
      .filter(({ type }) => type.sort === sort)
      .map(({ name, type }) => ({ path: `${f.name}.${name}`, type })),
  )
  if (fields.length)
    choices.push([
      5,
      () => {
        const { path, type } = draw.pick(fields)
        return plainly(type, path)
      },
    ])
  if (scope.views.length) choices.push([6, () => chain(scope, sort, depth)])
  choices.push([2, () => state(scope, sort, depth)])
  const helpers = scope.globals.helpers.filter(
    h => h.result.sort === sort && (!h.packet || hasPacket(scope)) && (!h.mutates || scope.locked.size === 0),
  )
  if (helpers.length && depth > 0)
    choices.push([
      2,
      () => {
        const helper = draw.pick(helpers)
        scope.globals.mutated ||= helper.mutates
        const args = helper.parameters.map(type => value(scope, type, depth - 1))
        const all: Part[] = helper.packet ? ['packet', ...args] : args
        return made(sort, helper.result.bits, `${helper.name}(`, ...between(all, ', '), ')')
      },
    ])
  if (sort === 'unsigned')
    choices.push([1, () => made(sort, 32, draw.chance(1, 2) ? 'random()' : `random(${1 + draw.below(9)})`)])
  return choices
}

const hasPacket = (scope: Scope): boolean => scope.views.some(v => v.view === 'packet')

export const between = (parts: readonly Part[], separator: string): Part[] =>
  parts.flatMap((part, k) => (k === 0 ? [part] : [separator, part]))

/** Operators, conversions and choices. */
function compounds(scope: Scope, sort: Sort, depth: number): Choice<Made>[] {
  if (depth <= 0) return []
  const { draw } = scope
  const less = depth - 1
  const big = sort === 'wide' || sort === 'signedWide'
  const own = { unsigned: 'u32', signed: 'i32', wide: 'u64', signedWide: 'i64' }[sort as 'unsigned']
  return [
    [
      8,
      () => {
        const operator = sort === 'unsigned' && draw.chance(1, 12) ? '>>>' : draw.pick(arithmetic)
        const left = variable(scope, sort, less)
        const right = ofSort(scope, sort, less)
        // A shifted literal would have the sign of no operand.
        const swap = right.literal && !/[<>]/.test(operator) && draw.chance(1, 3)
        const [a, b] = swap ? [right, left] : [left, right]
        return made(sort, 0, '(', a.tree, ` ${operator} `, b.tree, ')')
      },
    ],
    [1, () => made(sort, 0, draw.pick(['-', '~']), variable(scope, sort, less).tree)],
    [
      3,
      () => {
        const from = draw.pick<Sort>([...numeric, 'bool'])
        const narrow = sort === 'unsigned' ? draw.pick([scalars.u8, scalars.u16, scalars.u32]) : undefined
        return made(
          sort,
          narrow?.bits ?? 64,
          `${narrow?.name ?? own}(`,
          variable(scope, from, less).tree,
          ')',
        )
      },
    ],
    [
      2,
      () => {
        const a = ofSort(scope, sort, less)
        const b = a.literal ? variable(scope, sort, less) : ofSort(scope, sort, less)
        return made(sort, 64, '(', bool(scope, less).tree, ' ? ', a.tree, ' : ', b.tree, ')')
      },
    ],
    [
      big ? 0 : 1,
      () => {
        const a = variable(scope, sort, less)
        return made(sort, 64, '(', a.tree, draw.pick([' && ', ' || ']), variable(scope, sort, less).tree, ')')
      },
    ],
  ]
}

export function bool(scope: Scope, depth: number): Made {
  const { draw } = scope
  if (depth < 0) return simple(scope, 'bool')
  const less = depth - 1
  return draw.weighted<Made>([
    ...leaves(scope, 'bool', depth),
    [
      depth > 0 ? 12 : 2,
      () => {
        const sort = draw.pick(numeric)
        const left = variable(scope, sort, less)
        const right = ofSort(scope, sort, less)
        return made('bool', 1, '(', left.tree, ` ${draw.pick(comparisons)} `, right.tree, ')')
      },
    ],
    [depth > 0 ? 2 : 0, () => made('bool', 1, '!', bool(scope, less).tree)],
    [
      depth > 0 ? 4 : 0,
      () =>
        made(
          'bool',
          1,
          '(',
          bool(scope, less).tree,
          draw.pick([' && ', ' || ']),
          bool(scope, less).tree,
          ')',
        ),
    ],
    [depth > 0 ? 1 : 0, () => made('bool', 1, 'bool(', variable(scope, draw.pick(numeric), less).tree, ')')],
  ])
}

/** True if an expression of this type can be made here. */
export const canMake = (scope: Scope, type: Scalar): boolean =>
  type.sort !== 'opaque' || type === scalars.ipv6 || opaqueNames(scope, type).length > 0

function opaqueNames(scope: Scope, type: Scalar): string[] {
  const variables = scope.variables.filter(v => v.type === type).map(v => v.name)
  const fields = scope.fielded.flatMap(f =>
    f.fields.filter(g => g.type === type).map(g => `${f.name}.${g.name}`),
  )
  return [...variables, ...fields]
}

function opaque(scope: Scope, type: Scalar): Made {
  const { draw } = scope
  const names = opaqueNames(scope, type)
  if (type === scalars.ipv6)
    for (const { name, view } of scope.views) {
      if (view === 'ipv6') names.push(`${name}.source`, `${name}.destination`)
      if (view === 'packet' && !scope.absent.has(`${name}.ipv6`))
        names.push(`(${name}.ipv6?.source ?? ipv6('::2'))`)
    }
  if (names.length === 0) return { tree: expression('opaque', literal(draw, type)), bits: 128, literal: true }
  return made('opaque', type.bits, draw.pick(names))
}

/** Views behind a view that may be there. */
export const viewsBehind = (scope: Scope, path: string, view: ViewName) =>
  membersByView[view].views.filter(({ name }) => !scope.absent.has(`${path}.${name}`))

/** A field some views away from one in scope, with a default if one of them may be absent. */
function chain(scope: Scope, sort: Sort, depth: number): Made {
  const { draw } = scope
  const start = draw.pick(scope.views)
  let path = start.name
  let view: ViewName = start.view
  let optional = false
  for (let hops = 0; hops < 4; hops++) {
    const { values } = table[view]
    const views = viewsBehind(scope, path, view)
    const here = values.filter(v => v.type.sort === sort)
    if (here.length && (views.length === 0 || draw.chance(1, 2))) {
      const field = draw.pick(here)
      const read = `${path}.${field.name}`
      if (!optional && !field.optional) return plainly(field.type, read)
      return fallback(scope, sort, field.type, read)
    }
    if (views.length === 0 || draw.chance(1, 5)) break
    const next = draw.pick(views)
    path += next.always ? `.${next.name}` : `.${next.name}?`
    optional ||= !next.always
    view = next.view
  }
  return raw(scope, sort, depth, path, view)
}

/** A raw read of a view, or the packet's clock, or a conversion of one. */
function raw(scope: Scope, sort: Sort, depth: number, path: string, view: ViewName): Made {
  const { draw } = scope
  if (sort === 'unsigned' && view === 'packet' && draw.chance(1, 3)) {
    const bits = draw.pick([8, 13, 16, 24, 32])
    const type = bits <= 8 ? 8 : bits <= 16 ? 16 : 32
    return made(sort, type, `${path}.time('${draw.pick(['ns', 'us', 'ms', 's'])}', ${bits})`)
  }
  const place: Part =
    draw.chance(2, 3) || depth <= 0 ? `${draw.below(40)}` : ofSort(scope, 'unsigned', depth - 1).tree
  if (sort === 'wide') return fallback(scope, sort, scalars.u64, `${path}.u64(`, place, ')')
  const bits = draw.pick([8, 16, 32] as const)
  const read = fallback(scope, 'unsigned', scalars[`u${bits}`], `${path}.u${bits}(`, place, ')')
  if (sort === 'unsigned') return read
  if (sort === 'bool') return made('bool', 1, '(', read.tree, ` > ${draw.number(8)})`)
  return made(sort, 64, sort === 'signed' ? 'i32(' : 'i64(', read.tree, ')')
}

/** What may be undefined, with a default. */
function fallback(scope: Scope, sort: Sort, type: Scalar, ...parts: readonly Part[]): Made {
  const other =
    type.plainly === undefined ? ofSort(scope, sort, 0).tree : expression(sort, literal(scope.draw, type))
  return { ...plainly(type, '(', ...parts, ' ?? ', other, ')'), bits: 64 }
}

/** A read of some state object, or an operation on one that has a value. */
function state(scope: Scope, sort: Sort, depth: number): Made {
  const { draw, declared } = scope
  const less = depth - 1
  const choices: Choice<Made>[] = [[1, () => simple(scope, sort)]]
  for (const object of declared.tables) {
    if (!canKey(scope, object.key)) continue
    const field = object.value.fields.find(f => f.type.sort === sort)
    const path = field && (object.value.plain ? '' : `?.${field.name}`)
    if (field && sort !== 'opaque')
      choices.push([
        3,
        () =>
          fallback(scope, sort, field.type, `${object.name}.get(`, keyOf(scope, object, less), `)${path}`),
      ])
    if (sort === 'bool')
      choices.push([3, () => made(sort, 1, `${object.name}.has(`, keyOf(scope, object, less), ')')])
    if (sort === 'bool' && !scope.locked.has(object.name) && canKey(scope, object.value))
      choices.push([
        1,
        () => {
          scope.globals.mutated = true
          const stored = record(scope, object.value, less)
          return made(sort, 1, `${object.name}.set(`, keyOf(scope, object, less), ', ', ...stored, ')')
        },
      ])
  }
  for (const object of declared.arrays) {
    const field = object.value.fields.find(f => f.type.sort === sort)
    if (!field) continue
    const path = object.value.plain ? '' : `.${field.name}`
    const index: Part[] = object.kind === 'cell' ? [] : [index_(scope, object.length, less)]
    choices.push([3, () => plainly(field.type, `${object.name}.get(`, ...index, `)${path}`)])
  }
  if (sort === 'unsigned')
    for (const { name } of declared.pools)
      choices.push([
        1,
        () => {
          scope.globals.mutated = true
          return made(sort, 64, `(${name}.take() ?? ${draw.number(16)})`)
        },
      ])
  for (const object of declared.rules) {
    const field = object.value.fields.find(f => f.type.sort === sort)
    if (!field || !canKey(scope, object.key)) continue
    const path = object.value.plain ? '' : `?.${field.name}`
    const key = value(scope, object.key.fields[0].type, less)
    choices.push([2, () => fallback(scope, sort, field.type, `${object.name}.lookup(`, key, `)${path}`)])
  }
  return draw.weighted(choices)
}

/** A name in scope, or else something that is no literal to TypeScript. */
function simple(scope: Scope, sort: Sort): Made {
  const known = scope.variables.filter(v => v.type.sort === sort && v.literal !== true)
  if (known.length) {
    const { name, type } = scope.draw.pick(known)
    return plainly(type, name)
  }
  if (hasPacket(scope))
    return made(sort, 64, conversionOf(sort), 'packet.length', sort === 'unsigned' ? '' : ')')
  if (sort === 'unsigned') return made(sort, 32, `random(${1 + scope.draw.below(100)})`)
  if (sort === 'bool') return made(sort, 1, `(random() > ${scope.draw.number(32)})`)
  return made(sort, 64, conversionOf(sort), 'random()', ')')
}

function conversionOf(sort: Sort): string {
  return { unsigned: '', signed: 'i32(', wide: 'u64(', signedWide: 'i64(', bool: 'bool(', opaque: '' }[sort]
}

/** An index, beyond the end now and then. */
export function index_(scope: Scope, length: number, depth: number): Tree {
  if (scope.draw.chance(1, 2)) return expression('unsigned', `${scope.draw.below(length + 1)}`)
  const at = variable(scope, 'unsigned', depth)
  return expression('unsigned', '(', at.tree, ` % ${length + 1})`)
}

export const canKey = (scope: Scope, shape: Shape): boolean => shape.fields.every(f => canMake(scope, f.type))

/** A key: one that was made before more often than not, so that operations meet. */
export function keyOf(
  scope: Scope,
  object: { readonly name: string; readonly key: Shape },
  depth: number,
): Tree {
  const known = scope.keys.filter(k => k.object === object.name)
  if (known.length && scope.draw.chance(4, 5)) return expression('opaque', scope.draw.pick(known).name)
  return expression('opaque', ...record(scope, object.key, depth))
}

/** A key or value as a literal. */
export function record(scope: Scope, shape: Shape, depth: number): Part[] {
  const parts = shape.fields.map(f => value(scope, f.type, depth))
  if (shape.plain) return [parts[0]]
  return ['{ ', ...shape.fields.flatMap((f, k) => [k ? ', ' : '', `${f.name}: `, parts[k]]), ' }']
}
