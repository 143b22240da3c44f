// What passes may know of state objects, from their declarations.

import { leavesOf } from '../../state/declaration.js'
import type { StateObject } from '../../state/declaration.js'
import type { Facts } from '../pass.js'

export function factsOf(objects: readonly StateObject[]): Facts {
  const byName = new Map(objects.map(o => [o.name, o]))
  return {
    fieldBits(object, field, part) {
      const found = byName.get(object)
      if (!found || found.kind === 'pool') return undefined
      const declared = found.value.find(f => f.name === field)
      const leaf = declared && leavesOf(declared)[part]
      // Signed fields are sign-extended where they are read, so their reads may use every bit.
      if (!leaf || declared.type === 'i32' || declared.type === 'i64') return undefined
      return declared.type === 'bool' ? 1 : 8 * leaf.width
    },
    expires(object) {
      const found = byName.get(object)
      return found?.kind === 'table' && found.expire !== undefined
    },
  }
}
