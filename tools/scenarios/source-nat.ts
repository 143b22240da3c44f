/** Translation there and back, checksums at the ends of their range, expiry, and pools and tables that run dry. */

import { arp, echo, raw, sctp, tagged, tcp, udp } from './frames.js'
import type { Frame } from './frames.js'
import type { Scenario } from './scenario.js'

const program = 'source-nat'
const out = (from: string, to = '203.0.113.9:53') => udp(`${from} > ${to}`)
const back = (port: number, from = '203.0.113.9:53') => udp(`${from} > 192.0.2.1:${port}`)
const mappings = 'value: { port: port },\n  capacity: '
const small = ['pool(20_000, 60_000)', 'pool(20_000, 20_001)'] as const
/** With two buckets, one sweep sees the whole table. */
const tiny = [`${mappings}65_536`, `${mappings}8`] as const

/** A datagram whose checksum sums up to 0 after translation to the first port, which is written 0xFFFF. */
function zeroSum(): Frame {
  for (let word = 0; word < 0x10000; word++) {
    const payload = Uint8Array.of(word >> 8, word & 255)
    const { bytes } = udp('192.0.2.1:20000 > 203.0.113.9:53', { payload })
    if (bytes[40] === 0xff && bytes[41] === 0xff) return udp('10.0.0.1:5000 > 203.0.113.9:53', { payload })
  }
  throw new Error('no such payload')
}

