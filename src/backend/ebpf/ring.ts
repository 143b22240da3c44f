// History by reference: a ring of items in one map that a sequencer and all its workers have, on one machine. A frame then
// carries its number and no items, so that nothing but the header's few bytes needs room in front of a packet.
//
// The entry of number n stands at n modulo the ring's length: the number with the effect bit, then the item. The sequencer
// is the only writer. A worker reads the entries between the last packet it has seen and the one at hand, which were written
// before that one was put into its queue. It looks at the number before it copies an item and again afterwards: an entry that
// is another number's by then stops the worker, as a gap does. That does not happen as long as packets are admitted as
// sequencer.ts says, and the ring is as long as `ringEntriesFor` says. A frame that is lost takes no history with it.
// Read sequencer.ts and frame.ts first.

import {
  alu64,
  atomic,
  callLocal,
  exit,
  ja,
  jne,
  jset,
  jsgt,
  label,
  ldMapValue,
  ldx,
  mayGoto,
  mov64,
  r0,
  r1,
  r2,
  r3,
  r4,
  r6,
  r7,
  r8,
  r9,
  st,
  stx,
} from './asm.js'
import type { Code, Register } from './asm.js'
import type { ItemPlace } from './item.js'
import { copyItem } from './logs.js'
import type { MapDeclaration } from './maps.js'
import { mapNames, runtime } from './target.js'

/** The ring. */
export const ringMap = '.ring'
/** What a worker keeps for itself: a word to exchange for order, and the item at hand. */
export const copyMap = '.copy'
export const copyAt = 64

export interface HistoryRing {
  /** A power of two. */
  readonly entries: number
  readonly itemBytes: number
}

/** Byte offsets in an entry: u64 number × 2 + effect; 0 while it is written. Then the item. */
export const ringEntry = { tag: 0, item: 8 } as const
const words = ({ itemBytes }: HistoryRing): number => Math.ceil(itemBytes / 8)
export const ringStride = (ring: HistoryRing): number => ringEntry.item + 8 * words(ring)
export const ringBytes = (ring: HistoryRing): number => ring.entries * ringStride(ring)

/**
 * Entries for workers of which none is more than `credit` numbers behind the newest packet: twice that, because one may be
 * so far behind when it takes a frame, and the sequencer goes on by as much while it reads.
 */
export const ringEntriesFor = (workers: number, credit: number): number =>
  2 ** Math.ceil(Math.log2(2 * (credit + workers + 1)))

export function ringDeclaration(ring: HistoryRing): MapDeclaration {
  const stride = ringStride(ring)
  return {
    name: ringMap,
    valueSize: ringBytes(ring),
    valueType: btf =>
      btf.array(
        btf.struct('hairpin_history', stride, [
          { name: 'tag', type: btf.unsigned(8), offset: ringEntry.tag },
          { name: 'item', type: btf.array(btf.unsigned(1), stride - ringEntry.item), offset: ringEntry.item },
        ]),
        ring.entries,
      ),
  }
}

export function copyDeclaration(ring: HistoryRing): MapDeclaration {
  const size = copyAt + 8 * words(ring)
  return { name: copyMap, valueSize: size, valueType: btf => btf.array(btf.unsigned(1), size) }
}

/** The item that `advance` is to apply. */
export const ringItem: ItemPlace = {
  item: { map: copyMap, at: copyAt },
  noteAt: Infinity,
  touches: new Set(),
}

/** to = the address of a number's entry; the scratch register is lost. */
const entryOf = (ring: HistoryRing, to: Register, number: Register, scratch: Register): Code => [
  ldMapValue(to, ringMap),
  mov64.reg(scratch, number),
  alu64.and.imm(scratch, ring.entries - 1),
  alu64.mul.imm(scratch, ringStride(ring)),
  alu64.add.reg(to, scratch),
]

/** Writes the entry of number r7: its item is at r9 + `item`, r8 its effect bit. */
export function writeEntry(ring: HistoryRing, item: number): Code {
  const written = label('entry.written')
  const close: Code = [mov64.reg(r1, r7), alu64.lsh.imm(r1, 1)]
  return [
    ...entryOf(ring, r3, r7, r1),
    ...close,
    jset.imm(r8, 1, label('entry.effect')),
    stx.dw(r3, ringEntry.tag, r1),
    ja(written),
    label('entry.effect'),
    st.dw(r3, ringEntry.tag, 0),
    ...copyItem(ring, r3, ringEntry.item, r9, item, r4),
    alu64.or.imm(r1, 1),
    stx.dw(r3, ringEntry.tag, r1),
    written,
  ]
}

/** What a worker's catching up is made with; without it, one ring with all numbers, up to the number that is given. */
export interface CatchingUp {
  /** r6 = the last number whose item is to be applied; r9 is the copy map's value. r1 to r5 may change. */
  readonly last: Code
  /** r3 = the address of number r7's entry; r9 is the copy map's value. r1, r2, r4 and r5 may change. */
  readonly find: Code
  /** At the end: the runtime's number is r7 even where the last items had no effect. */
  readonly keepsNumber: boolean
}

const overAll = (ring: HistoryRing): CatchingUp => ({
  last: [mov64.reg(r6, r1)],
  find: entryOf(ring, r3, r7, r1),
  keepsNumber: false,
})

/**
 * catchUp(upTo): applies the items of all numbers behind the runtime's up to this one. 0, or 1 if an entry is no longer that
 * number's: then the runtime's number is that of the last packet that the state has seen.
 */
export function catchUpFunction(
  ring: HistoryRing,
  { last, find, keepsNumber }: CatchingUp = overAll(ring),
): Code {
  const [next, apply, done, gone] = ['next', 'apply', 'done', 'gone'].map(name => label(`catchUp.${name}`))
  return [
    label('catchUp'),
    ldMapValue(r9, copyMap),
    ...last,
    ldMapValue(r8, mapNames.runtime),
    ldx.dw(r7, r8, runtime.sequence),
    // What the sequencer wrote before it let the frame go is there once the frame is: for all that is read from here on.
    mov64.imm(r2, 0),
    atomic.xchg('dw', r9, 0, r2),
    next,
    alu64.add.imm(r7, 1),
    mayGoto(gone),
    jsgt.reg(r7, r6, done),
    ...find,
    ldx.dw(r1, r3, ringEntry.tag),
    mov64.reg(r2, r1),
    alu64.rsh.imm(r2, 1),
    jne.reg(r2, r7, gone),
    jset.imm(r1, 1, apply),
    ja(next),
    apply,
    ...copyItem(ring, r9, copyAt, r3, ringEntry.item, r4),
    ldx.dw(r2, r3, ringEntry.tag),
    jne.reg(r2, r1, gone),
    stx.dw(r8, runtime.sequence, r7),
    callLocal(label('advance')),
    ja(next),
    gone,
    alu64.add.imm(r7, -1),
    stx.dw(r8, runtime.sequence, r7),
    mov64.imm(r0, 1),
    exit(),
    done,
    ...(keepsNumber ? [alu64.add.imm(r7, -1), stx.dw(r8, runtime.sequence, r7)] : []),
    mov64.imm(r0, 0),
    exit(),
  ]
}
