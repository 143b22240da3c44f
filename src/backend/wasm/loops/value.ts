// State-Compute Replication with the history by value: each packet carries the items its worker missed, in the format
// of docs/history-format.md (paper Fig. 4a), as if sequencer and workers only shared a wire.
//
// `encapsulate` is the sequencer's half: it keeps the ring of recent items and puts it in front of every packet.
// `valued` is the worker's: it fast-forwards through the items it has not seen, then processes what follows.
// `restore` puts processed packets back where the device had them. Properties of the packet that the program reads
// travel in the header too. Read src/wire/history.ts first.

import { block, br_if, i32, i64, if_, label, local, loop as repeat, memory } from '../asm.js'
import type { Code, Local } from '../asm.js'
import { context, descriptor } from '../memory.js'
import { Loop } from './loop.js'
import type { LoopParts, Slice } from './loop.js'

/**
 * Byte offsets in the sequencer's ring: u32 slot of the oldest item, effect bitmap (32 bytes), the last packet's time,
 * the number of the first packet that came after too long a pause (0 for none), the next item's number where items have
 * numbers of their own (deal.ts), items.
 */
export const ring = { index: 0, effects: 4, time: 40, paused: 48, next: 56, items: 64 } as const
/**
 * Nanoseconds between two packets that frames of 16 workers can carry in any case: a worker's frames are 16 packets
 * apart, and their 48 bits of time must not wrap in between (4.9 hours).
 */
export const longestPause = 2n ** 44n
/** Bytes of a ring of so many slots. */
export const ringBytes = (slots: number, itemBytes: number): number => ring.items + slots * itemBytes

/** Bytes of the header before the effect bitmap. */
export const fixedBytes = 7
const fixed = fixedBytes
/** Flag bits of the header's fifth byte; `light` of dealt frames alone. */
export const flag = { light: 0x40, flush: 8, originalLength: 4, device: 2, timestamp: 1 } as const

/**
 * Two kinds of frames: of `replicated`, whose number is the packet's own, and `dealt` ones of hybrid (deal.ts), whose items have
 * numbers of their own. Those carry the sequence number of the packet and of each item, and the time in full, for a worker
 * may get none of them for long.
 */
export type FrameKind = 'replicated' | 'dealt'
const versions: Readonly<Record<FrameKind, number>> = { replicated: 0x10, dealt: 0x20 }

interface Property {
  readonly name: string
  readonly flag: number
  readonly bytes: number
  /** Offset in the descriptor; the sequence number is in none. */
  readonly field?: number
}

/** Properties by name: their flag, their bytes, in the order of the header. */
const properties: readonly Property[] = [
  { name: 'timestamp', flag: flag.timestamp, bytes: 6, field: descriptor.timestamp },
  { name: 'device', flag: flag.device, bytes: 2, field: descriptor.device },
  { name: 'originalLength', flag: flag.originalLength, bytes: 4, field: descriptor.original },
]
const sequence: Property = { name: 'sequence', flag: 0, bytes: 8 }

/** Whether a property is 64 bits wide outside the frame. */
const isWide = (p: Property): boolean => p.name === 'timestamp' || p === sequence

/** The properties a program reads beside the packet's bytes and sequence number; dealt frames have that too. */
function propertiesOf({ main }: LoopParts['source'], kind: FrameKind): readonly Property[] {
  const read = new Set<unknown>()
  for (const b of main.blocks) for (const i of b.instrs) if (i.op === 'input') read.add(i.attrs.name)
  const own = properties.filter(p => read.has(p.name))
  return kind === 'replicated' ? own : [sequence, ...own.map(p => (isWide(p) ? { ...p, bytes: 8 } : p))]
}

/** The fifth byte of every header of this program: version and flags. */
const versionAndFlags = (source: LoopParts['source'], kind: FrameKind): number =>
  propertiesOf(source, kind).reduce((flags, p) => flags | p.flag, versions[kind])

/** Bytes of an item in a dealt frame: behind it stands its packet's sequence number, u64. */
export const dealtItemBytes = (itemBytes: number): number => itemBytes + 8

