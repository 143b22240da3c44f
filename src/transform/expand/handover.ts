// Compiled code for state that changes hands: a worker writes down the entries of a bucket or of a key, deletes them, or
// takes in what another wrote down.
//
// The steering hash of an entry's packets is read back from its key (strategy/bucket.ts is the same in TypeScript and says
// why that can be done). `handOut` looks through every table, so one look serves all that changes hands at a time; nothing
// of this runs per packet. What the words of the blocks mean stands in strategy/handover.ts.

import { FunctionBuilder } from '../../ir/builder.js'
import type { Func, Instr } from '../../ir/types.js'
import { leavesOf } from '../../state/declaration.js'
import { slotsPerBucket, tableHeader } from '../../state/format.js'
import type { ArrayLayout, HashLayout, StateLayout, StateObjectLayout } from '../../state/layout.js'
import { keyInput } from '../../strategy/bucket.js'
import type { InputByte, ShardKeys } from '../../strategy/bucket.js'
import {
  act,
  answerLayout as answer,
  handoverLayout as block,
  mostObjects,
  recordLayout as record,
} from '../../strategy/handover.js'
import type { SteeringFields } from '../../strategy/steering.js'
import { steeringObject } from '../../strategy/steering.js'
import { heavySlots, indirectionEntries, steeringLayout } from '../../strategy/toeplitz.js'
import { Emitter, swapBytes } from './emitter.js'
import type { Width } from './emitter.js'
import { expired } from './find.js'
import { wordCount, wordWidth } from './hash.js'
import { functionOf } from './insert.js'

/** Names of the blocks: the sequencer's, the worker's own answer, and the answers of all. */
export const handoverBlocks = { common: 'handover', own: 'answer', all: 'answers' } as const

export interface HandoverParts {
  readonly layout: StateLayout
  readonly keys: readonly ShardKeys[]
  readonly fields: SteeringFields
  /** Names of the functions that the program's own code calls: a table that nothing is put into has none, and is empty. */
  readonly callees: ReadonlySet<string>
}

export interface HandoverFunctions {
  readonly handOut: Func
  readonly takeIn: Func
}

/** Both functions; undefined if some of the state is not the kind that changes hands this way. */
export function handoverFunctions(parts: HandoverParts): HandoverFunctions | undefined {
  const { objects } = parts.layout
  if (objects.length > mostObjects || objects.some(o => o.kind === 'table' && o.release)) return undefined
  return { handOut: handOut(parts), takeIn: takeIn(parts) }
}

/** An object that is spread by buckets, its number in the layout, and how its keys are made. */
interface Spread<L> {
  readonly layout: L
  readonly number: number
  readonly made: ShardKeys
}

function spread({ layout, keys, callees }: HandoverParts) {
  const all = layout.objects.flatMap((object: StateObjectLayout, number) => {
    const made = keys.find(k => k.object === object.name)
    return made ? [{ layout: object, number, made }] : []
  })
  const isTable = (s: Spread<StateObjectLayout>): s is Spread<HashLayout & { kind: 'table' }> =>
    s.layout.kind === 'table' && callees.has(functionOf(s.layout, 'insert'))
  const isArray = (s: Spread<StateObjectLayout>): s is Spread<ArrayLayout> => s.layout.kind === 'array'
  return { tables: all.filter(isTable), arrays: all.filter(isArray) }
}

const { common, own, all } = handoverBlocks

