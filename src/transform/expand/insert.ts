// Expanded code for what changes a table's shape: insert, remove, expiry, eviction, displacement.
//
// Each becomes a function of its own, called where needed: they are off the common path and long. Every step and
// its order is docs/state.md's; src/state/table.ts and displacement.ts are the same algorithm in TypeScript and the
// oracle in tests.

import { FunctionBuilder } from '../../ir/builder.js'
import type { Func, Instr, Type } from '../../ir/types.js'
import {
  evictionReach,
  scratchNodeBytes,
  scratchOffset,
  searchLimit,
  slotsPerBucket,
  sweepBuckets,
  tableHeader,
} from '../../state/format.js'
import type { HashLayout } from '../../state/layout.js'
import { Emitter } from './emitter.js'
import type { Width } from './emitter.js'
import { expired } from './find.js'
import { bucketStart, place, wordCount, wordWidth } from './hash.js'

/** Names of the functions of a table. */
export const functionOf = (table: { readonly name: string }, what: string): string => `${table.name}.${what}`

/** All functions a table needs, callees first. */
export function tableFunctions(table: HashLayout): Func[] {
  const functions = [removal(table)]
  if (table.expire) functions.push(expiry(table), sweeping(table))
  functions.push(freeSlot(table))
  if (table.evict === 'oldest') functions.push(eviction(table))
  functions.push(queueSearch(table), shifting(table), room(table), insertion(table))
  return functions
}

function define(
  name: string,
  params: Type[],
  result: Type,
  body: (e: Emitter, params: Instr[]) => Instr | undefined,
): Func {
  const builder = new FunctionBuilder(name, params, result)
  const value = body(new Emitter(builder), builder.func.params)
  builder.return(value ? [value] : [])
  return builder.finish()
}

/** Stores zeros over an entry. */
function zeroEntry(e: Emitter, table: HashLayout, slot: Instr): void {
  for (let at = 0; at < table.stride; at += 8) e.store(table.name, 8, slot, at, e.i64(0))
}

/** remove(slot): gives back what the entry holds, zeroes it, counts. */
function removal(table: HashLayout): Func {
  return define(functionOf(table, 'remove'), ['i32'], 'void', (e, [slot]) => {
    if (table.release) {
      const { field, pool } = table.release
      const number = e.load(table.name, field.bytes as Width, slot, field.offset)
      e.builder.emit('pool.give', [e.narrow(number)], { object: pool })
    }
    zeroEntry(e, table, slot)
    e.bump(table.name, tableHeader.count, -1)
    return undefined
  })
}

/** expire(bucket, now): removes the expired entries of a bucket. */
function expiry(table: HashLayout): Func {
  return define(functionOf(table, 'expire'), ['i32', 'i32'], 'void', (e, [bucket, now]) => {
    const start = bucketStart(e, table, bucket)
    e.repeat(
      s => e.ltu(s, slotsPerBucket),
      s => {
        const slot = e.add(e.add(start, e.mul(s, table.stride)), table.bucketsOffset)
        e.when(e.ne(e.load(table.name, 4, slot), 0), () =>
          e.when(expired(e, table, slot, 0, now), () => {
            e.call(functionOf(table, 'remove'), [slot], 'void')
            e.bump(table.name, tableHeader.expiries)
          }),
        )
      },
    )
    return undefined
  })
}

/** sweep(now): expires the next buckets of the cursor's round. */
function sweeping(table: HashLayout): Func {
  const { name } = table
  return define(functionOf(table, 'sweep'), ['i32'], 'void', (e, [now]) => {
    const cursor = e.variable('i32', e.load(name, 4, e.i32(0), tableHeader.sweep))
    for (let i = 0; i < sweepBuckets; i++) {
      e.call(functionOf(table, 'expire'), [e.get(cursor), now], 'void')
      const next = e.add(e.get(cursor), 1)
      e.set(cursor, e.select(e.eq(next, table.bucketCount), e.i32(0), next))
    }
    e.store(name, 4, e.i32(0), tableHeader.sweep, e.get(cursor))
    return undefined
  })
}

/** free(bucket): the first free slot of a bucket, or 0. */
function freeSlot(table: HashLayout): Func {
  return define(functionOf(table, 'free'), ['i32'], 'i32', (e, [bucket]) => {
    const start = bucketStart(e, table, bucket)
    let found = e.i32(0)
    for (let s = slotsPerBucket - 1; s >= 0; s--) {
      const offset = table.bucketsOffset + s * table.stride
      found = e.select(e.eq(e.load(table.name, 4, start, offset), 0), e.add(start, offset), found)
    }
    return found
  })
}

