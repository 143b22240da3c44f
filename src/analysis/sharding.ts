// Whether and how packets can be spread over workers so that each worker needs only its own part of the state.
//
// Packets that meet in the state must meet on a worker: what steers a packet has to be a function of every key it looks
// up. So the fields to steer by are those that can be read back from every key of every object that the program writes.
// Where one object is looked up by a key and by its mirror image (both directions of a connection), the hash must be
// symmetric. Taken for granted of the steering: it sees source and destination of the outermost IP header, and ports
// exactly where the program's tcp, udp or sctp view is there (so later fragments are steered by addresses alone); no
// ports count as zeros. Read sharding-key.ts first.

import { opInfo } from '../ir/ops.js'
import type { Func, Instr, Span } from '../ir/types.js'
import { KeyReader, wholes } from './sharding-key.js'
import type { Alternative, KeyLeaf, ShardField } from './sharding-key.js'
import type { ObjectShapes } from './shapes.js'

export type { ShardField } from './sharding-key.js'

export const shardFields: readonly ShardField[] = ['source', 'destination', 'sourcePort', 'destinationPort']

export interface Exclusion {
  readonly reason: string
  readonly span?: Span
}

export interface Sharding {
  readonly possible: boolean
  /** All fields that may be used; any subset will do, with both of a pair if symmetric. */
  readonly fields: readonly ShardField[]
  /** The hash must give the same for both directions. */
  readonly symmetric: boolean
  /** Why it is impossible, and where. */
  readonly reason?: string
  readonly span?: Span
  /** Why each other field may not be used. */
  readonly excluded: ReadonlyMap<ShardField, Exclusion>
  /** How the keys of each object are made, so that the fields can be read back from an entry. */
  readonly keys: ReadonlyMap<string, readonly Alternative[]>
}

const mirrored: Readonly<Record<ShardField, ShardField>> = {
  source: 'destination',
  destination: 'source',
  sourcePort: 'destinationPort',
  destinationPort: 'sourcePort',
}

/** Analyses a packet function as the front end made it: fields are known by the names of their loads. */
export function analyseSharding(main: Func, shapes: ObjectShapes): Sharding {
  const objects = keysOf(main, shapes)
  if ('reason' in objects)
    return {
      possible: false,
      fields: [],
      symmetric: false,
      excluded: new Map(),
      keys: new Map(),
      ...objects,
    }
  const pairs = [...objects.values()].flatMap(list => list.flatMap(a => list.map(b => [a, b] as const)))
  const excluded = new Map<ShardField, Exclusion>()
  const plain = shardFields.filter(f => {
    const used = [...objects].find(([, list]) => !list.some(a => partsOf(a, f)))
    const bad = used ? undefined : pairs.find(([a, b]) => !agree(a, f, b, f))
    if (used) excluded.set(f, exclusion(f, used[0], used[1][0]))
    else if (bad) excluded.set(f, exclusion(f, bad[0].object, bad[1]))
    return !used && !bad
  })
  const mirror = symmetricFields([...objects.values()], pairs)
  if (mirror.length > plain.length) {
    for (const f of mirror) excluded.delete(f)
    return { possible: true, fields: mirror, symmetric: true, excluded, keys: objects }
  }
  if (plain.length) return { possible: true, fields: plain, symmetric: false, excluded, keys: objects }
  return {
    possible: false,
    fields: [],
    symmetric: false,
    excluded,
    keys: objects,
    ...whyNot(objects, excluded),
  }
}

/** Says what is wrong with a choice of fields; undefined if it is sound. */
export function checkFields(sharding: Sharding, chosen: readonly ShardField[]): Exclusion | undefined {
  if (!sharding.possible) return { reason: sharding.reason!, ...(sharding.span && { span: sharding.span }) }
  if (chosen.length === 0) return { reason: 'at least one field is needed' }
  for (const f of chosen) {
    if (sharding.fields.includes(f)) continue
    return sharding.excluded.get(f) ?? { reason: `${f} is no function of every key` }
  }
  const lone = sharding.symmetric ? chosen.find(f => !chosen.includes(mirrored[f])) : undefined
  if (lone) return { reason: `both directions share state, so ${lone} needs ${mirrored[lone]} beside it` }
  return undefined
}

type Objects = Map<string, Alternative[]>

