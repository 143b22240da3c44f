/** Random statements of the language's subset. A block never goes on behind a return, and every loop has a bound. */

import type { ArrayObject, TableObject } from './declarations.js'
import { literal } from './declarations.js'
import type { Choice } from './draw.js'
import {
  between,
  bool,
  canKey,
  canMake,
  index_,
  keyOf,
  membersByView,
  ofSort,
  record,
  value,
  variable,
  viewsBehind,
} from './expressions.js'
import { Scope } from './scope.js'
import { block, expression, statement } from './tree.js'
import type { Part, Tree } from './tree.js'
import { plain, scalars } from './types.js'
import type { Scalar } from './types.js'

/** Runs of the innermost statement per packet, at most. */
const mostRepeats = 48

/** Statements into a scope, about `size` of them. */
export function statements(scope: Scope, size: number, depth: number): Tree[] {
  const made: Tree[] = []
  for (let n = 0; n < size && scope.globals.budget-- > 0; n++) {
    const next = one(scope, depth)
    made.push(...next)
    if (next.length && leaves(next[next.length - 1])) break
  }
  return made
}

const leaves = (tree: Tree): boolean => /^(return|break|continue)/.test(String(tree.parts[0]))

const inner = (scope: Scope, depth: number, more: Partial<Scope> = {}, into?: (s: Scope) => void): Tree => {
  const own = scope.inner(more)
  into?.(own)
  return block(statements(own, 1 + scope.draw.below(2), depth - 1))
}

/** A return of what the function gives. */
export function returned(scope: Scope): Tree {
  if (scope.result) return statement('return ', value(scope, scope.result, 2))
  return statement(
    'return ',
    scope.draw.weighted<Part>([
      [2, () => 'Verdict.Drop'],
      [2, () => 'Verdict.Pass'],
      [2, () => 'Verdict.Transmit'],
      [1, () => expression('opaque', 'redirect(', value(scope, scalars.u8, 1), ')')],
    ]),
  )
}

function one(scope: Scope, depth: number): Tree[] {
  const { draw, declared } = scope
  const nested = depth > 0 ? 1 : 0
  const assignable = scope.variables.filter(v => v.mutable)
  const writable = scope.views.flatMap(({ name, view }) =>
    membersByView[view].values
      .filter(v => v.writable && canMake(scope, v.type))
      .map(v => ({ name: `${name}.${v.name}`, type: v.bits ? { ...v.type, bits: v.bits } : v.type })),
  )
  const entries = scope.fielded.filter(f => f.mutable)
  const free = declared.tables.filter(t => !scope.locked.has(t.name))
  const choices: Choice<Tree[]>[] = [
    [6, () => declare(scope)],
    [assignable.length ? 6 : 0, () => [assign(scope, draw.pick(assignable))]],
    [5 * nested, () => [conditional(scope, depth)]],
    [5 * nested, () => bindView(scope, depth)],
    [2 * nested, () => [loop(scope, depth)]],
    [nested, () => [choose(scope, depth)]],
    [writable.length ? 3 : 0, () => writeFields(scope, writable)],
    [entries.length ? 8 : 0, () => [changeField(scope, draw.pick(entries))]],
    [free.length ? 4 : 0, () => [change(scope, draw.pick(free))]],
    [free.length ? 4 * nested : 0, () => held(scope, draw.pick(free), depth)],
    [declared.tables.length ? 3 * nested : 0, () => snapshot(scope, draw.pick(declared.tables), depth)],
    [declared.tables.length + declared.rules.length ? 3 : 0, () => key(scope)],
    [declared.arrays.length ? 4 : 0, () => element(scope, draw.pick(declared.arrays))],
    [declared.pools.length ? 2 : 0, () => [give(scope)]],
    [declared.counters.length ? 2 : 0, () => [count(scope)]],
    [depth < 2 ? 1 : 0, () => [returned(scope)]],
    [
      scope.inLoop ? 1 : 0,
      () => [statement(draw.pick(scope.inSwitch ? ['continue'] : ['break', 'continue']))],
    ],
  ]
  return draw.weighted(choices)
}

function declare(scope: Scope): Tree[] {
  const { draw } = scope
  const type = draw.pick(plain)
  const mutable = draw.chance(2, 3)
  const name = scope.fresh(mutable ? 'x' : 'c')
  // A constant would be narrowed to its value: of truth values TypeScript then calls every test pointless.
  const initial =
    type.sort === 'bool' || !mutable ? variable(scope, type.sort, 2) : ofSort(scope, type.sort, 2, type)
  const fits = type.sort !== 'unsigned' || initial.bits <= type.bits
  const converted: Part[] = fits ? [initial.tree] : [`${type.name}(`, initial.tree, ')']
  scope.variables.push({ name, type, mutable })
  return [statement(`${mutable ? 'let' : 'const'} ${name}: ${type.annotation} = `, ...converted)]
}

const operators = ['+=', '-=', '*=', '/=', '%=', '&=', '|=', '^=', '<<=', '>>=']

