// Where the items of a history and the notes on them are (transform/split-advance.ts), for functions that read them.

import type { Instr } from '../../ir/types.js'
import { ldx, r0 } from './asm.js'
import type { Step, Value } from './machine.js'
import { reach, sizeOf, usesOf } from './memory.js'
import type { Address } from './memory.js'

/** One item, as a function sees it. */
export interface ItemPlace {
  /** The item's bytes; absent where only the note is read. */
  readonly item?: Address
  /** Absent where there are no notes. */
  readonly note?: { readonly pointer: Value; readonly off: number }
  /** From this offset on, it is the note. */
  readonly noteAt: number
  /** Reads that are only to have their lines in the cache. */
  readonly touches: ReadonlySet<Instr>
  /** The number of the item's packet. */
  readonly sequence?: Value
}

/** Where a read or write of an item goes. */
export function itemAddress(place: ItemPlace | undefined, { attrs }: Instr): Address {
  const offset = Number(attrs.offset)
  if (place?.note && offset >= place.noteAt)
    return { pointer: place.note.pointer, off: place.note.off + offset - place.noteAt }
  if (!place?.item) throw new Error('there is no item here')
  return 'map' in place.item
    ? { map: place.item.map, at: place.item.at + offset }
    : { pointer: place.item.pointer, off: place.item.off + offset }
}

/** A read whose result nobody wants. */
export function touch(address: Address): Step {
  return {
    uses: usesOf(address),
    write(out) {
      const [base, off] = reach(out, address, r0)
      out.push(ldx[sizeOf(1)](r0, base, off))
    },
  }
}
