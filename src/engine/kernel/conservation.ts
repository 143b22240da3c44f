// Packet conservation of a program in the kernel: received = passed + transmitted + redirected + dropped, by reason.
//
// The program's own counts give the right-hand side. The left-hand side is the driver's where it counts what it hands to
// XDP; then a remainder is possible and is told. Without such a driver the packets received are those the program saw.

import type { DriverCounts } from './driver.js'
import type { Figures } from './figures.js'

export interface Balance {
  readonly received: bigint
  readonly passed: bigint
  readonly transmitted: bigint
  readonly redirected: bigint
  /** By reason: `program` said so, `aborted` without a verdict, `transmit` had no room on the way back. */
  readonly drops: ReadonlyMap<string, bigint>
  /** Packets that the driver handed over and nobody counted; undefined if the driver does not count them. */
  readonly unaccounted: bigint | undefined
}

/** Counts of one program, on all its devices together. */
export function balanceOf({ packets, verdicts }: Figures, drivers: readonly DriverCounts[]): Balance {
  const all = (name: keyof DriverCounts): bigint | undefined =>
    drivers.length === 0 || drivers.some(d => d[name] === undefined)
      ? undefined
      : drivers.reduce((sum, d) => sum + d[name]!, 0n)
  const verdict = (name: string): bigint => verdicts.get(name) ?? 0n
  const handed = all('handed')
  const lost = all('transmitLost')
  return {
    received: handed ?? packets,
    passed: verdict('pass'),
    transmitted: verdict('transmit') - (lost ?? 0n),
    redirected: verdict('redirect'),
    drops: new Map([
      ['program', verdict('drop')],
      ['aborted', verdict('aborted')],
      ...(lost === undefined ? [] : [['transmit', lost] as const]),
    ]),
    unaccounted: handed === undefined ? undefined : handed - packets,
  }
}
