// Emits the code that reads and writes the fields of an item. Fields of 1, 2, 4 or 8 whole bytes are one access; others
// are shifted and masked together from accesses that never leave the item. Values are i1, i32 or i64 as the field's
// node is; a selector is an i32. Read item.ts first.

import type { FunctionBuilder } from '../ir/builder.js'
import { bitsOf } from '../ir/ops.js'
import type { Instr, Type } from '../ir/types.js'
import { chunksOf, isAlone, storesOf } from './item.js'
import type { Chunk, Placement } from './item.js'

const binary = (b: FunctionBuilder, op: string, x: Instr, n: number | bigint): Instr =>
  n === 0 || n === 0n ? x : b.emit(op, [x, b.const(x.type, n)])

/** The value in another scalar type; what does not fit is dropped. */
function convert(b: FunctionBuilder, x: Instr, type: Type): Instr {
  if (x.type === type) return x
  if (type === 'i1') return b.emit('ne', [x, b.const(x.type, 0)])
  return bitsOf(x.type) > bitsOf(type) ? b.emit('trunc', [x], {}, type) : b.emit('zext', [x], {}, type)
}

const mask = (b: FunctionBuilder, x: Instr, bits: number): Instr =>
  bits >= bitsOf(x.type) ? x : b.emit('and', [x, b.const(x.type, (1n << BigInt(bits)) - 1n)])

const itemLoad = (b: FunctionBuilder, { byte, width }: Chunk): Instr =>
  b.emit('item.load', [], { width, offset: byte }, width === 8 ? 'i64' : 'i32')

/** Reads `bits` bits at bit `offset` of the item as a value of `type`. */
export function loadField(b: FunctionBuilder, offset: number, bits: number, type: Type): Instr {
  const first = Math.floor(offset / 8)
  const chunks = chunksOf(first, Math.ceil((offset + bits) / 8))
  const only = chunks.length === 1 ? chunks[0] : undefined
  const work: Type = only && only.width < 8 ? 'i32' : 'i64'
  let value: Instr | undefined
  for (const chunk of chunks) {
    const at = (chunk.byte - first) * 8 - (offset % 8)
    const loaded = convert(b, itemLoad(b, chunk), work)
    const part = binary(b, at < 0 ? 'shru' : 'shl', loaded, Math.abs(at))
    value = value ? b.emit('or', [value, part]) : part
  }
  const whole = only && offset % 8 === 0 && bits === only.width * 8
  return convert(b, whole ? value! : mask(b, value!, bits), type)
}

/** Writes a whole item. `values` are the fields' values, 0 for a field this packet does not need. */
export function storeItem(
  b: FunctionBuilder,
  placement: Placement,
  values: readonly Instr[],
  bits: readonly number[],
): void {
  const { offsets, sizes } = placement
  for (const chunk of storesOf(placement)) {
    const from = chunk.byte * 8
    const end = from + chunk.width * 8
    const work: Type = chunk.width === 8 ? 'i64' : 'i32'
    let word: Instr | undefined
    values.forEach((value, k) => {
      if (offsets[k] >= end || offsets[k] + sizes[k] <= from) return
      const own = isAlone(k, offsets, sizes) && sizes[k] === chunk.width * 8
      const cut = own ? value : mask(b, value, bits[k])
      const at = offsets[k] - from
      const wide = at < 0 || sizes[k] > 32 ? convert(b, cut, 'i64') : convert(b, cut, work)
      const part = convert(b, binary(b, at < 0 ? 'shru' : 'shl', wide, Math.abs(at)), work)
      word = word ? b.emit('or', [word, part]) : part
    })
    const { width, byte } = chunk
    b.emit('item.store', [word ?? b.const(work, 0)], { width, offset: byte }, 'void')
  }
}
