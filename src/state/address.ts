// Addresses as people write them: IPv4 dotted, IPv6 as in RFC 5952, MAC with colons.
//
// Parsers take exactly one spelling of IPv4 (four decimal numbers without leading zeros, which some tools read as
// octal) and every spelling of IPv6 in RFC 4291 §2.2 except zones. Promise: they never throw; undefined means no
// such address. Bytes are in network order.

/** 10.0.0.1 from its value in host order, 0 <= value < 2^32. */
export const formatIpv4 = (value: number): string =>
  [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255].join('.')

/** The host-order value of a dotted address. */
export function parseIpv4(text: string): number | undefined {
  const parts = text.split('.')
  if (parts.length !== 4) return undefined
  let value = 0
  for (const part of parts) {
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined
    value = value * 256 + Number(part)
  }
  return value
}

/** RFC 5952: lower case, no leading zeros, the longest run of two or more zero groups as ::, mapped IPv4 dotted. */
export function formatIpv6(bytes: Uint8Array): string {
  const groups = Array.from({ length: 8 }, (_, i) => bytes[2 * i] * 256 + bytes[2 * i + 1])
  const mapped = groups.slice(0, 5).every(group => group === 0) && groups[5] === 0xffff
  if (mapped) return `::ffff:${formatIpv4(groups[6] * 65_536 + groups[7])}`
  let from = 0
  let length = 1
  for (let i = 0; i < 8; i++) {
    let n = 0
    while (i + n < 8 && groups[i + n] === 0) n++
    if (n > length) [from, length] = [i, n]
  }
  if (length === 1) return hexOf(groups)
  return `${hexOf(groups.slice(0, from))}::${hexOf(groups.slice(from + length))}`
}

const hexOf = (groups: number[]): string => groups.map(group => group.toString(16)).join(':')

/** The 16 bytes of an IPv6 address; the last four may be dotted. */
export function parseIpv6(text: string): Uint8Array | undefined {
  const halves = text.split('::')
  if (halves.length > 2) return undefined
  const lists = halves.map((half, i) => groupsOf(half, i === halves.length - 1))
  const [head, tail = []] = lists
  if (!head || lists.includes(undefined)) return undefined
  const missing = 8 - head.length - (tail?.length ?? 0)
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined
  const groups = [...head, ...Array<number>(missing).fill(0), ...(tail ?? [])]
  return Uint8Array.from(groups.flatMap(group => [group >> 8, group & 255]))
}

/** The 16-bit groups of a piece of an IPv6 address without `::`. */
function groupsOf(text: string, last: boolean): number[] | undefined {
  if (text === '') return []
  const groups: number[] = []
  const parts = text.split(':')
  for (const [i, part] of parts.entries()) {
    if (last && i === parts.length - 1 && part.includes('.')) {
      const dotted = parseIpv4(part)
      if (dotted === undefined) return undefined
      groups.push(dotted >>> 16, dotted & 0xffff)
    } else if (/^[0-9a-f]{1,4}$/i.test(part)) groups.push(Number.parseInt(part, 16))
    else return undefined
  }
  return groups
}

/** 02:00:00:00:00:01 */
export const formatMac = (bytes: Uint8Array): string =>
  Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join(':')

/** The 6 bytes of a MAC address with colons or dashes. */
export function parseMac(text: string): Uint8Array | undefined {
  if (!/^[0-9a-f]{2}([:-][0-9a-f]{2}){5}$/i.test(text)) return undefined
  return Uint8Array.from(text.split(/[:-]/), part => Number.parseInt(part, 16))
}
