// The layout of an item, which is one packet's metadata: where the bits of each field stand.
//
// Bits are counted as little-endian loads see them: bit 0 is the lowest of byte 0. Larger fields come first, so that
// most are aligned; fields of whole bytes start at a byte; single bits fill up the end. Fields that no packet needs
// together may share bits. A field is widened to whole bytes where that costs no byte. Promises: deterministic; fields
// that are not exclusive do not overlap; the size is that of the last bit, rounded up to a byte.

/** What is to be placed. */
export interface FieldSize {
  /** 1 to 64. */
  readonly bits: number
}

export interface Placement {
  /** First bit of each field, in the order given. */
  readonly offsets: readonly number[]
  /** Bits each field has been given, at least its own. */
  readonly sizes: readonly number[]
  readonly bytes: number
}

/** Places fields; `exclusive(a, b)` says whether the fields of these numbers may share bits. */
export function placeFields(
  fields: readonly FieldSize[],
  exclusive: (a: number, b: number) => boolean = () => false,
): Placement {
  const exact = place(fields, exclusive)
  const whole = place(
    fields.map(({ bits }) => ({ bits: bits > 8 ? Math.ceil(bits / 8) * 8 : bits })),
    exclusive,
  )
  return whole.bytes <= exact.bytes ? whole : exact
}

function place(fields: readonly FieldSize[], exclusive: (a: number, b: number) => boolean): Placement {
  const order = fields.map((_, k) => k).toSorted((a, b) => rank(fields[b]) - rank(fields[a]) || a - b)
  const offsets: number[] = []
  const placed: number[] = []
  for (const k of order) {
    const { bits } = fields[k]
    const step = bits % 8 === 0 ? 8 : 1
    const taken = placed.filter(p => !exclusive(p, k))
    let at = 0
    for (let moved = true; moved;) {
      moved = false
      for (const p of taken) {
        const end = offsets[p] + fields[p].bits
        if (at >= end || at + bits <= offsets[p]) continue
        at = Math.ceil(end / step) * step
        moved = true
      }
    }
    offsets[k] = at
    placed.push(k)
  }
  const end = Math.max(0, ...fields.map((f, k) => offsets[k] + f.bits))
  return { offsets, sizes: fields.map(f => f.bits), bytes: Math.ceil(end / 8) }
}

/** Whole bytes before loose bits, large before small. */
const rank = ({ bits }: FieldSize): number => (bits % 8 === 0 ? 1000 : 0) + bits

/** Bits of an item that some field uses. */
export function bitsUsed(fields: readonly FieldSize[], offsets: readonly number[]): number {
  const bits = new Set<number>()
  fields.forEach((f, k) => {
    for (let b = 0; b < f.bits; b++) bits.add(offsets[k] + b)
  })
  return bits.size
}

/** One load or store of the item: `width` bytes at `byte`. */
export interface Chunk {
  readonly byte: number
  readonly width: 1 | 2 | 4 | 8
}

/** The fewest loads that cover bytes first to end - 1 and no others. */
export function chunksOf(first: number, end: number): Chunk[] {
  const chunks: Chunk[] = []
  for (let byte = first; byte < end;) {
    const width = ([8, 4, 2, 1] as const).find(w => w <= end - byte)!
    chunks.push({ byte, width })
    byte += width
  }
  return chunks
}

/** The stores that write a whole item: fields that have their bytes alone are written as they are. */
export function storesOf({ offsets, sizes, bytes }: Placement): Chunk[] {
  const chunks: Chunk[] = []
  for (let byte = 0; byte < bytes;) {
    const own = sizes.findIndex((_, k) => offsets[k] === byte * 8 && isAlone(k, offsets, sizes))
    const end = own < 0 ? nextAlone(byte, bytes, offsets, sizes) : byte + sizes[own] / 8
    chunks.push(...chunksOf(byte, end))
    byte = end
  }
  return chunks
}

/** True if a field is whole bytes that no other field touches. */
export function isAlone(k: number, offsets: readonly number[], sizes: readonly number[]): boolean {
  if (offsets[k] % 8 || sizes[k] % 8) return false
  return sizes.every(
    (bits, j) => j === k || offsets[j] >= offsets[k] + sizes[k] || offsets[j] + bits <= offsets[k],
  )
}

/** Where, behind `byte`, the next field begins that has its bytes alone; else the item's end. */
function nextAlone(
  byte: number,
  bytes: number,
  offsets: readonly number[],
  sizes: readonly number[],
): number {
  for (let b = byte + 1; b < bytes; b++)
    if (sizes.some((_, k) => offsets[k] === b * 8 && isAlone(k, offsets, sizes))) return b
  return bytes
}
