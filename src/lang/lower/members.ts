// `owner.name`: fields of records, entries and views, constants of namespaces, methods.

import { leavesOf } from '../../state/declaration.js'
import type { FieldDecl } from '../../state/declaration.js'
import type { Instr } from '../../ir/types.js'
import { ts } from '../typescript.js'
import { memberInfo } from '../members.js'
import { bytesType, scalars, typeOfField } from '../types.js'
import { readMember } from '../views.js'
import type { Member } from '../views.js'
import type { Lowering } from './lowering.js'
import { methodNames } from './methods.js'
import { constant, errorValue, scalar } from './value.js'
import type { Element, Entry, Value } from './value.js'

/** The member `name` of a value. */
export function memberOf(l: Lowering, owner: Value, field: string): Value {
  switch (owner.kind) {
    case 'record':
      return owner.fields.get(field) ?? errorValue
    case 'optional':
      return owner.value.kind === 'record' ? (owner.value.fields.get(field) ?? errorValue) : errorValue
    case 'entry':
    case 'element':
      return loadField(l, owner, field)
    case 'view': {
      const info = memberInfo(owner.view.protocol, field)
      if (!info) return errorValue
      if (info.kind === 'method') return { kind: 'method', receiver: owner, name: field }
      return memberValue(l, readMember(l.context, owner.view, field), field)
    }
    case 'members':
      return owner.members.get(field) ?? errorValue
    case 'list':
      return field === 'length' ? constant('number', BigInt(owner.items.length)) : errorValue
    case 'state':
    case 'counter':
      return methodNames.has(field) ? { kind: 'method', receiver: owner, name: field } : errorValue
    default:
      return errorValue
  }
}

/** What views.ts gave, as a value; the author's text names it in listings. */
export function memberValue(l: Lowering, member: Member, name: string): Value {
  if (member.kind === 'view') return { kind: 'view', view: member.view }
  const type = member.type === 'bytes' ? bytesType(member.bytes!) : scalars[member.type]
  const text = ts.isPropertyAccessExpression(l.place) ? l.place.getText().replace(/\s|\?/g, '') : name
  for (const leaf of member.value) l.named(leaf, text)
  const value = scalar(type, ...member.value)
  return member.present ? { kind: 'optional', present: member.present, value } : value
}

/** The declared fields of the value of an entry or element. */
export const valueFields = (owner: Entry | Element): readonly FieldDecl[] => owner.object.value

export function fieldNamed(owner: Entry | Element, name: string): FieldDecl | undefined {
  return valueFields(owner).find(f => f.name === name)
}

/** Reads a field of an entry or element as it is now. */
export function loadField(l: Lowering, owner: Entry | Element, name: string): Value {
  const field = fieldNamed(owner, name)
  if (!field) return errorValue
  const op = owner.kind === 'entry' ? 'table.load' : 'array.load'
  return scalarOfField(l, op, owner.object.name, owner.kind === 'entry' ? owner.slot : owner.index, field)
}

/** Loads all leaves of a field by `op` (table.load, array.load, rules.load) at a slot or index. */
export function scalarOfField(l: Lowering, op: string, object: string, at: Instr, field: FieldDecl): Value {
  const type = typeOfField(field)
  const leaves = leavesOf(field).map(leaf => {
    const wide = leaf.width === 8 ? 'i64' : 'i32'
    const attrs = { object, field: field.name, part: leaf.part }
    return l.named(l.builder.emit(op, [at], attrs, wide), `${object}.${field.name}`)
  })
  if (type.sort !== 'boolean') return scalar(type, ...leaves)
  return scalar(type, l.builder.emit('ne', [leaves[0], l.builder.const('i32', 0)]))
}