function assign(scope: Scope, target: { readonly name: string; readonly type: Scalar }): Tree {
  const { draw } = scope
  const { name, type } = target
  if (type.sort === 'bool') return statement(`${name} = `, bool(scope, 2).tree)
  if (type.sort === 'opaque' || draw.chance(1, 3)) return statement(`${name} = `, value(scope, type))
  if (draw.chance(1, 5)) return statement(`${name}${draw.pick(['++', '--'])}`)
  return statement(`${name} ${draw.pick(operators)} `, ofSort(scope, type.sort, 2).tree)
}

function conditional(scope: Scope, depth: number): Tree {
  const parts: Part[] = ['if (', bool(scope, 2).tree, ') ', inner(scope, depth)]
  if (scope.draw.chance(1, 2)) parts.push(' else ', inner(scope, depth))
  return statement(...parts)
}

/** A view behind one in scope, as a constant that is tested. */
function bindView(scope: Scope, depth: number): Tree[] {
  const { draw } = scope
  if (scope.views.length === 0) return declare(scope)
  const from = draw.pick(scope.views)
  const views = viewsBehind(scope, from.name, from.view)
  if (views.length === 0) return declare(scope)
  const { name: member, view, always } = draw.pick(views)
  const name = scope.fresh(view)
  const bind = statement(`const ${name} = ${from.name}.${member}`)
  if (always) {
    scope.views.push({ name, view })
    return [bind]
  }
  const absent = new Set([`${from.name}.${member}`])
  if (draw.chance(1, 3)) {
    const leaves = scope.inLoop && !scope.inSwitch && draw.chance(1, 2)
    const leave = leaves ? statement('continue') : returned(scope.inner({ absent }))
    scope.views.push({ name, view })
    return [bind, statement(`if (!${name}) `, leave)]
  }
  const yes = inner(scope, depth, {}, s => s.views.push({ name, view }))
  const parts: Part[] = [`if (${name}) `, yes]
  if (draw.chance(1, 3)) parts.push(' else ', inner(scope, depth, { absent }))
  return [bind, statement(...parts)]
}

function loop(scope: Scope, depth: number): Tree {
  const { draw } = scope
  const times = 1 + draw.below(6)
  if (scope.repeats * times > mostRepeats) return conditional(scope, depth)
  const name = scope.fresh('i')
  const counter = { name, type: scalars.u32, mutable: false }
  const more = { repeats: scope.repeats * times, inLoop: true, inSwitch: false }
  const body = (): Tree => inner(scope, depth, more, s => s.variables.push(counter))
  if (draw.chance(1, 4)) {
    const list = Array.from({ length: times }, () => literal(draw, scalars.u16))
    return statement(`for (const ${name} of [${list.join(', ')}]) `, body())
  }
  const also: Part[] = draw.chance(1, 4) ? [' && ', bool(scope, 1).tree] : []
  const [step, first, last] = draw.pick([
    ['++', 0, times],
    ['++', 3, times + 3],
    [' += 2', 0, 2 * times],
  ] as const)
  return statement(`for (let ${name} = ${first}; ${name} < ${last}`, ...also, `; ${name}${step}) `, body())
}

function choose(scope: Scope, depth: number): Tree {
  const { draw } = scope
  const subject = variable(scope, 'unsigned', 2)
  const parts: Part[] = ['switch (u32(', subject.tree, ')) {']
  for (const label of new Set(Array.from({ length: 1 + draw.below(3) }, () => draw.number(8))))
    parts.push(
      ` case ${label}: `,
      inner(scope, depth, { inSwitch: true }),
      draw.chance(3, 4) ? ' break;' : '',
    )
  if (draw.chance(1, 2)) parts.push(' default: ', inner(scope, depth, { inSwitch: true }))
  return statement(...parts, ' }')
}

/** A few writes to the packet in a row, now and then to the same bytes. */
function writeFields(
  scope: Scope,
  writable: readonly { readonly name: string; readonly type: Scalar }[],
): Tree[] {
  const field = scope.draw.pick(writable)
  return Array.from({ length: 1 + scope.draw.below(3) }, () =>
    writeField(scope, scope.draw.chance(1, 2) ? field : scope.draw.pick(writable)),
  )
}

function writeField(scope: Scope, field: { readonly name: string; readonly type: Scalar }): Tree {
  const { draw } = scope
  const payloads = scope.views.filter(v => v.view === 'payload')
  if (payloads.length === 0 || draw.chance(1, 2)) return assign(scope, field)
  const type = draw.pick([scalars.u8, scalars.u16, scalars.u32, scalars.u64])
  const place = ofSort(scope, 'unsigned', 1).tree
  return statement(`${draw.pick(payloads).name}.setU${type.bits}(`, place, ', ', value(scope, type, 2), ')')
}

