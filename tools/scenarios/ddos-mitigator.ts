/** The limit from both sides, what counts towards it, and sources that find the table full. */

import { arp, changed, cut, echo, raw, sctp, tagged, tcp, udp } from './frames.js'
import type { Frame } from './frames.js'
import type { Scenario } from './scenario.js'

const from = (source: string): Frame => udp(`${source}:53 > 192.0.2.1:4000`)

export const scenarios: readonly Scenario[] = [
  {
    name: 'ddos-mitigator-limit',
    program: 'ddos-mitigator',
    about: 'A source is cut off with the first packet above the limit; others are not.',
    set: { limit: 3 },
    steps: [
      [0, from('198.51.100.1'), 'transmit', '1'],
      [0.1, from('198.51.100.1'), 'transmit', '2'],
      [0.2, from('198.51.100.2'), 'transmit', '1 of another'],
      [0.3, from('198.51.100.1'), 'transmit', '3: the limit'],
      [0.4, from('198.51.100.1'), 'drop', '4: above it'],
      [0.5, from('198.51.100.2'), 'transmit'],
      [0.6, tcp('198.51.100.1:1 > 192.0.2.9:80', 'S'), 'drop', 'to any destination, by any protocol'],
      [0.7, from('198.51.100.2'), 'transmit'],
      [0.8, from('198.51.100.2'), 'drop'],
      [86_400, from('198.51.100.1'), 'drop', 'a day later'],
    ],
    counters: {},
  },
  {
    name: 'ddos-mitigator-nobody',
    program: 'ddos-mitigator',
    about: 'A limit of 0 drops all of IPv4 and nothing else.',
    set: { limit: 0 },
    steps: [
      [0, from('198.51.100.1'), 'drop'],
      [1, arp(), 'transmit'],
      [2, udp('[2001:db8::1]:53 > [2001:db8::2]:4000'), 'transmit', 'IPv6 is not counted'],
      [3, changed(from('198.51.100.1'), 14, [0x65], 'IP version 6 under the EtherType of 4'), 'transmit'],
      [4, cut(from('198.51.100.1'), 33), 'transmit', 'no whole IPv4 header'],
      [5, cut(from('198.51.100.1'), 34), 'drop', 'the header is enough'],
    ],
    counters: {},
  },
  {
    name: 'ddos-mitigator-all-protocols',
    program: 'ddos-mitigator',
    about: 'Whatever IPv4 carries counts, fragments and tagged frames too.',
    set: { limit: 6 },
    steps: [
      [0, echo('198.51.100.1 > 192.0.2.1'), 'transmit'],
      [1, sctp('198.51.100.1:5 > 192.0.2.1:6'), 'transmit'],
      [2, raw('198.51.100.1 > 192.0.2.1', 17, 16, { fragment: 185 }), 'transmit'],
      [3, raw('198.51.100.1 > 192.0.2.1', 89, 24), 'transmit'],
      [4, tagged(from('198.51.100.1'), 100), 'transmit'],
      [5, raw('198.51.100.1 > 192.0.2.1', 17, 0), 'transmit', 'without payload'],
      [6, tagged(from('198.51.100.1'), 100, 200), 'drop', 'the seventh'],
    ],
    counters: {},
  },
  {
    name: 'ddos-mitigator-table-full',
    program: 'ddos-mitigator',
    about: 'Sources that find the table full go through uncounted.',
    set: { limit: 1 },
    edits: [['capacity: 65_536', 'capacity: 2']],
    steps: [
      [0, from('198.51.100.1'), 'transmit'],
      [1, from('198.51.100.2'), 'transmit'],
      [2, from('198.51.100.3'), 'transmit', 'no room'],
      [3, from('198.51.100.3'), 'transmit', 'still none'],
      [4, from('198.51.100.1'), 'drop', 'those in the table are held to the limit'],
      [5, from('198.51.100.2'), 'drop'],
    ],
    counters: { uncounted: 2 },
  },
]
