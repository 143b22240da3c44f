// What operations on state and counters did, in a few words: found or absent, what was read, what was written.

import type { Value } from '../../ir/access.js'
import { noNumber } from '../../state/format.js'
import type { StateObject } from '../../state/declaration.js'
import { fieldText } from './format.js'
import type { Event } from './recorder.js'

type ValueEvent = Extract<Event, { kind: 'value' }>

/** The operations among the events of one expression as text; undefined if there is none. */
export function stateText(
  events: readonly ValueEvent[],
  objects: ReadonlyMap<string, StateObject>,
): string | undefined {
  const words: string[] = []
  const read = new Fields(objects)
  const written = new Fields(objects)
  for (const { instr, value, args, remark } of events)
    switch (instr.op) {
      case 'table.find':
        words.push(value !== 0 ? 'found' : remark === undefined ? 'absent' : `absent: ${remark}`)
        break
      case 'rules.lookup':
        words.push(value !== 0 ? 'found' : 'absent')
        break
      case 'rules.redirect':
        words.push(value === args[1] ? 'nothing there' : `to device ${Number(value) >>> 8}`)
        break
      case 'table.insert':
        words.pop()
        words.push(value !== 0 ? 'new entry' : 'refused, the table is full')
        break
      case 'table.remove':
        words.push('deleted')
        break
      case 'pool.take':
        words.push(value === noNumber ? 'none is free' : `takes ${value}`)
        break
      case 'pool.give':
        words.push(`gives back ${args[0]}`)
        break
      case 'count':
        words.push(`+ ${args[0]}`)
        break
      case 'table.load':
      case 'array.load':
      case 'rules.load':
        read.add(instr.attrs, value)
        break
      case 'table.store':
      case 'array.store':
        written.add(instr.attrs, args.at(-1))
        break
      default:
    }
  const [values, stores] = [read.text(), written.text()]
  if (values !== undefined) words.push(words.length ? `: ${values}` : values)
  if (stores !== undefined) words.push(`← ${stores}`)
  return words.length ? words.join(' ').replace(' : ', ': ') : undefined
}

/** Fields of one object as they are read or written leaf by leaf. */
class Fields {
  private readonly objects: ReadonlyMap<string, StateObject>
  private object: StateObject | undefined
  private readonly leaves = new Map<string, (Value | undefined)[]>()

  constructor(objects: ReadonlyMap<string, StateObject>) {
    this.objects = objects
  }

  add(attrs: { readonly [name: string]: unknown }, value: Value | undefined): void {
    this.object = this.objects.get(String(attrs.object))
    const name = String(attrs.field)
    const leaves = this.leaves.get(name) ?? []
    leaves[Number(attrs.part)] = value
    this.leaves.set(name, leaves)
  }

  text(): string | undefined {
    if (!this.object || this.object.kind === 'pool') return undefined
    const { value: fields, scalarValue } = this.object
    const parts = fields.flatMap(field => {
      const leaves = this.leaves.get(field.name)
      const text = leaves && fieldText(field, leaves)
      return text === undefined ? [] : [{ name: field.name, text }]
    })
    if (parts.length === 0) return undefined
    if (scalarValue || parts.length === 1) return parts[0].text
    return parts.map(p => `${p.name} ${p.text}`).join(', ')
  }
}
