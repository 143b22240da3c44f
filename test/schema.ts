// A validator for the part of JSON Schema 2020-12 that docs/schema uses, for tests.
//
// Heads up: a keyword that is not understood throws, so that no schema promises more than is checked.
// Properties that a schema does not name are reported too: our output must be documented in full, even though readers
// of it should expect that properties are added.

type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json }
type Schema = { readonly [name: string]: Json }

const annotations = new Set(['$schema', 'title', 'description', '$defs'])

/** What is wrong with a value, one line each: the path, then what was expected. */
export function problemsOf(value: unknown, schema: object): string[] {
  const problems: string[] = []
  check(value as Json, schema as Schema, '$', schema as Schema, problems)
  return problems
}

function check(value: Json, schema: Schema, path: string, whole: Schema, problems: string[]): void {
  const bad = (what: string): void => void problems.push(`${path}: ${what}, not ${brief(value)}`)
  for (const [keyword, given] of Object.entries(schema))
    switch (keyword) {
      case '$ref':
        check(value, resolve(String(given), whole), path, whole, problems)
        break
      case 'type':
        if (![given].flat().some(type => isOf(value, String(type))))
          bad(`expected ${[given].flat().join(' or ')}`)
        break
      case 'enum':
        if (!(given as readonly Json[]).includes(value)) bad(`expected one of ${JSON.stringify(given)}`)
        break
      case 'minimum':
        if (typeof value === 'number' && value < Number(given)) bad(`expected at least ${String(given)}`)
        break
      case 'maximum':
        if (typeof value === 'number' && value > Number(given)) bad(`expected at most ${String(given)}`)
        break
      case 'minItems':
        if (Array.isArray(value) && value.length < Number(given))
          bad(`expected ${String(given)} items or more`)
        break
      case 'maxItems':
        if (Array.isArray(value) && value.length > Number(given))
          bad(`expected ${String(given)} items or fewer`)
        break
      case 'items':
        if (Array.isArray(value))
          value.forEach((v: Json, i) => check(v, given as Schema, `${path}[${i}]`, whole, problems))
        break
      case 'required':
        for (const name of given as readonly string[])
          if (isObject(value) && !(name in value)) problems.push(`${path}.${name}: is missing`)
        break
      case 'properties':
      case 'additionalProperties':
        break
      case 'anyOf': {
        const tries = (given as readonly Schema[]).map(s => {
          const found: string[] = []
          check(value, s, path, whole, found)
          return found
        })
        if (tries.every(found => found.length > 0))
          problems.push(tries.toSorted((a, b) => a.length - b.length)[0][0])
        break
      }
      default:
        if (!annotations.has(keyword)) throw new Error(`${path}: keyword ${keyword} is not checked`)
    }
  if (isObject(value)) checkProperties(value, schema, path, whole, problems)
}

function checkProperties(
  value: { readonly [name: string]: Json },
  schema: Schema,
  path: string,
  whole: Schema,
  problems: string[],
): void {
  const { properties, additionalProperties } = schema as {
    properties?: Record<string, Schema>
    additionalProperties?: Schema
  }
  if (!properties && !additionalProperties) return
  for (const [name, v] of Object.entries(value)) {
    const known = properties?.[name] ?? additionalProperties
    if (known) check(v, known, `${path}.${name}`, whole, problems)
    else problems.push(`${path}.${name}: is not documented`)
  }
}

const isObject = (value: Json): value is { readonly [name: string]: Json } =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function isOf(value: Json, type: string): boolean {
  if (type === 'integer') return Number.isInteger(value)
  if (type === 'null') return value === null
  if (type === 'array') return Array.isArray(value)
  if (type === 'object') return isObject(value)
  return typeof value === type
}

function resolve(reference: string, whole: Schema): Schema {
  const name = /^#\/\$defs\/(\w+)$/.exec(reference)?.[1]
  const found = name === undefined ? undefined : (whole.$defs as Record<string, Schema>)[name]
  if (!found) throw new Error(`no definition ${reference}`)
  return found
}

function brief(value: Json): string {
  const text = JSON.stringify(value) ?? 'undefined'
  return text.length > 60 ? `${text.slice(0, 59)}…` : text
}
