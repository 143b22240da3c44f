// Asking for routes: a look-up that always answers, with an outcome and, where there is one, the next hop.
//
// The length is compared with the route's MTU here too, so that a rule table answers as the kernel does.

import { scalars, typeOfField } from '../types.js'
import type { RulesDecl } from '../../state/declaration.js'
import { routeOutcomes } from '../../state/routes.js'
import { toType } from './convert.js'
import type { Lowering } from './lowering.js'
import { scalarOfField } from './members.js'
import { errorValue, record, scalar } from './value.js'
import type { Value } from './value.js'

/** fib.lookup(query). */
export function routeLookup(l: Lowering, object: RulesDecl, query: Value | undefined): Value {
  if (query?.kind !== 'record') return errorValue
  const address = typeOfField(object.key[0])
  const operand = (name: string, type = address) => {
    const given = query.fields.get(name)
    return given && given.kind !== 'error' ? toType(l, given, type)?.leaves : undefined
  }
  const destination = operand('destination')
  const source = operand('source')
  const length = operand('length', scalars.u32)
  const dscp = operand('dscp', scalars.u8)
  if (!destination || !source || !length || !dscp) return errorValue

  const { builder } = l
  const attrs = { object: object.name }
  const route = builder.emit('rules.lookup', [...destination, ...source, ...length, ...dscp], attrs)
  const [found, done] = [builder.block(), builder.block()]
  const fields = object.value.map(field => {
    const type = typeOfField(field)
    const variable = builder.variable(type.leaves[0], `${object.name}.${field.name}`)
    const absent = field.name === 'outcome' ? routeOutcomes.NotForwarded : 0
    builder.write(variable, builder.const(type.leaves[0], absent))
    return { field, type, variable }
  })
  builder.branch(builder.emit('ne', [route, builder.const('i32', 0)]), found, done)
  builder.seal(found)
  builder.at(found)
  const read = new Map(
    fields.map(({ field }) => {
      const value = scalarOfField(l, 'rules.load', object.name, route, field)
      return [field.name, value.kind === 'scalar' ? value.leaves[0] : l.lost()]
    }),
  )
  const zero = builder.const('i32', 0)
  const [outcome, mtu] = [read.get('outcome')!, read.get('mtu')!]
  const isTooLong = builder.emit('and', [
    builder.emit('and', [builder.emit('eq', [outcome, zero]), builder.emit('ne', [mtu, zero])]),
    builder.emit('ltu', [mtu, length[0]]),
  ])
  const tooLong = builder.const('i32', routeOutcomes.TooLong)
  read.set('outcome', builder.emit('select', [isTooLong, tooLong, outcome]))
  for (const { field, variable } of fields) builder.write(variable, read.get(field.name)!)
  builder.jump(done)
  builder.seal(done)
  builder.at(done)
  return record(fields.map(({ field, type, variable }) => [field.name, scalar(type, builder.read(variable))]))
}