/** What does not depend on the number of workers in the frames of a program. */
export interface FrameLayout {
  readonly itemBytes: number
  /** Bytes of the packet's properties that travel. */
  readonly propertyBytes: number
  /** The fifth byte of every header. */
  readonly versionAndFlags: number
}

export function frameLayout(
  source: LoopParts['source'],
  itemBytes: number,
  kind: FrameKind = 'replicated',
): FrameLayout {
  const propertyBytes = propertiesOf(source, kind).reduce((n, p) => n + p.bytes, 0)
  return {
    itemBytes: kind === 'dealt' ? dealtItemBytes(itemBytes) : itemBytes,
    propertyBytes,
    versionAndFlags: versionAndFlags(source, kind),
  }
}

/** Bytes put in front of a packet where n workers take turns. */
export function frameHeaderBytes(layout: FrameLayout, workers: number): number {
  const slots = workers - 1
  return fixed + Math.ceil(slots / 8) + layout.propertyBytes + slots * layout.itemBytes
}

/** Sizes that depend on the number of workers, as locals set up front. */
export function sizes(loop: Loop, { itemStride }: Pick<Slice, 'itemStride'>, kind: FrameKind = 'replicated') {
  const { l } = loop
  const slots = loop.declare('slots', 'i32')
  const bitmap = loop.declare('bitmap', 'i32')
  const ringItems = loop.declare('ringItems', 'i32')
  const itemsAt = loop.declare('itemsAt', 'i32')
  const header = loop.declare('header', 'i32')
  const own = propertiesOf(loop.source, kind).reduce((n, p) => n + p.bytes, 0)
  loop.func.emit(
    [local.get(l.ctx), i32.load(context.workers), i32.const(1), i32.sub, local.set(slots)],
    [local.get(slots), i32.const(7), i32.add, i32.const(3), i32.shr_u, local.set(bitmap)],
    [local.get(slots), i32.const(itemStride), i32.mul, local.set(ringItems)],
    [local.get(bitmap), i32.const(fixed + own), i32.add, local.tee(itemsAt)],
    [local.get(ringItems), i32.add, local.set(header)],
  )
  return { slots, bitmap, ringItems, itemsAt, header }
}

/** Stores `bytes` low bytes of an i64, most significant first, at a local's address + offset (a local too). */
function storeBigEndian(at: Local, offset: Code, value: Local, bytes: number): Code {
  return Array.from({ length: bytes }, (_, k) => [
    [local.get(at), offset, i32.add],
    [local.get(value), i64.const(8 * (bytes - 1 - k)), i64.shr_u, i64.store8(k)],
  ])
}

/** Leaves the `bytes` bytes at address + offset, read most significant first, as an i64. */
export function loadBigEndian(at: Local, offset: Code, bytes: number): Code {
  return Array.from({ length: bytes }, (_, k) => [
    [local.get(at), offset, i32.add, i64.load8_u(k)],
    [i64.const(8 * (bytes - 1 - k)), i64.shl, k > 0 ? i64.or : []],
  ])
}

/**
 * encapsulate(ctx, desc, count, seq, items, effects, frames, origins, history): rewrites each descriptor to a frame
 * with history at `frames`, notes the packet's own address in `origins`, and moves the ring on.
 */
export function encapsulate(parts: LoopParts, slice: Slice): void {
  const loop = new Loop(parts, 'encapsulate', ['items', 'effects', 'frames', 'origins', 'history'])
  const { seq, items, effects, origins } = loop.l
  const size = sizes(loop, slice)
  const writing = beginFrames(loop)
  const frame = writeFrame(loop, size, {
    kind: 'replicated',
    number: seq,
    mark: i32.const(versionAndFlags(loop.source, 'replicated')),
  })
  const watched = propertiesOf(loop.source, 'replicated').some(isWide)
  const watch = watched ? watchPauses(loop) : { each: [], after: [] }
  const effect: Code = [local.get(effects), i32.load8_u()]
  loop.each(
    [loop.openPacket(), watch.each, frame, remember(loop, size, slice.itemStride, effect)],
    [
      loop.nextPacket(),
      [local.get(items), i32.const(slice.itemStride), i32.add, local.set(items)],
      [local.get(effects), i32.const(1), i32.add, local.set(effects)],
      [local.get(origins), i32.const(4), i32.add, local.set(origins)],
    ],
  )
  loop.func.emit(writing.after, watch.after)
}