export const scenarios: readonly Scenario[] = [
  {
    name: 'source-nat-both-ways',
    program,
    about: 'Packets leave with the public address and a port of the pool; answers find their way back.',
    steps: [
      [0, out('10.0.0.1:5000'), 'transmit', '20000'],
      [0.1, back(20_000), 'transmit'],
      [
        0.2,
        tcp('10.0.0.1:5000 > 203.0.113.9:80', 'S', { scale: 7 }),
        'transmit',
        '20001: TCP has a mapping of its own',
      ],
      [0.3, tcp('203.0.113.9:80 > 192.0.2.1:20001', 'SA', { ack: 1, scale: 7 }), 'transmit'],
      [0.4, out('10.0.0.2:5000'), 'transmit', '20002: another host'],
      [0.5, out('10.0.0.1:5000', '203.0.113.77:9999'), 'transmit', '20000 again, whoever the peer is'],
      [0.6, back(20_000, '203.0.113.77:9999'), 'transmit'],
      [0.7, back(20_000, '203.0.113.200:1'), 'transmit', 'from a peer that was never asked'],
      [0.8, out('10.255.255.255:65535'), 'transmit', '20003: the last address and port of the network'],
      [0.9, tagged(out('10.0.0.1:5000'), 5), 'transmit', 'tagged frames too'],
      [1, back(20_001), 'pass', 'UDP to a port that TCP has'],
      [1.1, back(19_999), 'pass', 'outside the pool'],
    ],
    counters: { unsolicited: 2 },
  },
  {
    name: 'source-nat-checksums',
    program,
    about:
      'A UDP checksum of 0 stays 0; one that comes out as 0 is written 0xFFFF; first fragments follow too.',
    steps: [
      [0, udp('10.0.0.1:5000 > 203.0.113.9:53', { checksum: 0 }), 'transmit'],
      [1, udp('203.0.113.9:53 > 192.0.2.1:20000', { checksum: 0 }), 'transmit'],
      [2, zeroSum(), 'transmit', 'becomes 0xFFFF'],
      [3, udp('10.0.0.1:5000 > 203.0.113.9:53', { payload: 3 }), 'transmit', 'an odd length'],
      [
        4,
        udp('10.0.0.1:5000 > 203.0.113.9:53', { payload: 24, more: true }),
        'transmit',
        'a first fragment has its ports',
      ],
      [
        5,
        tcp('10.0.0.1:5000 > 203.0.113.9:53', 'PA', { data: 3, options: [1, 1, 1, 0] }),
        'transmit',
        'IP options',
      ],
    ],
    counters: {},
  },
  {
    name: 'source-nat-not-ours',
    program,
    about: 'What cannot be translated, or is not for us, goes to the kernel.',
    steps: [
      [0, out('11.0.0.1:5000'), 'pass', 'not an inside address'],
      [1, udp('203.0.113.9:53 > 192.0.2.2:20000'), 'pass', 'not the public address'],
      [2, echo('10.0.0.1 > 203.0.113.9'), 'pass', 'ICMP'],
      [3, sctp('10.0.0.1:5 > 203.0.113.9:6'), 'pass', 'SCTP'],
      [4, raw('10.0.0.1 > 203.0.113.9', 17, 16, { fragment: 2 }), 'pass', 'a later fragment'],
      [5, udp('[2001:db8::1]:1 > [2001:db8::2]:2'), 'pass', 'IPv6'],
      [6, arp(), 'pass'],
      [7, back(20_000), 'pass', 'nothing was mapped'],
    ],
    counters: { unsolicited: 1 },
  },
  {
    name: 'source-nat-other-network',
    program,
    about: 'Network and address are parameters.',
    set: { network: '192.168.7.0', mask: '255.255.255.0', address: '198.51.100.77' },
    steps: [
      [0, out('192.168.7.9:1'), 'transmit'],
      [1, out('192.168.8.9:1'), 'pass'],
      [2, out('10.0.0.1:5000'), 'pass'],
      [3, udp('203.0.113.9:53 > 198.51.100.77:20000'), 'transmit'],
    ],
    counters: {},
  },
  {
    name: 'source-nat-expiry',
    program,
    about: 'A mapping outlives five minutes of silence by no millisecond, and answers do not prolong it.',
    edits: [small],
    steps: [
      [0, out('10.0.0.1:1'), 'transmit', '20000'],
      [299.999, out('10.0.0.1:1'), 'transmit', 'prolonged'],
      [599.998, back(20_000), 'transmit', 'still there'],
      [599.999, back(20_000), 'pass', 'gone'],
      [600, out('10.0.0.1:1'), 'transmit', 'the other port: 20000 stands last in the queue'],
      [601, back(20_000), 'pass'],
      [602, back(20_001), 'transmit'],
    ],
    counters: { unsolicited: 2 },
  },
  {
    name: 'source-nat-exhausted',
    program,
    about:
      'Without a free port a new flow is dropped; ports that expire are handed out again in the order they came.',
    edits: [small, tiny],
    steps: [
      [0, out('10.0.0.1:1'), 'transmit', '20000'],
      [1, out('10.0.0.2:1'), 'transmit', '20001'],
      [2, out('10.0.0.3:1'), 'drop', 'none is free'],
      [3, out('10.0.0.1:1'), 'transmit', 'mapped flows go on'],
      [301, out('10.0.0.3:1'), 'transmit', '20001 has expired'],
      [302, back(20_001), 'transmit', 'to the third host'],
      [302.5, out('10.0.0.2:1'), 'drop', '20000 has not'],
      [303, out('10.0.0.2:1'), 'transmit', '20000 has now'],
      [304, out('10.0.0.1:1'), 'drop'],
    ],
    counters: { exhausted: 3 },
  },
  {
    name: 'source-nat-table-full',
    program,
    about: 'Where a table has no room for a mapping, the port goes back to the pool.',
    edits: [[`${mappings}65_536`, `${mappings}1`]],
    steps: [
      [0, out('10.0.0.1:1'), 'transmit', '20000'],
      [1, out('10.0.0.2:1'), 'drop', 'no room'],
      [2, out('10.0.0.1:1'), 'transmit'],
    ],
    counters: { full: 1 },
  },
  {
    name: 'source-nat-owners-full',
    program,
    about: 'Where the way back has no room, the mapping goes too, and its port with it.',
    edits: [
      [
        'value: { address: ipv4, port: port },\n  capacity: 65_536',
        'value: { address: ipv4, port: port },\n  capacity: 1',
      ],
    ],
    steps: [
      [0, out('10.0.0.1:1'), 'transmit', '20000'],
      [1, out('10.0.0.2:1'), 'drop', 'no room'],
      [2, out('10.0.0.1:1'), 'transmit'],
      [3, back(20_000), 'transmit'],
    ],
    counters: { full: 1 },
  },
]