/** handOut(): does what the answer's `act` says with every entry that it concerns. */
function handOut(parts: HandoverParts): Func {
  const builder = new FunctionBuilder('handOut', [], 'i32')
  const e = new Emitter(builder)
  const zero = e.i32(0)
  const mine = (offset: number): Instr => e.load(own, 4, zero, offset)
  const [acts, ownBit, others] = [mine(answer.act), mine(answer.bit), mine(answer.others)]
  const says = (bit: number): Instr => e.ne(e.and(acts, bit), 0)
  const { tables, arrays } = spread(parts)
  e.when(says(act.answer), () => {
    for (const offset of [answer.used, answer.over, answer.moved, answer.copied])
      e.store(own, 4, zero, offset, zero)
    for (const { layout, number } of tables) {
      e.store(own, 4, zero, answer.counts + 4 * number, e.load(layout.name, 4, zero, tableHeader.count))
      e.store(own, 4, zero, answer.written + 4 * number, zero)
    }
  })
  const worker = e.variable('i32', zero)
  // The worker's number, from its bit.
  e.repeat(
    i => e.ne(e.op('shru', ownBit, i), 1),
    i => e.set(worker, e.add(i, 1)),
  )
  const hasScan = e.ne(e.and(acts, act.scan | act.dropLight | act.dropMoved), 0)
  /** Who is to have, or is to lose, entries of a hash; 0 if nobody. */
  const concerned = (hash: Instr): Instr => {
    const slot = e.shl(e.and(hash, heavySlots - 1), 2)
    const bucket = e.shl(e.and(hash, indirectionEntries - 1), 2)
    const known = e.ne(hash, 0)
    const among = (object: string, offset: number): Instr =>
      e.op('and', known, e.eq(e.load(object, 4, slot, offset), hash))
    const elsewhere = e.ne(e.load(steeringObject, 4, bucket, steeringLayout.indirection), e.get(worker))
    const light = e.op('and', among(common, block.leaving), elsewhere)
    const moving = e.load(common, 4, bucket, block.moving)
    // Entries of a bucket that are there already are those of its new worker.
    const asked = e.select(
      among(common, block.pending),
      others,
      e.select(e.eq(e.and(moving, ownBit), 0), moving, zero),
    )
    const free = e.select(among(steeringObject, steeringLayout.heavy), zero, asked)
    return e.select(says(act.dropLight), e.narrow(light), free)
  }
  const noteCopies = (mask: Instr, number: number): void => {
    const bump = (offset: number, by: Instr): void =>
      e.store(own, 4, zero, offset, e.add(e.load(own, 4, zero, offset), by))
    const copied = e.narrow(e.eq(mask, others))
    bump(answer.copied, copied)
    bump(answer.moved, e.sub(e.i32(1), copied))
    bump(answer.written + 4 * number, e.i32(1))
  }
  /** Writes a record of `bytes` bytes at `from` of an object. */
  const write = (object: string, number: number, mask: Instr, from: Instr, bytes: number, index: Instr) => {
    const length = record.entry + Math.ceil(bytes / 8) * 8
    const used = e.load(own, 4, zero, answer.used)
    const end = e.add(used, length)
    e.when(
      e.leu(end, e.load(own, 4, zero, answer.room)),
      () => {
        const put = (offset: number, value: Instr): void =>
          e.store(own, 4, used, answer.records + offset, value)
        put(record.object, e.i32(number))
        put(record.mask, mask)
        put(record.bytes, e.i32(length))
        put(record.index, index)
        copyBytes(e, bytes, [object, from, 0], [own, used, answer.records + record.entry])
        e.store(own, 4, zero, answer.used, end)
        noteCopies(mask, number)
      },
      () => e.store(own, 4, zero, answer.over, e.i32(1)),
    )
  }
  e.when(hasScan, () => {
    for (const { layout, number, made } of tables) {
      const { name, stride, bucketsOffset, bucketCount } = layout
      e.repeat(
        i => e.ltu(i, slotsPerBucket * bucketCount),
        i => {
          const slot = e.add(e.mul(i, stride), bucketsOffset)
          e.when(e.ne(e.load(name, 4, slot), 0), () => {
            const leaves = layout.key.flatMap(field =>
              leavesOf(field).map(leaf =>
                e.wide(swapBytes(e, e.load(name, leaf.width, slot, field.offset + leaf.offset), leaf.width)),
              ),
            )
            withHash(e, made, leaves, parts.fields, hash => {
              const mask = concerned(hash)
              e.when(e.ne(mask, 0), () =>
                e.when(
                  says(act.answer),
                  () => {
                    const copy = (): void => write(name, number, mask, slot, stride, zero)
                    if (!layout.expire) copy()
                    else {
                      const now = e.load(common, 4, zero, block.clocks + 4 * number)
                      e.when(e.op('not', expired(e, layout, slot, 0, now)), copy)
                    }
                  },
                  () => void e.call(functionOf(layout, 'remove'), [slot], 'void'),
                ),
              )
            })
          })
        },
      )
    }
    for (const { layout, number, made } of arrays) {
      const { name, stride, length } = layout
      e.repeat(
        i => e.ltu(i, length),
        i => {
          const at = e.mul(i, stride)
          e.when(isUsed(e, name, at, stride), () =>
            withHash(e, made, [e.wide(i)], parts.fields, hash => {
              const mask = concerned(hash)
              e.when(e.ne(mask, 0), () =>
                e.when(
                  says(act.answer),
                  () => write(name, number, mask, at, stride, i),
                  () => eachChunk(stride, (o, width) => clear(e, name, at, o, width)),
                ),
              )
            }),
          )
        },
      )
    }
  })
  builder.return([zero])
  return builder.finish()
}

/** takeIn(): puts into the worker's state what all answers have for it. */
function takeIn(parts: HandoverParts): Func {
  const builder = new FunctionBuilder('takeIn', [], 'i32')
  const e = new Emitter(builder)
  const zero = e.i32(0)
  const ownBit = e.load(own, 4, zero, answer.bit)
  const workers = e.load(common, 4, zero, block.workers)
  const bytes = e.load(common, 4, zero, block.answerBytes)
  const { tables, arrays } = spread(parts)
  const at = e.variable('i32', zero)
  e.repeat(
    w => e.ltu(w, workers),
    w => {
      const base = e.op('mul', w, bytes)
      e.set(at, e.add(base, answer.records))
      e.repeat(
        () => e.ltu(e.sub(e.get(at), e.add(base, answer.records)), e.load(all, 4, base, answer.used)),
        () => {
          const here = e.get(at)
          const word = (offset: number): Instr => e.load(all, 4, here, offset)
          e.when(e.ne(e.op('and', word(record.mask), ownBit), 0), () => {
            for (const { layout, number } of tables)
              e.when(e.eq(word(record.object), number), () => insert(e, layout, number, here))
            for (const { layout, number } of arrays)
              e.when(e.eq(word(record.object), number), () => {
                const to = e.mul(word(record.index), layout.stride)
                copyBytes(e, layout.stride, [all, here, record.entry], [layout.name, to, 0])
              })
          })
          e.set(at, e.add(here, word(record.bytes)))
        },
      )
    },
  )
  builder.return([zero])
  return builder.finish()
}

