// What is wrong with an interface that packets are taken from, in words: it is down, its other end is away, or the kernel
// waits for somebody's hardware address, so that what it was to send does not leave.

import type { NetworkInterface } from '../../sys/interfaces.js'
import { unresolvedNeighbours } from '../../sys/neighbours.js'

/** Complaints that stay the same as long as they hold. `more` are interfaces that replies leave by as well. */
export function complaintsOf(
  { name, index, up, carrier }: NetworkInterface,
  more: readonly number[] = [],
): string[] {
  const found: string[] = []
  if (!up) found.push(`${name} is down: it receives nothing until ip link set dev ${name} up`)
  else if (!carrier) found.push(`${name} has no carrier: its other end is down or away`)
  const neighbours = [index, ...more].reduce((sum, i) => sum + unresolvedNeighbours(i), 0)
  if (neighbours > 0)
    found.push(
      `${neighbours} neighbour${neighbours > 1 ? 's' : ''} on ${name} without an answer: replies to them wait in the kernel (ip neigh)`,
    )
  return found
}