/** Reads where in the ring the oldest item is, into a local that `after` writes back. */
export function beginFrames(loop: Loop): { readonly after: Code } {
  const { history } = loop.l
  const index = loop.declare('index', 'i32')
  loop.func.emit([local.get(history), i32.load(ring.index), local.set(index)])
  return { after: [local.get(history), local.get(index), i32.store(ring.index)] }
}

/** Code that writes the frame of the open packet at `frames`, moves that on, and puts its place into the descriptor. */
export function writeFrame(
  loop: Loop,
  { slots, bitmap, ringItems, itemsAt, header }: ReturnType<typeof sizes>,
  { kind, number, mark }: { readonly kind: FrameKind; readonly number: Local; readonly mark: Code },
): Code {
  const { desc, seq, frames, origins, history, packet, length } = loop.l
  const index = loop.declare('index', 'i32')
  const wide = loop.declare('wide', 'i64')
  let offset = fixed
  const own: Code = propertiesOf(loop.source, kind).map(p => {
    const here = offset
    offset += p.bytes
    const place: Code = [local.get(bitmap), i32.const(here), i32.add]
    if (p.field === undefined) return storeBigEndian(frames, place, seq, p.bytes)
    const value = isWide(p) ? i64.load(p.field) : [i32.load(p.field), i64.extend_i32_u]
    return [[local.get(desc), value, local.set(wide)], storeBigEndian(frames, place, wide, p.bytes)]
  })
  return [
    [local.get(origins), local.get(packet), i32.store()],
    storeBigEndian(frames, i32.const(0), number, 4),
    [local.get(frames), mark, i32.store8(4)],
    [local.get(frames), local.get(slots), i32.store8(5)],
    [local.get(frames), local.get(index), i32.store8(6)],
    [local.get(frames), i32.const(fixed), i32.add, local.get(history), i32.const(ring.effects), i32.add],
    [local.get(bitmap), memory.copy],
    own,
    [local.get(frames), local.get(itemsAt), i32.add, local.get(history), i32.const(ring.items), i32.add],
    [local.get(ringItems), memory.copy],
    [local.get(frames), local.get(header), i32.add, local.get(packet), local.get(length), memory.copy],
    [local.get(desc), local.get(frames), i32.store(descriptor.address)],
    [local.get(desc), local.get(header), local.get(length), i32.add, i32.store(descriptor.length)],
    // The next frame begins at a multiple of 8.
    [local.get(frames), local.get(header), i32.add, local.get(length), i32.add],
    [i32.const(7), i32.add, i32.const(-8), i32.and, local.set(frames)],
  ]
}

/** Code that puts the item at `items`, whose effect (0 or 1) `effect` leaves, into the ring in place of the oldest. */
export function remember(
  loop: Loop,
  { slots }: ReturnType<typeof sizes>,
  stride: number,
  effect: Code,
): Code {
  const { items, history } = loop.l
  const index = loop.declare('index', 'i32')
  const at = loop.declare('at', 'i32')
  const bit: Code = [local.get(index), i32.const(7), i32.and]
  return [
    local.get(slots),
    if_([
      [local.get(history), i32.const(ring.items), i32.add],
      [local.get(index), i32.const(stride), i32.mul, i32.add, local.get(items), i32.const(stride)],
      memory.copy,
      [local.get(history), local.get(index), i32.const(3), i32.shr_u, i32.add, local.tee(at), local.get(at)],
      [i32.load8_u(ring.effects), i32.const(1), bit, i32.shl, i32.const(-1), i32.xor, i32.and],
      [effect, bit, i32.shl, i32.or, i32.store8(ring.effects)],
      [local.get(index), i32.const(1), i32.add, local.tee(index), local.get(slots), i32.eq],
      if_([i32.const(0), local.set(index)]),
    ]),
  ]
}