/** Inserts the entry of the record at `here`, with everything but its place the same. */
function insert(e: Emitter, table: HashLayout, number: number, here: Instr): void {
  const args = Array.from({ length: wordCount(table) }, (_, i) =>
    e.wide(e.load(all, wordWidth(table, i), here, record.entry + table.keyOffset + 8 * i)),
  )
  if (table.expire) args.push(e.load(common, 4, e.i32(0), block.clocks + 4 * number))
  if (table.evict === 'oldest') args.push(e.load(all, 4, here, record.entry + table.touchedSeqOffset))
  const slot = e.call(functionOf(table, 'insert'), args, 'i32')
  e.when(e.ne(slot, 0), () => copyBytes(e, table.stride, [all, here, record.entry], [table.name, slot, 0]))
}

/** Goes on with the steering hash of a key's packets, i32, if there is a way of making the key that fits. */
function withHash(
  e: Emitter,
  made: ShardKeys,
  leaves: readonly Instr[],
  fields: SteeringFields,
  then: (hash: Instr) => void,
): void {
  const hash = e.variable('i32', e.i32(0))
  const fits = e.variable('i1', e.i1(false))
  for (const { conditions, bytes } of waysOf(made, fields)) {
    const matches = conditions.map(([leaf, value]) => e.eq(leaves[leaf], e.i64(value)))
    const open = matches.reduce((a, b) => e.op('and', a, b), e.op('not', e.get(fits)))
    e.when(open, () => {
      let sum = e.i32(0)
      for (const [position, byte] of bytes.entries())
        if (byte) {
          const index = e.shl(e.narrow(byteOf(e, leaves[byte.leaf], byte)), 2)
          sum = e.xor(sum, e.load(steeringObject, 4, index, 1024 * position))
        }
      e.set(hash, sum)
      e.set(fits, e.i1(true))
    })
    if (conditions.length === 0) break
  }
  e.when(e.get(fits), () => then(e.get(hash)))
}

/** The different ways of making a key, in order: which leaves must be which constants, and the bytes that are hashed. */
function waysOf(made: ShardKeys, fields: SteeringFields) {
  const seen = new Set<string>()
  return made.alternatives.flatMap(({ leaves, portless }) => {
    const bytes = keyInput(leaves, fields, portless)
    const conditions = leaves.flatMap((leaf, k): [number, bigint][] =>
      leaf.kind === 'constant' ? [[k, leaf.value]] : [],
    )
    const name = JSON.stringify([bytes, conditions], (_, v: unknown) => (typeof v === 'bigint' ? `${v}` : v))
    if (!bytes || seen.has(name)) return []
    seen.add(name)
    return [{ conditions, bytes }]
  })
}

/** One byte of the hash's input, i64, from the leaf it was put into. */
function byteOf(e: Emitter, leaf: Instr, { done, byte }: InputByte): Instr {
  let value = leaf
  for (const [name, amount] of done) {
    if (name === 'swap') value = e.shru(e.op('bswap64', value), 64 - 8 * Number(amount))
    else value = e.op(name, value, e.i64(amount))
  }
  return e.and(e.shru(value, 8 * byte), 0xff)
}

type Side = readonly [object: string, at: Instr, offset: number]

function copyBytes(e: Emitter, bytes: number, from: Side, to: Side): void {
  eachChunk(bytes, (o, width) =>
    e.store(to[0], width, to[1], to[2] + o, e.load(from[0], width, from[1], from[2] + o)),
  )
}

/** Whether any of so many bytes is not zero. */
function isUsed(e: Emitter, object: string, at: Instr, bytes: number): Instr {
  let sum = e.i64(0)
  eachChunk(bytes, (o, width) => {
    sum = e.or(sum, e.wide(e.load(object, width, at, o)))
  })
  return e.ne(sum, 0)
}

const clear = (e: Emitter, object: string, at: Instr, offset: number, width: Width): void =>
  e.store(object, width, at, offset, width === 8 ? e.i64(0) : e.i32(0))

function eachChunk(bytes: number, chunk: (offset: number, width: Width) => void): void {
  let offset = 0
  for (const width of [8, 4, 2, 1] as const)
    while (bytes - offset >= width) {
      chunk(offset, width)
      offset += width
    }
}
