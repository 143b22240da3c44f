/** What a failing case prints: seed, rerun command, the program and packets that are left of it. */

import type { RandomPacket } from './traffic.js'
import type { Minimised } from './minimise.js'
import { sourceOf } from './program.js'

/** How many packets are printed in full. */
const mostPackets = 12

export function reportOf(
  { case: { seed, program, packets }, failure }: Minimised,
  command = 'npm run fuzz',
): string {
  const shown = packets.slice(0, mostPackets).map(renderPacket)
  if (packets.length > mostPackets) shown.push(`… ${packets.length - mostPackets} more`)
  return [
    `seed ${seed}: ${failure.what}`,
    `once more: ${command} -- --seed ${seed}`,
    '',
    sourceOf(program),
    `${packets.length} packets (length, original length, nanoseconds, device, bytes):`,
    ...shown,
  ].join('\n')
}

const renderPacket = ({ bytes, originalLength, timestamp, device }: RandomPacket, n: number): string =>
  `${n}: ${bytes.length} ${originalLength} ${timestamp} ${device} ${Buffer.from(bytes).toString('hex')}`
