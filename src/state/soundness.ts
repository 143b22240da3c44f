// Whether declarations of state objects can be laid out at all: sizes, ranges, names that must exist.
//
// The front end reports these mistakes with a place in the source; this is the second line of defence for
// declarations that come from elsewhere. Promises: never throws; undefined means sound.

import { isInteger, maxExpiry, sizeOf } from './declaration.js'
import type { ReplicatedObject, RulesDecl } from './declaration.js'
import { noNumber } from './format.js'
import type { LayoutError } from './layout.js'

/** What a map of AF_XDP sockets is called everywhere. */
const socketMapName = 'xsks_map'
/** Bytes of the longest prefix that the kernel's tries take. */
const longestPrefixKey = 256
/** Devices or sockets in one map: a verdict carries 16 bits of the index. */
const mostTargets = 0xffff

/** The first mistake in these declarations, in order, or undefined. */
export function firstProblem(objects: readonly (ReplicatedObject | RulesDecl)[]): LayoutError | undefined {
  const names = new Set<string>()
  for (const object of objects) {
    const message = names.has(object.name)
      ? 'two state objects have this name'
      : problemOf(object, objects as readonly ReplicatedObject[])
    if (message)
      return { reason: 'bad-declaration', object: object.name, message: `${object.name}: ${message}` }
    names.add(object.name)
  }
  return undefined
}

const isNumber = (n: number): boolean => Number.isInteger(n) && n >= 0 && n < noNumber
const isCount = (n: number): boolean => Number.isSafeInteger(n) && n >= 1

function problemOf(
  object: ReplicatedObject | RulesDecl,
  all: readonly ReplicatedObject[],
): string | undefined {
  if (object.kind === 'pool') {
    if (!isNumber(object.first) || !isNumber(object.last) || object.first > object.last)
      return `a pool needs 0 <= first <= last <= ${noNumber - 1}`
    return undefined
  }
  const fields = object.kind === 'array' ? object.value : [...object.key, ...object.value]
  for (const { name, type, bytes } of fields)
    if (!isCount(bytes) || bytes !== sizeOf(type, bytes))
      return `field ${name}: ${bytes} is no size of ${type}`
  if (object.kind === 'array') {
    if (object.value.length === 0) return 'an array needs at least one field'
    return isCount(object.length) ? undefined : 'the length must be a whole number, 1 or more'
  }
  if (object.key.length === 0) return 'a key needs at least one field'
  if (!isCount(object.capacity)) return 'the capacity must be a whole number, 1 or more'
  if (object.kind === 'rules') {
    const { map } = object
    if (map && map !== (object.rules === 'devices' && map === 'sockets' ? map : object.rules))
      return `a table of kind ${object.rules} is no ${map} map in the kernel`
    if (map === 'sockets' && object.name !== socketMapName)
      return `a map of sockets must be called ${socketMapName}, the name that AF_XDP libraries look for`
    if (map === 'lpm' && object.key.reduce((sum, f) => sum + f.bytes, 0) > longestPrefixKey)
      return `the kernel's prefixes have at most ${longestPrefixKey} bytes`
    if (object.rules !== 'devices') return undefined
    if (map && object.capacity > mostTargets) return `a map of ${map} holds at most ${mostTargets}`
    const [key] = object.key
    return object.key.length === 1 && key.type === 'u32' ? undefined : 'the key of a device table is one u32'
  }
  if (object.expire && !(isCount(object.expire.after) && object.expire.after <= maxExpiry))
    return `expire.after must be a whole number of ${object.expire.unit}, 1 to ${maxExpiry}`
  if (!object.release) return undefined
  const { pool, field } = object.release
  const released = object.value.find(f => f.name === field)
  if (!all.some(o => o.kind === 'pool' && o.name === pool)) return `release names no pool: ${pool}`
  if (!released || !isInteger(released.type) || released.bytes > 4)
    return `release needs an integer value field of at most 32 bits: ${field}`
  return undefined
}
