/** The three forwarders: prefixes and hops, anything at all, and the digest of the busy one. */

import { arp, cut, padded, raw, tagged, tcp, udp } from './frames.js'
import type { Frame } from './frames.js'
import type { Scenario } from './scenario.js'

const table = { routes4: 'programs/rules/routes4.csv', routes6: 'programs/rules/routes6.json' }
const to = (address: string, ttl = 64): Frame => udp(`198.51.100.1:1 > ${address}:2`, { ttl })
const to6 = (address: string, ttl = 64): Frame => udp(`[2001:db8:f::1]:1 > [${address}]:2`, { ttl })

export const scenarios: readonly Scenario[] = [
  {
    name: 'prefix-forwarder-longest',
    program: 'prefix-forwarder',
    about: 'The longest matching prefix decides, for IPv4 and IPv6.',
    table,
    steps: [
      [0, to('10.1.2.3'), 'redirect 3', '/24'],
      [1, to('10.1.3.3'), 'redirect 2', '/16'],
      [2, to('10.2.2.3'), 'redirect 1', '/8'],
      [3, to('11.1.2.3'), 'redirect 0', 'the default route'],
      [4, to('192.0.2.127'), 'redirect 1', 'the last address of a /25'],
      [5, to('192.0.2.128'), 'redirect 0', 'the one after it'],
      [6, to('198.51.100.7'), 'redirect 2', 'a host'],
      [7, to('198.51.100.8'), 'redirect 0'],
      [8, to('255.255.255.255'), 'redirect 0'],
      [9, to6('2001:db8:ffff::1'), 'redirect 1', '/32'],
      [10, to6('2001:db8:1::1'), 'redirect 2', '/48'],
      [11, to6('2001:db8:1::53'), 'redirect 3', '/128'],
      [12, to6('2001:db9::1'), 'pass', 'no route, and IPv6 has no default here'],
      [13, tagged(to('10.1.2.3'), 3, 4), 'redirect 3', 'tags stay'],
      [14, padded(tcp('10.9.9.9:1 > 10.1.2.3:2', 'A'), 60), 'redirect 3', 'so does padding'],
      [15, raw('10.9.9.9 > 10.1.2.3', 17, 8, { fragment: 9 }), 'redirect 3', 'and fragments'],
    ],
    counters: { unrouted: 1 },
  },
  {
    name: 'router-outcomes',
    program: 'router',
    about:
      'What the routes answer decides, and so does the length of the packet; the rest is for the kernel.',
    table: { fib4: 'programs/rules/fib4.csv', fib6: 'programs/rules/fib6.csv' },
    steps: [
      [0, to('10.1.2.3'), 'redirect 1', 'a hop less, new addresses'],
      [1, to('11.1.2.3'), 'redirect 0', 'the default route'],
      [2, to('10.9.2.3'), 'drop', 'a black hole'],
      [3, to('198.51.100.7'), 'pass', 'the kernel asks for the neighbour'],
      [4, to('203.0.113.1'), 'pass', 'the kernel says that it is forbidden'],
      [5, udp('198.51.100.1:1 > 192.0.2.1:2', { payload: 548 }), 'redirect 2', '576 bytes fit'],
      [6, udp('198.51.100.1:1 > 192.0.2.1:2', { payload: 549 }), 'pass', '577 do not'],
      [7, to('10.1.2.3', 2), 'redirect 1', 'leaves with 1'],
      [8, to('10.1.2.3', 1), 'pass', 'ends here'],
      [9, to('10.9.2.3', 1), 'drop', 'the route comes before the life'],
      [10, to6('2001:db8:9::1'), 'redirect 1'],
      [11, to6('2001:db8:1::1'), 'redirect 2', 'a longer prefix'],
      [12, to6('2001:db8:2::1'), 'pass', 'unreachable'],
      [13, to6('fd00::1', 1), 'pass', 'ends here'],
      [14, to6('2001:db9::1'), 'pass', 'no route'],
    ],
    counters: { forwarded: 6, discarded: 2, expired: 2, tooLong: 1, unresolved: 1, unrouted: 3 },
  },
  {
    name: 'prefix-forwarder-life',
    program: 'prefix-forwarder',
    about: 'A hop is taken off a packet; with the last one it goes to the kernel, unchanged.',
    table,
    steps: [
      [0, to('10.1.2.3', 255), 'redirect 3'],
      [1, to('10.1.2.3', 2), 'redirect 3', 'leaves with 1'],
      [2, to('10.1.2.3', 1), 'pass', 'ends here'],
      [3, to('10.1.2.3', 0), 'pass'],
      [4, to6('2001:db8:1::53', 2), 'redirect 3'],
      [5, to6('2001:db8:1::53', 1), 'pass'],
      // Identifications chosen so that the header's checksum is at either end of its range before and after.
      ...checksumEnds().map(frame => [6, frame, 'redirect 3', 'a checksum at the end of its range'] as const),
    ],
    counters: { expired: 3 },
  },
  {
    name: 'prefix-forwarder-passes',
    program: 'prefix-forwarder',
    about: 'What the kernel does better goes to the kernel; without routes that is everything.',
    steps: [
      [0, to('10.1.2.3'), 'pass', 'no routes at all'],
      [1, to6('2001:db8:1::53'), 'pass'],
      [2, arp(), 'pass'],
      [3, udp('10.0.0.1:1 > 10.1.2.3:2', { options: [1, 1, 1, 0] }), 'pass', 'with options'],
      [4, cut(to('10.1.2.3'), 33), 'pass', 'not a whole header'],
      [5, cut(to('10.1.2.3'), 14), 'pass'],
      [6, cut(to('10.1.2.3'), 13), 'drop', 'not even an Ethernet header'],
    ],
    counters: { unrouted: 2, withOptions: 1 },
  },
  {
    name: 'forwarder-anything',
    program: 'forwarder',
    about: 'Every frame with a whole Ethernet header goes back with its addresses exchanged.',
    steps: [
      [0, to('10.1.2.3'), 'transmit'],
      [1, arp(), 'transmit'],
      [2, cut(arp(), 14), 'transmit'],
      [3, cut(arp(), 13), 'drop'],
      [4, tagged(arp(), 1, 2, 3), 'transmit'],
    ],
    counters: {},
  },
  {
    name: 'busy-forwarder-rounds',
    program: 'busy-forwarder',
    about: 'The digest depends on every frame and on their order; the rounds are bounded.',
    set: { iterations: 100_000 },
    steps: [
      [0, to('10.1.2.3'), 'transmit', '4,096 rounds, not 100,000'],
      [1, padded(to('10.1.2.3'), 100), 'transmit'],
      [2, cut(arp(), 13), 'drop', 'changes nothing'],
    ],
    counters: {},
  },
  {
    name: 'busy-forwarder-idle',
    program: 'busy-forwarder',
    about: 'Without rounds the digest is the exclusive or of what came.',
    set: { iterations: 0 },
    steps: [
      [0, to('10.1.2.3'), 'transmit'],
      [1, to('10.1.2.3'), 'transmit', 'cancels the first'],
      [2, padded(to('10.1.2.3'), 100), 'transmit'],
    ],
    counters: {},
  },
]

/** Packets to one host whose IPv4 checksum is 0x0000, 0x0001, 0xFEFE, 0xFEFF, 0xFFFE or so, by identification. */
function checksumEnds(): Frame[] {
  const wanted = new Set([0x0000, 0x0001, 0xfefe, 0xfeff, 0xff00, 0xfffe])
  const found: Frame[] = []
  for (let identification = 0; identification < 0x10000; identification++) {
    const frame = udp('198.51.100.1:1 > 10.1.2.3:2', { identification, ttl: 64 })
    const checksum = (frame.bytes[24] << 8) | frame.bytes[25]
    if (!wanted.delete(checksum)) continue
    found.push({ ...frame, text: `${frame.text}, checksum 0x${checksum.toString(16).padStart(4, '0')}` })
  }
  return found
}
