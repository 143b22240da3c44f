// The Toeplitz hash of receive-side scaling, as NICs compute it, and its tables for a byte at a time.
//
// Source: Microsoft, "RSS Hashing Types" and "Verifying the RSS Hash Calculation" (whose vectors are the tests);
// the symmetric key repeats 0x6D5A (Woo and Park, "Scalable TCP Session Monitoring with Symmetric Receive-side
// Scaling"), so that swapping source and destination gives the same hash.

/** The key of Microsoft's verification suite, 40 bytes; most drivers' default. */
export const standardKey = Uint8Array.from(
  ('6d5a56da255b0ec24167253d43a38fb0d0ca2bcbae7b30b477cb2da38030f20c6a42b73bbeac01fa'.match(/../g) ?? []).map(
    h => parseInt(h, 16),
  ),
)

/** 0x6D5A twenty times. */
export const symmetricKey = Uint8Array.from({ length: 40 }, (_, i) => (i % 2 === 0 ? 0x6d : 0x5a))

/** The longest input: two IPv6 addresses and two ports. */
export const longestInput = 36

/** Entries of the indirection table; a power of two, as in most NICs. An entry is a bucket of flows. */
export const indirectionEntries = 128

/** Of hybrid: keys that can be heavy at a time, one for each value of the hash's low bits; and slots for votes. */
export const heavySlots = 1024
export const voteSlots = 4096

const tablesBytes = longestInput * 256 * 4
const columnBytes = 4 * indirectionEntries
/**
 * Byte offsets in the steering block: the Toeplitz tables; the indirection table, a u32 worker for each bucket; u32
 * packets of each bucket since the counts were last cleared; of hybrid the hashes of heavy keys, 0 for none, and the votes, a
 * u32 hash and a u32 count each; u32 how many keys are heavy, and one packet in how many votes.
 */
export const steeringLayout = {
  tables: 0,
  indirection: tablesBytes,
  loads: tablesBytes + columnBytes,
  heavy: tablesBytes + 2 * columnBytes,
  votes: tablesBytes + 2 * columnBytes + 4 * heavySlots,
  heavyCount: tablesBytes + 2 * columnBytes + 4 * heavySlots + 8 * voteSlots,
  voteEvery: tablesBytes + 2 * columnBytes + 4 * heavySlots + 8 * voteSlots + 4,
  size: tablesBytes + 2 * columnBytes + 4 * heavySlots + 8 * voteSlots + 8,
} as const

/** The hash of up to 36 bytes: addresses and ports in network order, source before destination. u32. */
export function toeplitz(key: Uint8Array, input: Uint8Array): number {
  let hash = 0
  for (let i = 0; i < input.length; i++)
    for (let bit = 0; bit < 8; bit++) if (input[i] & (0x80 >> bit)) hash ^= keyWindow(key, 8 * i + bit)
  return hash >>> 0
}

/** The 32 key bits from bit `at` on. */
function keyWindow(key: Uint8Array, at: number): number {
  const byte = at >> 3
  const five = [0, 1, 2, 3, 4].map(k => key[byte + k] ?? 0)
  const high = (five[0] << 24) | (five[1] << 16) | (five[2] << 8) | five[3]
  const shift = at & 7
  return shift === 0 ? high >>> 0 : ((high << shift) | (five[4] >> (8 - shift))) >>> 0
}

/** For each input position, what each byte value contributes: `longestInput` times 256 u32. */
export function toeplitzTables(key: Uint8Array): Uint32Array {
  const tables = new Uint32Array(longestInput * 256)
  for (let at = 0; at < longestInput; at++)
    for (let value = 0; value < 256; value++) {
      let sum = 0
      for (let bit = 0; bit < 8; bit++) if (value & (0x80 >> bit)) sum ^= keyWindow(key, 8 * at + bit)
      tables[at * 256 + value] = sum >>> 0
    }
  return tables
}
