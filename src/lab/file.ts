// Reading a description from JSON text of anybody's: it is one, or it is said what is wrong with it.

import { fixedVerdicts } from './description.js'
import type { LabDescription } from './description.js'

/** What a field has to be; objects name all their fields, `?` marks those that may be missing. */
type Shape =
  | 'text'
  | 'number'
  | 'flag'
  | readonly [Shape]
  | { readonly each: Shape }
  | { readonly fields: Readonly<Record<string, Shape>> }

const end: Shape = {
  fields: {
    namespace: 'text',
    device: 'text',
    'addresses?': ['text'],
    'hardwareAddress?': 'text',
    'xdp?': 'text',
  },
}

const shape: Shape = {
  fields: {
    namespaces: {
      each: {
        fields: {
          'forward?': 'flag',
          'routes?': [{ fields: { to: 'text', 'via?': 'text', 'device?': 'text' } }],
          'detours?': [{ fields: { from: 'text', via: 'text' } }],
        },
      },
    },
    pairs: [
      {
        fields: {
          ends: [end],
          'queues?': 'number',
          'mtu?': 'number',
          'staticNeighbours?': 'flag',
          'offloads?': 'flag',
        },
      },
    ],
  },
}

/** The description, or problems, a line each. Whether it can be made is for `problemsOf` to say. */
export function readDescription(text: string): LabDescription | readonly string[] {
  let found: unknown
  try {
    found = JSON.parse(text)
  } catch (error) {
    return [`it is no JSON: ${(error as Error).message}`]
  }
  const problems: string[] = []
  compare(found, shape, 'it', problems)
  if (problems.length > 0) return problems
  const description = found as LabDescription
  for (const [k, { ends }] of description.pairs.entries()) {
    if (ends.length !== 2) problems.push(`pairs[${k}].ends: a pair has 2 ends, not ${ends.length}`)
    for (const { xdp } of ends)
      if (xdp !== undefined && !fixedVerdicts.includes(xdp))
        problems.push(`pairs[${k}]: xdp is ${fixedVerdicts.join(' or ')}, not ${xdp}`)
  }
  return problems.length > 0 ? problems : description
}

const types = { text: 'string', number: 'number', flag: 'boolean' } as const
const words = { text: 'a text', number: 'a number', flag: 'true or false' } as const

function compare(value: unknown, wanted: Shape, path: string, problems: string[]): void {
  if (typeof wanted === 'string') {
    if (typeof value !== types[wanted]) problems.push(`${path} is not ${words[wanted]}`)
  } else if (isList(wanted)) {
    if (!Array.isArray(value)) problems.push(`${path} is not a list`)
    else for (const [k, item] of value.entries()) compare(item, wanted[0], `${path}[${k}]`, problems)
  } else if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    problems.push(`${path} is not an object`)
  } else if ('each' in wanted) {
    for (const [name, item] of Object.entries(value)) compare(item, wanted.each, `${path}.${name}`, problems)
  } else compareFields(value as Record<string, unknown>, wanted.fields, path, problems)
}

const isList = (wanted: Exclude<Shape, string>): wanted is readonly [Shape] => Array.isArray(wanted)

function compareFields(
  value: Readonly<Record<string, unknown>>,
  fields: Readonly<Record<string, Shape>>,
  path: string,
  problems: string[],
): void {
  const at = (name: string): string => (path === 'it' ? name : `${path}.${name}`)
  const known = new Map(Object.entries(fields).map(([name, wanted]) => [name.replace('?', ''), wanted]))
  for (const [name, wanted] of known)
    if (Object.hasOwn(value, name)) compare(value[name], wanted, at(name), problems)
    else if (Object.hasOwn(fields, name)) problems.push(`${at(name)} is missing`)
  for (const name of Object.keys(value))
    if (!known.has(name))
      problems.push(`${at(name)} is nothing of a lab; it could be ${[...known.keys()].join(', ')}`)
}
