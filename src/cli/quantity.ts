// Numbers with a unit as people write them: 1_000, 1e6, 10k, 1.5M; rates in packets or bits a second; addresses.

import { UsageError } from './command.js'

const factors: Readonly<Record<string, number>> = { '': 1, k: 1e3, M: 1e6, G: 1e9 }

/** 1000, 1_000, 1e6, 10k, 1.5M, 2G. */
export function quantityOf(value: string, flag: string): number {
  const match = /^([\d_]+(?:\.\d+)?(?:e\d+)?)([kMG]?)$/.exec(value)
  if (!match) throw new UsageError(`--${flag} takes a number such as 1000, 1e6, 10k or 1.5M, not ${value}`)
  return Number(match[1].replaceAll('_', '')) * factors[match[2]]
}

/** Packets a second from `5M` or, given the bits of a mean packet on the wire, from `10Gbps`. */
export function rateOf(value: string, wireBits: number): number {
  const bits = /^(.*[^b])?bps$/.exec(value)
  const rate = bits ? quantityOf(bits[1] ?? '', 'rate') / wireBits : quantityOf(value, 'rate')
  if (rate > 0) return rate
  throw new UsageError(
    `--rate takes packets a second such as 5M, or bits on the wire such as 1Gbps, not ${value}`,
  )
}

/** An IPv4 address as a number. */
export function ipv4Of(value: string, flag: string): number {
  const parts = value.split('.').map(part => (/^\d{1,3}$/.test(part) ? Number(part) : 256))
  if (parts.length !== 4 || parts.some(part => part > 255))
    throw new UsageError(`--${flag} takes an IPv4 address, not ${value}`)
  return parts.reduce((sum, part) => sum * 256 + part, 0)
}

/** Six bytes of `02:00:00:00:00:01`. */
export function macOf(value: string, flag: string): Uint8Array {
  if (!/^[\da-f]{2}(:[\da-f]{2}){5}$/i.test(value))
    throw new UsageError(`--${flag} takes a hardware address such as 02:00:00:00:00:01, not ${value}`)
  return Uint8Array.from(value.split(':'), part => Number.parseInt(part, 16))
}
