// What the analyses must know of a program's state objects, taken from their declarations.

import { leavesOf } from '../state/declaration.js'
import type { StateObject } from '../state/declaration.js'

export interface ObjectShape {
  readonly kind: StateObject['kind']
  /** Operands of a look-up that are its key. */
  readonly keyLeaves: number
  /** The operand behind the key is the time. */
  readonly expires: boolean
  /** Entries leave without the program's asking: they expire or are evicted. */
  readonly restless: boolean
  /** The pool that entries give their numbers back to when they leave. */
  readonly releases?: string
}

export type ObjectShapes = ReadonlyMap<string, ObjectShape>

export function shapesOf(objects: readonly StateObject[]): Map<string, ObjectShape> {
  return new Map(
    objects.map((o): [string, ObjectShape] => {
      const keyLeaves = 'key' in o ? o.key.flatMap(leavesOf).length : o.kind === 'array' ? 1 : 0
      if (o.kind !== 'table') return [o.name, { kind: o.kind, keyLeaves, expires: false, restless: false }]
      const expires = o.expire !== undefined
      const restless = expires || o.evict === 'oldest'
      const releases = o.release && { releases: o.release.pool }
      return [o.name, { kind: o.kind, keyLeaves, expires, restless, ...releases }]
    }),
  )
}