/** evict(first, second, seq): removes the oldest entry near a key; 1 if there was one. */
function eviction(table: HashLayout): Func {
  return define(functionOf(table, 'evict'), ['i32', 'i32', 'i32'], 'i1', (e, [first, second, seq]) => {
    const victim = e.variable('i32', e.i32(0))
    const greatest = e.variable('i32', e.i32(0))
    const look = (bucket: Instr): void => {
      const start = bucketStart(e, table, bucket)
      for (let s = 0; s < slotsPerBucket; s++) {
        const slot = e.add(start, table.bucketsOffset + s * table.stride)
        e.when(e.ne(e.load(table.name, 4, slot), 0), () => {
          const age = e.sub(seq, e.load(table.name, 4, slot, table.touchedSeqOffset))
          const older = e.or(e.eq(e.get(victim), 0), e.ltu(e.get(greatest), age))
          e.when(older, () => {
            e.set(victim, slot)
            e.set(greatest, age)
          })
        })
      }
    }
    look(first)
    look(second)
    const bucket = e.variable('i32', second)
    e.repeat(
      i => e.and(e.ltu(i, evictionReach), e.eq(e.get(victim), 0)),
      () => {
        const next = e.add(e.get(bucket), 1)
        e.set(bucket, e.select(e.eq(next, table.bucketCount), e.i32(0), next))
        look(e.get(bucket))
      },
    )
    e.when(e.ne(e.get(victim), 0), () => {
      e.call(functionOf(table, 'remove'), [e.get(victim)], 'void')
      e.bump(table.name, tableHeader.evictions)
    })
    return e.ne(e.get(victim), 0)
  })
}

/** The words of the key stored in an entry. */
function storedKey(e: Emitter, table: HashLayout, slot: Instr): Instr[] {
  return Array.from({ length: wordCount(table) }, (_, i) =>
    e.wide(e.load(table.name, wordWidth(table, i), slot, table.keyOffset + 8 * i)),
  )
}

/**
 * The queue of the displacement search, in the scratch. Node i: u32 bucket, u32 link = 1 + 4 × parent + slot index of
 * the parent's slot that leads here; 0 for the key's own two.
 */
function queueOf(e: Emitter, table: HashLayout) {
  const { name } = table
  const node = (i: Instr): Instr => e.shl(i, Math.log2(scratchNodeBytes))
  const bucketOf = (i: Instr): Instr => e.load(name, 4, node(i), scratchOffset)
  return {
    bucketOf,
    linkOf: (i: Instr): Instr => e.load(name, 4, node(i), scratchOffset + 4),
    put(i: Instr, bucket: Instr, link: Instr): void {
      e.store(name, 4, node(i), scratchOffset, bucket)
      e.store(name, 4, node(i), scratchOffset + 4, link)
    },
    clear: (i: Instr): void => e.store(name, 8, node(i), scratchOffset, e.i64(0)),
    /** Slot `s` of the bucket of node `i`. */
    slotAt: (i: Instr, s: Instr): Instr =>
      e.add(e.add(bucketStart(e, table, bucketOf(i)), e.mul(s, table.stride)), table.bucketsOffset),
  }
}

// The search's inner loops are functions of their own: a verifier that follows every round follows each once.

/** queued(count, bucket): 1 if one of the first `count` nodes, fewer than all, is this bucket. */
function queueSearch(table: HashLayout): Func {
  return define(functionOf(table, 'queued'), ['i32', 'i32'], 'i1', (e, [count, bucket]) => {
    const { bucketOf } = queueOf(e, table)
    let at = count
    e.repeat(
      j => {
        at = j
        return e.and(e.ltu(j, count), e.ne(bucketOf(j), bucket))
      },
      () => {},
    )
    return e.ltu(at, count)
  })
}

/** shift(link, free): moves the entry that `link` leads from to `free`, then each that led there; the last hole. */
function shifting(table: HashLayout): Func {
  return define(functionOf(table, 'shift'), ['i32', 'i32'], 'i32', (e, [first, free]) => {
    const { name, stride } = table
    const { linkOf, slotAt } = queueOf(e, table)
    e.bump(name, tableHeader.version)
    const hole = e.variable('i32', free)
    const link = e.variable('i32', first)
    e.repeat(
      () => e.ne(e.get(link), 0),
      () => {
        const step = e.sub(e.get(link), 1)
        const here = e.shru(step, 2)
        const slot = slotAt(here, e.and(step, 3))
        for (let at = 0; at < stride; at += 8) e.store(name, 8, e.get(hole), at, e.load(name, 8, slot, at))
        zeroEntry(e, table, slot)
        e.bump(name, tableHeader.displacements)
        e.set(hole, slot)
        e.set(link, linkOf(here))
      },
    )
    e.bump(name, tableHeader.version)
    return e.get(hole)
  })
}