/** The fifth byte of a dealt frame of this program. */
export const dealtMark = (source: LoopParts['source']): number => versionAndFlags(source, 'dealt')

/** Code that notes the first packet whose time frames cannot carry: the one after a pause that is too long. */
function watchPauses(loop: Loop): { readonly each: Code; readonly after: Code } {
  const { history, desc, seq } = loop.l
  const before = loop.declare('before', 'i64')
  const now = loop.declare('now', 'i64')
  loop.func.emit([local.get(history), i64.load(ring.time), local.set(before)])
  const note: Code = [
    [local.get(history), i64.load(ring.paused), i64.eqz],
    if_([local.get(history), local.get(seq), i64.store(ring.paused)]),
  ]
  return {
    each: [
      [local.get(desc), i64.load(descriptor.timestamp), local.tee(now), local.get(before), i64.sub],
      [i64.const(longestPause), i64.ge_u, if_(note), local.get(now), local.set(before)],
    ],
    after: [local.get(history), local.get(before), i64.store(ring.time)],
  }
}

/** Code that reads the packet's properties from a frame's header; the program's inputs come from there from now on. */
export function readProperties(
  loop: Loop,
  frame: Local,
  bitmap: Local,
  kind: FrameKind = 'replicated',
): Code {
  const { ctx } = loop.l
  let offset = fixed
  return propertiesOf(loop.source, kind).map(p => {
    const here = offset
    offset += p.bytes
    const into = loop.declare(`own ${p.name}`, isWide(p) ? 'i64' : 'i32')
    loop.replaceInput(p.name, local.get(into))
    const place: Code = [local.get(bitmap), i32.const(here), i32.add]
    if (!isWide(p)) return [loadBigEndian(frame, place, p.bytes), i32.wrap_i64, local.set(into)]
    if (p.bytes === 8) return [loadBigEndian(frame, place, p.bytes), local.set(into)]
    // The time in full: the next one after the last with these low 48 bits.
    const last: Code = [local.get(ctx), i64.load(context.time)]
    const ahead: Code = [
      loadBigEndian(frame, place, p.bytes),
      last,
      i64.sub,
      i64.const(0xffff_ffff_ffffn),
      i64.and,
    ]
    return [
      [last, ahead, i64.add, local.set(into)],
      [local.get(ctx), local.get(into), i64.store(context.time)],
    ]
  })
}

/** Code that leaves where in a frame the item of place `k` (oldest 0) is: [slot, effect bit], as locals set. */
export function slotOf(loop: Loop, frame: Local, slots: Local, k: Code): Code {
  const slot = loop.declare('slot', 'i32')
  return [[local.get(frame), i32.load8_u(6), k, i32.add, local.get(slots), i32.rem_u, local.set(slot)]]
}

/** Whether the item in the slot that slotOf found has an effect, as an i32 of 0 or 1. */
export function effectOf(loop: Loop, frame: Local): Code {
  const { slot } = loop.l
  return [
    [local.get(frame), local.get(slot), i32.const(3), i32.shr_u, i32.add, i32.load8_u(fixed)],
    [local.get(slot), i32.const(7), i32.and, i32.shr_u, i32.const(1), i32.and],
  ]
}

/**
 * valued(ctx, desc, count, seq, stamps): the worker's own packets, each a frame with history. A gap in the numbers
 * is counted and its packet gets no verdict; there is none unless frames are lost.
 *
 * An item costs its worker little more than `advance`: where the ring's oldest item is, and how many of them the worker has
 * seen, is found once per frame.
 */
