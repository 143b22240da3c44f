// Declarations of state objects, parameters and counters, from the options the author wrote.
//
// Promises: what goes into the program passes state/soundness.ts; mistakes are reported at the option they concern.

import { layoutRules, layoutState } from '../../state/layout.js'
import { hopFields } from '../../state/routes.js'
import { firstProblem } from '../../state/soundness.js'
import { maxExpiry, nanosecondsIn } from '../../state/declaration.js'
import type {
  FieldDecl,
  KernelMapKind,
  RulesDecl,
  StateObject,
  TableDecl,
  TimeUnit,
} from '../../state/declaration.js'
import type { Setting } from '../../ir/types.js'
import { ts } from '../typescript.js'
import type { Ts } from '../typescript.js'
import { fieldOf, scalars } from '../types.js'
import { fits } from './integers.js'
import { expression } from './expressions.js'
import type { Lowering } from './lowering.js'
import { errorValue } from './value.js'
import type { Value } from './value.js'

/** Imported functions that declare something. */
export const declarations: ReadonlySet<string> = new Set([
  'table',
  'array',
  'cell',
  'pool',
  'rules',
  'lpm',
  'devices',
  'sockets',
  'fib',
  'parameter',
  'counter',
])

/** Declares what this call describes, under the name of the module constant being initialised. */
export function declare(l: Lowering, node: Ts.CallExpression, kind: string): Value {
  const name = l.declaring
  if (name === undefined || l.inFunction) return l.report('declarationPlace', { kind })
  l.declaring = undefined
  const args = node.arguments.map(a => expression(l, a))
  l.declaring = name
  if (kind === 'parameter') return parameter(l, node, name, args)
  if (kind === 'counter') return counter(l, name, args[0])
  const object = stateObject(l, node, kind, name, args)
  if (!object) return errorValue
  const known = l.objects.filter(o => o.kind === 'pool')
  const problem = firstProblem([...known, object])
  if (problem) return l.report('unsoundDeclaration', { message: problem.message })
  l.objects.push(object)
  const isRules = (o: StateObject): o is RulesDecl => o.kind === 'rules'
  const layout = isRules(object)
    ? layoutRules(l.objects.filter(isRules))
    : layoutState(l.objects.filter(o => !isRules(o)))
  if (!layout.ok) return l.report('stateTooLarge', { message: layout.error.message })
  return { kind: 'state', object }
}

function stateObject(
  l: Lowering,
  node: Ts.CallExpression,
  kind: string,
  name: string,
  args: readonly Value[],
): StateObject | undefined {
  switch (kind) {
    case 'array':
    case 'cell': {
      const value = struct(args[0], 'value')
      const length = kind === 'cell' ? 1 : whole(l, args[1], 'the length', node.arguments[1])
      if (!value || length === undefined) return undefined
      const cell = kind === 'cell' && { cell: true }
      return { kind: 'array', name, value: value.fields, length, scalarValue: value.plain, ...cell }
    }
    case 'pool': {
      const first = whole(l, args[0], 'the first number', node.arguments[0])
      const last = whole(l, args[1], 'the last number', node.arguments[1])
      return first === undefined || last === undefined ? undefined : { kind: 'pool', name, first, last }
    }
    default:
  }
  const options = new Options(l, node, args[0])
  const capacity = options.whole('capacity')
  const map = kind === 'sockets' ? { map: 'sockets' as const } : kernelMap(options.get('map'))
  if (kind === 'devices' || kind === 'sockets') {
    if (capacity === undefined) return undefined
    const key = [fieldOf('index', scalars.u32)]
    const value = [{ ...fieldOf('device', scalars.u32), display: 'device' as const }]
    const plain = { scalarKey: true, scalarValue: true }
    return { kind: 'rules', name, rules: 'devices', ...map, key, value, capacity, ...plain }
  }
  if (kind === 'fib') {
    const family = options.get('family')
    if (family?.kind !== 'type' || capacity === undefined) return undefined
    return {
      kind: 'rules',
      name,
      rules: 'lpm',
      fib: family.type === scalars.Ipv6Address ? 6 : 4,
      key: [fieldOf('destination', family.type)],
      value: hopFields,
      capacity,
      scalarKey: false,
      scalarValue: false,
    }
  }
  const key = options.struct('key')
  const value = options.struct('value')
  if (!key || !value || capacity === undefined) return undefined
  const common = {
    name,
    key: key.fields,
    value: value.fields,
    capacity,
    scalarKey: key.plain,
    scalarValue: value.plain,
  }
  if (kind !== 'table') return { kind: 'rules', rules: kind === 'lpm' ? 'lpm' : 'hash', ...map, ...common }
  const evict = options.get('evict')
  const expire = options.get('expire')
  const release = options.get('release')
  const table: TableDecl = {
    kind: 'table',
    ...common,
    evict: evict?.kind === 'text' && evict.text === 'oldest' ? 'oldest' : 'none',
    ...expiry(l, expire, options.node('expire')),
    ...released(release),
  }
  return table
}