/** room(first, second): frees a slot in one of two full buckets by moving entries; its slot, or 0. */
function room(table: HashLayout): Func {
  return define(functionOf(table, 'room'), ['i32', 'i32'], 'i32', (e, [first, second]) => {
    const { bucketOf, put, clear, slotAt } = queueOf(e, table)
    put(e.i32(0), first, e.i32(0))
    put(e.i32(1), second, e.i32(0))
    const queued = e.variable('i32', e.i32(2))
    const hole = e.variable('i32', e.i32(0))
    // One round per (node, slot): k = 4 node + slot, while the node is queued and no room was found.
    e.repeat(
      k => e.and(e.ltu(e.shru(k, 2), e.get(queued)), e.eq(e.get(hole), 0)),
      k => {
        const here = e.shru(k, 2)
        const link = e.add(k, 1)
        const slot = slotAt(here, e.and(k, 3))
        const own = place(e, table, storedKey(e, table, slot))
        const other = e.select(e.eq(own.first, bucketOf(here)), own.second(), own.first)
        const free = e.call(functionOf(table, 'free'), [other], 'i32')
        e.when(
          e.ne(free, 0),
          () => e.set(hole, e.call(functionOf(table, 'shift'), [link, free], 'i32')),
          () =>
            e.when(e.ltu(e.get(queued), searchLimit), () => {
              const known = e.call(functionOf(table, 'queued'), [e.get(queued), other], 'i1')
              e.when(e.op('not', known), () => {
                put(e.get(queued), other, link)
                e.set(queued, e.add(e.get(queued), 1))
              })
            }),
        )
      },
    )
    e.repeat(
      i => e.ltu(i, e.get(queued)),
      i => clear(i),
    )
    return e.get(hole)
  })
}

/** insert(words…, now?, seq?): the slot of a new zeroed entry, or 0. */
function insertion(table: HashLayout): Func {
  const { name } = table
  const words = wordCount(table)
  const params: Type[] = Array.from({ length: words }, () => 'i64')
  if (table.expire) params.push('i32')
  if (table.evict === 'oldest') params.push('i32')
  return define(functionOf(table, 'insert'), params, 'i32', (e, args) => {
    const { builder } = e
    const key = args.slice(0, words)
    const now = table.expire ? args[words] : undefined
    const seq = table.evict === 'oldest' ? args[args.length - 1] : undefined
    const { tag, first, second: later } = place(e, table, key)
    const second = later()
    const zero = e.i32(0)
    if (now) {
      e.call(functionOf(table, 'sweep'), [now], 'void')
      e.call(functionOf(table, 'expire'), [first, now], 'void')
      e.call(functionOf(table, 'expire'), [second, now], 'void')
    }
    const refuse = builder.block()
    const orRefuse = (cond: Instr): void => {
      const go = builder.block()
      builder.branch(cond, go, refuse)
      builder.seal(go)
      builder.at(go)
    }
    const evict = (): void =>
      orRefuse(seq ? e.call(functionOf(table, 'evict'), [first, second, seq], 'i1') : e.i1(false))
    const full = e.leu(e.i32(table.capacity), e.load(name, 4, zero, tableHeader.count))
    if (seq) e.when(full, evict)
    else orRefuse(e.op('not', full))
    const slot = e.variable('i32', e.i32(0))
    const ifNone = (get: () => Instr): void => e.when(e.eq(e.get(slot), 0), () => e.set(slot, get()))
    const freeIn = (bucket: Instr) => (): Instr => e.call(functionOf(table, 'free'), [bucket], 'i32')
    e.set(slot, freeIn(first)())
    ifNone(freeIn(second))
    ifNone(() => e.call(functionOf(table, 'room'), [first, second], 'i32'))
    e.when(e.eq(e.get(slot), 0), () => {
      evict()
      e.set(slot, freeIn(first)())
      ifNone(freeIn(second))
    })
    const at = e.get(slot)
    key.forEach((word, i) => {
      const width = wordWidth(table, i)
      e.store(name, width, at, table.keyOffset + 8 * i, width === 8 ? word : e.narrow(word))
    })
    if (now) e.store(name, 4, at, table.touchedTimeOffset, now)
    if (seq) e.store(name, 4, at, table.touchedSeqOffset, seq)
    e.store(name, 4, at, 0, tag)
    e.bump(name, tableHeader.count)
    builder.return([at])
    builder.seal(refuse)
    builder.at(refuse)
    e.bump(name, tableHeader.failures)
    return e.i32(0)
  })
}
