/** The threshold from both sides, what a byte is, and what a flow is. */

import { arp, cut, echo, padded, raw, sctp, tagged, tcp, udp } from './frames.js'
import type { Frame } from './frames.js'
import type { Scenario } from './scenario.js'

/** A TCP segment of a flow whose IP packet has `bytes` bytes. */
const of = (bytes: number, path = '198.51.100.1:40000 > 192.0.2.1:443'): Frame =>
  tcp(path, 'A', { data: bytes - 40 })

export const scenarios: readonly Scenario[] = [
  {
    name: 'heavy-hitter-threshold',
    program: 'heavy-hitter',
    about: 'A flow is heavy from the byte that exceeds the threshold on, and is reported once.',
    set: { threshold: 1000 },
    steps: [
      [0, of(600), 'transmit'],
      [1, of(400), 'transmit', '1,000 bytes: exactly the threshold'],
      [2, of(41), 'transmit', 'passes it'],
      [3, of(40), 'transmit'],
      [
        4,
        of(600, '192.0.2.1:443 > 198.51.100.1:40000'),
        'transmit',
        'the other direction is a flow of its own',
      ],
      [5, of(401, '192.0.2.1:443 > 198.51.100.1:40000'), 'transmit', 'passes it by one byte'],
      [6, of(1000, '198.51.100.1:40001 > 192.0.2.1:443'), 'transmit', 'another port, another flow'],
      [7, of(1400, '198.51.100.9:40000 > 192.0.2.1:443'), 'transmit', 'passes it with its first packet'],
    ],
    counters: { heavyFlows: 3, heavyPackets: 4 },
  },
  {
    name: 'heavy-hitter-lengths',
    program: 'heavy-hitter',
    about: 'Bytes are those that the IP header states: neither padding nor a snap length counts.',
    set: { threshold: 100 },
    steps: [
      [0, padded(of(41), 60), 'transmit', '41'],
      [1, cut(of(59), 54), 'transmit', '100: the capture has 40 bytes of it'],
      [2, tagged(of(40), 3), 'transmit', '140: tags do not count but belong to the flow'],
      [
        3,
        tcp('198.51.100.2:1 > 192.0.2.1:2', 'A', { totalLength: 0 }),
        'transmit',
        'segmentation by a NIC leaves 0',
      ],
      [4, udp('198.51.100.3:1 > 192.0.2.1:2', { payload: 8_900 }), 'transmit', 'a jumbo frame'],
    ],
    counters: { heavyFlows: 2, heavyPackets: 2 },
  },
  {
    name: 'heavy-hitter-flows',
    program: 'heavy-hitter',
    about: 'What makes a flow: addresses, protocol, and the ports where there are some.',
    set: { threshold: 0 },
    steps: [
      [0, tcp('198.51.100.1:7 > 192.0.2.1:9', 'A'), 'transmit'],
      [1, udp('198.51.100.1:7 > 192.0.2.1:9'), 'transmit', 'same ports, other protocol'],
      [2, sctp('198.51.100.1:7 > 192.0.2.1:9'), 'transmit', 'and another'],
      [3, echo('198.51.100.1 > 192.0.2.1'), 'transmit', 'no ports'],
      [4, udp('198.51.100.1:7 > 192.0.2.1:9', { more: true }), 'transmit', 'a first fragment has its ports'],
      [5, raw('198.51.100.1 > 192.0.2.1', 17, 16, { fragment: 2 }), 'transmit', 'a later one has not'],
      [6, cut(udp('198.51.100.1:7 > 192.0.2.1:9'), 41), 'transmit', 'nor has half a UDP header'],
      [7, raw('198.51.100.1 > 192.0.2.1', 47, 8), 'transmit', 'GRE'],
      [8, arp(), 'transmit', 'not monitored'],
      [9, udp('[2001:db8::1]:7 > [2001:db8::2]:9'), 'transmit', 'not monitored'],
    ],
    counters: { heavyFlows: 6, heavyPackets: 8 },
  },
  {
    name: 'heavy-hitter-table-full',
    program: 'heavy-hitter',
    about: 'Flows that find the table full go through unmonitored.',
    set: { threshold: 0 },
    edits: [['capacity: 65_536', 'capacity: 1']],
    steps: [
      [0, of(40), 'transmit'],
      [1, of(40, '198.51.100.2:1 > 192.0.2.1:2'), 'transmit', 'no room'],
      [2, of(40), 'transmit'],
    ],
    counters: { heavyFlows: 1, heavyPackets: 2, unmonitored: 1 },
  },
]