/** The alternatives of every key, by object; or why the program has state without one. */
function keysOf(main: Func, shapes: ObjectShapes): Objects | Exclusion {
  const ops = main.blocks.flatMap(b => b.instrs)
  const written = new Set(
    ops.filter(i => opInfo(i.op).effect === 'state.write').map(i => String(i.attrs.object)),
  )
  const reader = new KeyReader(main)
  const objects: Objects = new Map()
  for (const op of ops) {
    const object = String(op.attrs.object)
    const leaves = written.has(object) ? leavesOf(op, shapes.get(object)?.keyLeaves) : undefined
    if (!leaves) continue
    const at = op.span && { span: op.span }
    if (op.op.startsWith('pool.'))
      return { reason: `the pool ${object} gives its numbers to all packets alike`, ...at }
    if (leaves.every(l => l.op === 'const')) return { reason: `${object} is the same for all packets`, ...at }
    const alternatives = reader.alternatives(op, leaves)
    if (!alternatives) return { reason: `the key of ${object} is put together in too many ways`, ...at }
    const pool = shapes.get(object)?.releases
    if (pool)
      return { reason: `entries of ${object} give numbers back to the pool ${pool}, which all share`, ...at }
    objects.set(object, [...(objects.get(object) ?? []), ...alternatives])
  }
  return objects
}

/** What an operation looks its object up by; undefined if it works on what was looked up. */
function leavesOf(op: Instr, keyLeaves: number | undefined): readonly Instr[] | undefined {
  if (op.op === 'table.find' || op.op === 'table.insert') return op.args.slice(0, keyLeaves)
  if (op.op === 'array.load' || op.op === 'array.store') return op.args.slice(0, 1)
  return op.op.startsWith('pool.') ? [] : undefined
}

/** Where a field stands in a key; undefined if it cannot be read back whole. */
function partsOf(a: Alternative, field: ShardField): Map<number, string> | undefined {
  const found = new Map<number, string>()
  const seen = new Set<string>()
  a.leaves.forEach((leaf, k) => {
    if (leaf.kind !== 'field' || leaf.field !== field || seen.has(leaf.part)) return
    seen.add(leaf.part)
    found.set(k, `${leaf.part} ${leaf.done}`)
  })
  return wholes.some(whole => whole.every(p => seen.has(p))) ? found : undefined
}

const isPort = (f: ShardField): boolean => f === 'sourcePort' || f === 'destinationPort'
const isZero = (leaf: KeyLeaf): boolean => leaf.kind === 'constant' && leaf.value === 0n

/** True if whenever two keys are equal, field f of the one's packet equals field g of the other's. */
function agree(a: Alternative, f: ShardField, b: Alternative, g: ShardField): boolean {
  const differ = a.leaves.some((x, k) => {
    const y = b.leaves[k]
    return x.kind === 'constant' && y.kind === 'constant' && x.value !== y.value
  })
  if (differ) return true
  const [x, y] = [partsOf(a, f), partsOf(b, g)]
  if (x && y) return x.size === y.size && [...x].every(([k, part]) => y.get(k) === part)
  // No ports are zeros, so they agree with ports that the key says are zero.
  const [noX, noY] = [isPort(f) && a.portless, isPort(g) && b.portless]
  if (noX && noY) return true
  if (x && noY) return [...x.keys()].every(k => isZero(b.leaves[k]))
  return y !== undefined && noX && [...y.keys()].every(k => isZero(a.leaves[k]))
}

/** The largest set of fields that every two keys share, straight or mirrored. */
function symmetricFields(
  objects: readonly (readonly Alternative[])[],
  pairs: readonly (readonly [Alternative, Alternative])[],
): ShardField[] {
  if (objects.length === 0) return []
  for (const set of [shardFields, shardFields.slice(0, 2), shardFields.slice(2)]) {
    const used = set.every(f => objects.every(list => list.some(a => partsOf(a, f))))
    const fits = ([a, b]: readonly [Alternative, Alternative]): boolean =>
      set.every(f => agree(a, f, b, f)) || set.every(f => agree(a, f, b, mirrored[f]))
    if (used && pairs.every(fits)) return [...set]
  }
  return []
}

function exclusion(f: ShardField, object: string, at: Alternative): Exclusion {
  const reason = `${f} is no function of the key of ${object}: packets with one key may differ in it`
  return { reason, ...(at.span && { span: at.span }) }
}

function whyNot(objects: Objects, excluded: ReadonlyMap<ShardField, Exclusion>): Exclusion {
  for (const [object, list] of objects) {
    if (list.some(a => shardFields.some(f => partsOf(a, f)))) continue
    const names = new Set(list.flatMap(a => a.leaves.flatMap(l => (l.kind === 'other' ? [l.name] : []))))
    const made = names.size ? `; it is made of ${[...names].join(', ')}` : ''
    const { span } = list[0]
    const reason = `no header field that steers packets can be read back from the key of ${object}${made}`
    return { reason, ...(span && { span }) }
  }
  const [first] = excluded.values()
  return { ...first, reason: `no field is in every key: ${first.reason}` }
}