function changeField(
  scope: Scope,
  entry: { readonly name: string; readonly fields: readonly { name: string; type: Scalar }[] },
): Tree {
  const usable = entry.fields.filter(f => canMake(scope, f.type))
  if (usable.length === 0) return statement(';')
  const field = scope.draw.pick(usable)
  return assign(scope, { name: `${entry.name}.${field.name}`, type: field.type })
}

/** An operation that changes a table and holds nothing. */
function change(scope: Scope, table: TableObject): Tree {
  scope.globals.mutated = true
  if (!canKey(scope, table.key)) return statement(';')
  const of = keyOf(scope, table, 2)
  if (!canKey(scope, table.value) || scope.draw.chance(1, 4))
    return statement(`${table.name}.delete(`, of, ')')
  return statement(`${table.name}.set(`, of, ', ', ...record(scope, table.value, 2), ')')
}

/** An entry that is changed in place while the table is left alone. */
function held(scope: Scope, table: TableObject, depth: number): Tree[] {
  const { draw } = scope
  if (!canKey(scope, table.key)) return declare(scope)
  scope.globals.mutated = true
  const name = scope.fresh('entry')
  const initial: Part[] =
    canKey(scope, table.value) && draw.chance(1, 3) ? [', ', ...record(scope, table.value, 2)] : []
  const bind = statement(`const ${name} = ${table.name}.upsert(`, keyOf(scope, table, 2), ...initial, ')')
  const locked = new Set([...scope.locked, table.name])
  const yes = inner(scope, depth, { locked }, s =>
    s.fielded.push({ name, fields: table.value.fields, mutable: true }),
  )
  const parts: Part[] = [`if (${name}) `, yes]
  if (draw.chance(1, 3)) parts.push(' else ', inner(scope, depth))
  return [bind, statement(...parts)]
}

/** A copy of an entry. */
function snapshot(scope: Scope, table: TableObject, depth: number): Tree[] {
  if (!canKey(scope, table.key)) return declare(scope)
  const name = scope.fresh('copy')
  const bind = statement(`const ${name} = ${table.name}.get(`, keyOf(scope, table, 2), ')')
  const { fields, plain } = table.value
  const yes = inner(scope, depth, {}, s => {
    if (plain) s.variables.push({ name, type: fields[0].type, mutable: false })
    else s.fielded.push({ name, fields, mutable: false })
  })
  const parts: Part[] = [`if (${name} !== undefined) `, yes]
  if (scope.draw.chance(1, 2)) parts.push(' else ', inner(scope, depth))
  return [bind, statement(...parts)]
}

/** A key that later operations share. */
function key(scope: Scope): Tree[] {
  const table = scope.draw.pick([...scope.declared.tables, ...scope.declared.tables, ...scope.declared.rules])
  if (!table || !canKey(scope, table.key)) return bytesOf(scope)
  const [{ type }] = table.key.fields
  const initial = table.key.plain ? [value(scope, type, 2)] : record(scope, table.key, 2)
  const name = scope.fresh('key')
  scope.keys.push({ object: table.name, name })
  return [statement(`const ${name}${table.key.plain ? `: ${type.annotation}` : ''} = `, ...initial)]
}

/** Bytes of the packet, so that keys of bytes can be made. */
function bytesOf(scope: Scope): Tree[] {
  const { draw } = scope
  const wanted = draw.pick([scalars.bytes6, scalars.bytes11])
  if (scope.views.length === 0) return declare(scope)
  const name = scope.fresh('bytes')
  const from = draw.pick(scope.views).name
  const bind = statement(`const ${name} = ${from}.bytes(${draw.below(30)}, ${wanted.bits / 8})`)
  const leave = scope.inLoop && !scope.inSwitch ? statement('continue') : returned(scope)
  scope.variables.push({ name, type: wanted, mutable: false })
  return [bind, statement(`if (${name} === undefined) `, leave)]
}

/** An array or a cell is changed, whole or in place. */
function element(scope: Scope, object: ArrayObject): Tree[] {
  const { draw } = scope
  scope.globals.mutated = true
  const index: Part[] = object.kind === 'cell' ? [] : [index_(scope, object.length, 2)]
  if (object.kind === 'array' && draw.chance(1, 2)) {
    const name = scope.fresh('element')
    scope.fielded.push({ name, fields: object.value.fields, mutable: true })
    return [statement(`const ${name} = ${object.name}.at(`, ...index, ')')]
  }
  if (!canKey(scope, object.value)) return declare(scope)
  const stored = expression('opaque', ...record(scope, object.value, 2))
  return [statement(`${object.name}.set(`, ...between([...index, stored], ', '), ')')]
}

function give(scope: Scope): Tree {
  scope.globals.mutated = true
  return statement(`${scope.draw.pick(scope.declared.pools).name}.give(`, value(scope, scalars.u32, 2), ')')
}

function count(scope: Scope): Tree {
  const name = scope.draw.pick(scope.declared.counters)
  if (scope.draw.chance(1, 2)) return statement(`${name}.add()`)
  return statement(`${name}.add(`, ofSort(scope, scope.draw.pick(['unsigned', 'wide']), 2).tree, ')')
}