/** The option `map`; TypeScript has seen to it that it suits the kind of table. */
const kernelMap = (option: Value | undefined): { map?: KernelMapKind } =>
  option?.kind === 'text' ? { map: option.text as KernelMapKind } : {}

/** The options object of a declaration. */
class Options {
  private readonly l: Lowering
  private readonly call: Ts.CallExpression
  private readonly value: Value | undefined

  constructor(l: Lowering, call: Ts.CallExpression, value: Value | undefined) {
    this.l = l
    this.call = call
    this.value = value
  }

  get(name: string): Value | undefined {
    return this.value?.kind === 'record' ? this.value.fields.get(name) : undefined
  }

  /** Where an option stands, for reports. */
  node(name: string): Ts.Node {
    const [literal] = this.call.arguments
    const found =
      literal && ts.isObjectLiteralExpression(literal)
        ? literal.properties.find(p => p.name?.getText() === name)
        : undefined
    return found ?? this.call
  }

  whole(name: string): number | undefined {
    return whole(this.l, this.get(name), name, this.node(name))
  }

  struct(name: string): Struct | undefined {
    return struct(this.get(name), name)
  }
}

interface Struct {
  readonly fields: FieldDecl[]
  /** A plain type, not an object of fields. */
  readonly plain: boolean
}

function struct(value: Value | undefined, name: string): Struct | undefined {
  if (value?.kind === 'type') return { fields: [fieldOf(name, value.type)], plain: true }
  if (value?.kind === 'record') {
    const fields: FieldDecl[] = []
    for (const [field, type] of value.fields) {
      if (type.kind !== 'type') return undefined
      fields.push(fieldOf(field, type.type))
    }
    return { fields, plain: false }
  }
  return undefined
}

function whole(l: Lowering, value: Value | undefined, what: string, node: Ts.Node): number | undefined {
  if (value?.kind === 'constant') return Number(value.value)
  if (value && value.kind !== 'error') l.report('constantExpected', { what }, node)
  return undefined
}

/** `after` in the table's clock: ms unless the author names a unit or ms cannot express it. */
function expiry(l: Lowering, value: Value | undefined, node: Ts.Node): { expire?: TableDecl['expire'] } {
  if (value?.kind !== 'record') return {}
  const after = value.fields.get('after')
  const named = value.fields.get('unit')
  if (after?.kind !== 'duration') {
    if (after && after.kind !== 'error') l.report('constantExpected', { what: 'expire.after' }, node)
    return {}
  }
  const ns = after.nanoseconds
  const exact = (['ms', 'us', 'ns'] as const).find(u => ns % BigInt(nanosecondsIn[u]) === 0n) ?? 'ns'
  const unit = (named?.kind === 'text' ? named.text : exact) as TimeUnit
  const ticks = ns / BigInt(nanosecondsIn[unit])
  if (ns % BigInt(nanosecondsIn[unit]) !== 0n || ticks < 1n || ticks > BigInt(maxExpiry)) {
    l.report('expiryRange', { ns, unit, most: maxExpiry }, node)
    return {}
  }
  return { expire: { after: Number(ticks), unit } }
}

function released(value: Value | undefined): { release?: TableDecl['release'] } {
  if (value?.kind !== 'record') return {}
  const pool = value.fields.get('pool')
  const field = value.fields.get('field')
  if (pool?.kind !== 'state' || pool.object.kind !== 'pool' || field?.kind !== 'text') return {}
  return { release: { pool: pool.object.name, field: field.text } }
}

function parameter(l: Lowering, node: Ts.CallExpression, name: string, args: readonly Value[]): Value {
  const [type, initial, description] = args
  if (type?.kind !== 'type' || initial === undefined) return errorValue
  if (type.type.sort === 'opaque')
    return l.report('parameterType', { type: type.type.name }, node.arguments[0])
  if (initial.kind !== 'constant')
    return initial.kind === 'error'
      ? initial
      : l.report('constantExpected', { what: 'the default of a parameter' }, node.arguments[1])
  if (type.type.sort !== 'boolean' && !fits(initial.value, type.type))
    return l.report('literalDoesNotFit', { value: initial.value, type: type.type.name }, node.arguments[1])
  const setting: Setting = {
    name,
    type: type.type.field,
    default: initial.value,
    ...(type.type.display && { display: type.type.display }),
    ...(description?.kind === 'text' && { description: description.text }),
    span: l.spanOf(node),
  }
  l.settings.push(setting)
  return { kind: 'setting', setting, type: type.type }
}

function counter(l: Lowering, name: string, description: Value | undefined): Value {
  l.counters.push({ name, ...(description?.kind === 'text' && { description: description.text }) })
  return { kind: 'counter', name }
}