export function valued(parts: LoopParts, slice: Slice): void {
  const loop = new Loop(parts, 'valued', ['stamps'])
  const { l } = loop
  const { ctx, desc, seq } = l
  const { slots, bitmap, itemsAt, header } = sizes(loop, slice)
  const names = ['frame', 'left', 'slot', 'item', 'effects', 'firstItem']
  const [frame, left, slot, item, effects, firstItem] = names.map(n => loop.declare(n, 'i32'))
  const [last, number, replayed] = ['last', 'number', 'replayed'].map(n => loop.declare(n, 'i64'))
  const read = readProperties(loop, frame, bitmap)
  const again = label('item')
  const done = label('items')
  const wideSlots: Code = [local.get(slots), i64.extend_i32_u]
  const replay: Code = block(done, [
    // The first item that is new has number last + 1; before it in the ring come last + 1 - (number - slots) others.
    [local.get(last), i64.const(1), i64.add, local.tee(seq)],
    [local.get(number), i64.ge_s, br_if(done)],
    [local.get(number), local.get(seq), i64.sub, i32.wrap_i64, local.set(left)],
    [local.get(frame), i32.load8_u(6), local.get(slots), local.get(left), i32.sub, i32.add, local.tee(slot)],
    [local.get(slots), i32.ge_u],
    if_([local.get(slot), local.get(slots), i32.sub, local.set(slot)]),
    // Slots are at most 15; what follows the bitmap in these bytes belongs to no slot.
    [local.get(frame), i32.load(fixed), local.set(effects)],
    [local.get(frame), local.get(itemsAt), i32.add, local.tee(firstItem)],
    [local.get(slot), i32.const(slice.itemStride), i32.mul, i32.add, local.set(item)],
    repeat(again, [
      [local.get(effects), local.get(slot), i32.shr_u, i32.const(1), i32.and],
      if_([
        loop.inline(slice.advance, () => [], item),
        [local.get(replayed), i64.const(1), i64.add, local.set(replayed)],
      ]),
      [local.get(item), i32.const(slice.itemStride), i32.add, local.set(item)],
      [local.get(slot), i32.const(1), i32.add, local.tee(slot), local.get(slots), i32.eq],
      if_([i32.const(0), local.set(slot), local.get(firstItem), local.set(item)]),
      [local.get(seq), i64.const(1), i64.add, local.set(seq)],
      [local.get(left), i32.const(1), i32.sub, local.tee(left), br_if(again)],
    ]),
  ])
  loop.func.emit([local.get(ctx), i64.load(context.last), local.set(last)])
  const isFlush: Code = [local.get(frame), i32.load8_u(4), i32.const(flag.flush), i32.and]
  const gap: Code = [
    [local.get(number), wideSlots, i64.sub, i64.const(1), i64.sub, local.get(last), i64.gt_s],
  ]
  loop.eachOwn([
    [local.get(desc), i32.load(descriptor.address), local.set(frame)],
    // The number in full: the nearest to the last one with these low 32 bits.
    [local.get(last), loadBigEndian(frame, i32.const(0), 4), local.get(last), i64.sub],
    [i64.extend32_s, i64.add, local.set(number)],
    gap,
    if_(
      [
        [local.get(ctx), local.get(ctx), i64.load(context.gaps), i64.const(1), i64.add],
        i64.store(context.gaps),
      ],
      [
        replay,
        isFlush,
        if_(
          [local.get(number), i64.const(1), i64.sub, local.set(last)],
          [
            read,
            [local.get(number), local.tee(seq), local.set(last)],
            [local.get(desc), local.get(frame), local.get(header), i32.add, i32.store(descriptor.address)],
            [local.get(desc), local.get(desc), i32.load(descriptor.length), local.get(header), i32.sub],
            i32.store(descriptor.length),
            loop.process(),
            loop.stamp(l.i),
          ],
        ),
      ],
    ),
  ])
  loop.func.emit(
    [local.get(ctx), local.get(last), i64.store(context.last)],
    [local.get(ctx), local.get(ctx), i64.load(context.replayed), local.get(replayed), i64.add],
    i64.store(context.replayed),
  )
}

/** restore(ctx, desc, count, seq, origins): copies packets from their frames back to where they came from. */
export function restore(parts: LoopParts): void {
  const loop = new Loop(parts, 'restore', ['origins'])
  const { desc, origins, packet, length } = loop.l
  loop.each(
    [
      loop.openPacket(),
      [local.get(origins), i32.load(), local.get(packet), local.get(length), memory.copy],
      [local.get(desc), local.get(origins), i32.load(), i32.store(descriptor.address)],
    ],
    [loop.nextPacket(), [local.get(origins), i32.const(4), i32.add, local.set(origins)]],
  )
}
