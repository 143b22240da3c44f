// Verdicts, counters and the balance of packets, as a line for people and as JSON.

import type { Balance } from '../../engine/kernel/conservation.js'
import type { Figures } from '../../engine/kernel/figures.js'
import { grouped } from '../grid.js'

const numbers = (counts: ReadonlyMap<string, bigint>): Record<string, number> =>
  Object.fromEntries([...counts].map(([name, n]) => [name, Number(n)]))

export const figuresJson = ({ packets, verdicts, counters }: Figures) => ({
  packets: Number(packets),
  verdicts: numbers(verdicts),
  counters: numbers(counters),
})

/** One line: packets so far, how many in this second, and what is not zero of verdicts and counters. */
export function figuresLine({ packets, verdicts, counters }: Figures, before?: Figures): string {
  const rate = before ? ` (${grouped(packets - before.packets)}/s)` : ''
  const used = [...verdicts, ...counters].filter(([, n]) => n > 0n).map(([k, n]) => `, ${k} ${grouped(n)}`)
  return `${grouped(packets)} packets${rate}${used.join('')}`
}

export const balanceJson = ({ received, drops, unaccounted }: Balance) => ({
  received: Number(received),
  drops: numbers(drops),
  unaccounted: unaccounted === undefined ? null : Number(unaccounted),
})

/** received = passed + transmitted + redirected + dropped; what is left is told. */
export function balanceText({
  received,
  passed,
  transmitted,
  redirected,
  drops,
  unaccounted = 0n,
}: Balance): string {
  const dropped = [...drops.values()].reduce((a, b) => a + b, 0n)
  const reasons = [...drops].filter(([, n]) => n > 0n).map(([reason, n]) => `${reason} ${grouped(n)}`)
  const sum =
    `${grouped(received)} received = ${grouped(passed)} passed + ${grouped(transmitted)} transmitted + ` +
    `${grouped(redirected)} redirected + ${grouped(dropped)} dropped`
  const rest =
    unaccounted === 0n
      ? ''
      : ` + ${grouped(unaccounted)} unaccounted (the driver handed over more or fewer than the program saw; packets ` +
        'that came while it was attached or taken off may be among them)'
  return `${sum}${reasons.length ? ` (${reasons.join(', ')})` : ''}${rest}`
}
