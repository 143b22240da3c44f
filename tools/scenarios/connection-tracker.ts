/** Connections from SYN to TIME_WAIT, and what should not be taken for one: numbers, windows, resets, timeouts. */

import { arp, changed, dialogue, raw, tagged, tcp, udp } from './frames.js'
import type { Scenario, Step } from './scenario.js'

const program = 'connection-tracker'
const client = '198.51.100.1:40000'
const server = '192.0.2.1:443'

/** The three segments that open a connection, from `at` on, a tenth of a second apart. */
function handshake(
  { client: c, server: s }: ReturnType<typeof dialogue>,
  at = 0,
  scales?: [number, number],
): Step[] {
  const scale = (n: 0 | 1) => (scales ? { scale: scales[n] } : {})
  return [
    [at, c('S', scale(0)), 'transmit', 'SYN_SENT'],
    [at + 0.1, s('SA', scale(1)), 'transmit', 'SYN_RECEIVED'],
    [at + 0.2, c('A'), 'transmit', 'ESTABLISHED'],
  ]
}

function life(): Scenario {
  const { client: c, server: s } = dialogue(client, server)
  return {
    name: 'connection-tracker-life',
    program,
    about: 'Handshake, data both ways, close by both sides, and the same ports again.',
    steps: [
      ...handshake({ client: c, server: s }),
      [1, c('PA', { data: 100 }), 'transmit'],
      [1.1, s('PA', { data: 1400 }), 'transmit'],
      [1.2, c('A'), 'transmit'],
      [2, c('FA'), 'transmit', 'FIN_WAIT'],
      [2.1, s('A'), 'transmit', 'CLOSE_WAIT'],
      [2.2, s('PA', { data: 50 }), 'transmit', 'the other half is still open'],
      [2.3, c('A'), 'transmit'],
      [2.4, s('FA'), 'transmit', 'LAST_ACK'],
      [2.5, c('A'), 'transmit', 'TIME_WAIT'],
      [3, s('FA', { seqBy: -1 }), 'transmit', 'a FIN said again in TIME_WAIT'],
      [4, tcp(`${client} > ${server}`, 'S', { seq: 77 }), 'transmit', 'the ports are used again'],
      [4.1, tcp(`${server} > ${client}`, 'SA', { seq: 99, ack: 78 }), 'transmit'],
    ],
    counters: { opened: 2, established: 1, closed: 1 },
  }
}

function retransmission(): Scenario {
  const { client: c, server: s } = dialogue(client, server)
  return {
    name: 'connection-tracker-retransmission',
    program,
    about: 'Every segment said twice, some out of order: all belong to the connection.',
    steps: [
      [0, c('S', { still: true }), 'transmit'],
      [1, c('S'), 'transmit', 'again'],
      [1.1, s('SA', { still: true }), 'transmit'],
      [2.1, s('SA'), 'transmit', 'again'],
      [2.2, c('A'), 'transmit'],
      [2.3, s('SA', { seqBy: -1 }), 'transmit', 'again, its ACK was lost; no change in ESTABLISHED'],
      [2.4, c('A', { data: 100, seqBy: 100, still: true }), 'transmit', 'the second segment comes first'],
      [2.5, c('A', { data: 100 }), 'transmit'],
      [2.6, c('A', { data: 100 }), 'transmit', 'again'],
      [2.7, s('A'), 'transmit'],
      [2.8, s('A'), 'transmit', 'a duplicate acknowledgement'],
      [3, s('FA', { still: true }), 'transmit', 'FIN_WAIT'],
      [3.1, s('FA'), 'transmit', 'again: nf_conntrack takes it for the other FIN'],
      [3.2, c('A'), 'transmit', 'so this looks like the last acknowledgement'],
      [3.3, c('FA'), 'transmit'],
      [3.4, s('A'), 'transmit'],
    ],
    counters: { opened: 1, established: 1, closed: 1 },
  }
}

function resets(): Scenario {
  const one = dialogue(client, server)
  const two = dialogue('198.51.100.2:40000', server)
  const three = dialogue('198.51.100.3:40000', server)
  return {
    name: 'connection-tracker-reset',
    program,
    about: 'A reset closes only from within the window; a closed connection is forgotten after ten seconds.',
    steps: [
      ...handshake(one),
      [1, one.server('RA', { seqBy: 100_000, still: true }), 'drop', 'beyond the window'],
      [1.1, one.server('R', { seqBy: -100_000, still: true }), 'drop', 'long past'],
      [1.2, one.client('A', { data: 10 }), 'transmit', 'unharmed'],
      [1.3, one.server('RA', { still: true }), 'transmit', 'CLOSED'],
      [1.4, one.client('A'), 'transmit', 'still known'],
      [11.399, one.client('A'), 'transmit', 'silence below ten seconds: refreshed'],
      [21.4, one.server('RA', { still: true }), 'drop', 'forgotten'],
      [30, two.client('S'), 'transmit', 'to a closed port'],
      [30.1, tcp('192.0.2.1:443 > 198.51.100.2:40000', 'RA', { seq: 0, ack: 1001 }), 'transmit', 'refused'],
      [31, three.client('S'), 'transmit'],
      [31.1, tcp('192.0.2.1:443 > 198.51.100.3:40000', 'RA', { seq: 0, ack: 70_000 }), 'drop', 'not its SYN'],
      [31.2, three.server('SA'), 'transmit'],
    ],
    counters: { opened: 3, established: 1, closed: 2, outOfWindow: 3, stateless: 1 },
  }
}

function wrap(): Scenario {
  const d = dialogue(client, server, { client: 0xffff_ff80, server: 0xffff_ffff })
  return {
    name: 'connection-tracker-sequence-wrap',
    program,
    about: 'Sequence numbers start over at 2^32 in both directions.',
    steps: [
      ...handshake(d),
      [1, d.client('A', { data: 126 }), 'transmit', 'up to 0xFFFFFFFF'],
      [1.1, d.server('A', { data: 1000 }), 'transmit', 'from 0 on'],
      [1.2, d.client('A', { data: 300 }), 'transmit', 'across'],
      [1.3, d.server('A'), 'transmit'],
      [
        1.4,
        d.client('A', { data: 10, seqBy: -700, still: true }),
        'transmit',
        'old data again, from before the wrap',
      ],
      [1.5, d.client('A', { data: 10, seqBy: 70_000, still: true }), 'drop', 'beyond the window'],
      [2, d.client('FA'), 'transmit'],
      [2.1, d.server('FA'), 'transmit'],
      [2.2, d.client('A'), 'transmit'],
    ],
    counters: { opened: 1, established: 1, closed: 1, outOfWindow: 1 },
  }
}

function windows(): Scenario {
  const plain = dialogue(client, server)
  const half = dialogue('198.51.100.2:40000', server)
  return {
    name: 'connection-tracker-window',
    program,
    about: 'Without window scaling on both sides the window is what the header says.',
    steps: [
      ...handshake(plain),
      [
        1,
        plain.client('A', { data: 1, seqBy: 64_239, still: true }),
        'transmit',
        'the last byte of the window',
      ],
      [1.1, plain.client('A', { data: 1, seqBy: 64_241, still: true }), 'drop', 'begins beyond it'],
      [1.2, plain.server('A', { ackBy: 65_700, still: true }), 'drop', 'acknowledges what was never sent'],
      [1.3, plain.server('A', { window: 0, still: true }), 'transmit', 'the server closes its window'],
      [1.4, plain.client('A', { data: 1 }), 'transmit', 'a probe: what was once allowed stays allowed'],
      [1.5, plain.client('A', { data: 100, seqBy: -200_000, still: true }), 'drop', 'long past'],
      [1.6, plain.server('A', { ackBy: -100_000, still: true }), 'drop', 'acknowledges the distant past'],
      ...handshake(half, 2).map((step, i): Step => {
        const first = tcp('198.51.100.2:40000 > 192.0.2.1:443', 'S', { seq: 1000, scale: 7 })
        return i === 0 ? [2, first, 'transmit', 'offers scaling, the server does not'] : step
      }),
      [3, half.client('A', { data: 1, seqBy: 64_241, still: true }), 'drop', 'so windows are not scaled'],
    ],
    counters: { opened: 2, established: 2, outOfWindow: 5 },
  }
}

function scaling(): Scenario {
  const d = dialogue(client, server)
  const e = dialogue('198.51.100.2:40000', server)
  return {
    name: 'connection-tracker-window-scaling',
    program,
    about:
      'Windows are scaled if both SYNs offer it (RFC 7323), by at most 14; the SYNs themselves never are.',
    steps: [
      ...handshake(d, 0, [7, 2]),
      [1, d.server('A', { window: 1000 }), 'transmit', 'its 64,240 were unscaled until now; now 4,000'],
      [
        1.1,
        d.client('A', { data: 1000, seqBy: 64_000, still: true }),
        'transmit',
        'the SYN/ACK allowed 64,240',
      ],
      [1.2, d.server('A', { data: 1000, seqBy: 8_000_000, still: true }), 'transmit', 'within 64,240 << 7'],
      [1.3, d.server('A', { data: 1000, seqBy: 9_500_000, still: true }), 'drop', 'beyond it'],
      ...handshake(e, 2, [200, 0]),
      [
        3,
        e.server('A', { data: 1, seqBy: 0x3eb0_0000, still: true }),
        'transmit',
        '200 means 14: 64,240 << 14',
      ],
      [3.1, e.server('A', { data: 1, seqBy: 0x3ebd_0000, still: true }), 'drop'],
      [3.2, e.client('A', { data: 1, seqBy: 64_240, still: true }), 'transmit', 'scale 0 is scaling by 1'],
      [3.3, e.client('A', { data: 1, seqBy: 64_242, still: true }), 'drop'],
    ],
    counters: { opened: 2, established: 2, outOfWindow: 3 },
  }
}

function timeouts(): Scenario {
  const at = (n: number) => dialogue(`198.51.100.${n}:40000`, server)
  const [a, b, c, d, e] = [at(1), at(2), at(3), at(4), at(5)]
  return {
    name: 'connection-tracker-timeouts',
    program,
    about:
      'Each state has its own patience: a millisecond below it the connection lives, at it the connection is gone.',
    set: { establishedTimeout: 300, synSentTimeout: 20, synReceivedTimeout: 10, loose: 'false' },
    steps: [
      [0, a.client('S'), 'transmit'],
      [19.999, a.server('SA'), 'transmit', 'just in time for SYN_SENT'],
      [29.998, a.client('A'), 'transmit', 'just in time for SYN_RECEIVED'],
      [329.997, a.server('A'), 'transmit', 'just in time for ESTABLISHED'],
      [629.997, a.client('A'), 'drop', 'too late'],
      [700, b.client('S'), 'transmit'],
      [720, b.server('SA'), 'drop', 'too late for SYN_SENT'],
      [800, c.client('S'), 'transmit'],
      [800.1, c.server('SA'), 'transmit'],
      [810.1, c.client('A'), 'drop', 'too late for SYN_RECEIVED'],
      ...handshake(d, 900),
      [901, d.client('FA'), 'transmit', 'FIN_WAIT: 120 s'],
      [1020.999, d.server('A'), 'transmit', 'CLOSE_WAIT: 60 s'],
      [1080.998, d.server('FA'), 'transmit', 'LAST_ACK: 30 s'],
      [1110.998, d.client('A'), 'drop', 'too late for LAST_ACK'],
      ...handshake(e, 1200),
      [1201, e.client('FA'), 'transmit'],
      [1201.1, e.server('FA'), 'transmit'],
      [1201.2, e.client('A'), 'transmit', 'TIME_WAIT: 120 s'],
      [1321.199, e.server('FA', { seqBy: -1 }), 'transmit', 'just in time, and prolongs it'],
      [1441.199, e.server('FA', { seqBy: -1 }), 'drop', 'gone'],
    ],
    counters: { opened: 5, established: 3, closed: 1, stateless: 5 },
  }
}

function midstream(): Scenario[] {
  const steps = (verdict: 'transmit' | 'drop'): Step[] => {
    const d = dialogue(client, server)
    return [
      [0, d.client('PA', { data: 10 }), verdict],
      [0.1, d.server('A', { seqBy: 5_000_000, still: true }), verdict, 'any window will do'],
      [0.2, d.client('A', { data: 10, seqBy: 9_000_000, still: true }), verdict],
      [1, d.client('FA'), verdict],
      [1.1, d.server('FA'), verdict],
      [1.2, d.client('A'), verdict],
    ]
  }
  return [
    {
      name: 'connection-tracker-loose',
      program,
      about: 'A connection met in mid-stream is taken up without window checks; only an ACK begins one.',
      steps: [
        [0, tcp(`${server} > ${client}`, 'SA'), 'drop', 'no SYN was seen'],
        [0, tcp(`${server} > ${client}`, 'FA'), 'drop', 'nothing to close'],
        [0, tcp(`${server} > ${client}`, 'RA'), 'drop', 'nothing to reset'],
        ...steps('transmit').map(([at, ...rest]): Step => [at + 1, ...rest]),
      ],
      counters: { opened: 1, established: 1, closed: 1, stateless: 3 },
    },
    {
      name: 'connection-tracker-strict',
      program,
      about: 'Without `loose` nothing but a SYN begins a connection.',
      set: { loose: 'false' },
      steps: steps('drop'),
      counters: { stateless: 6 },
    },
  ]
}

function others(): Scenario[] {
  const path = `${client} > ${server}`
  const segment = tcp(path, 'A', { data: 10 })
  const one = dialogue(client, server)
  const two = dialogue('192.0.2.1:443', '198.51.100.1:443')
  const three = dialogue('192.0.2.7:443', '192.0.2.7:40000')
  const beyond = dialogue('198.51.100.9:40000', server)
  const open = dialogue(client, server, { client: 100, server: 900 })
  const first = dialogue('198.51.100.1:1', server)
  const second = dialogue('198.51.100.2:1', server)
  const third = dialogue('198.51.100.3:1', server)
  return [
    {
      name: 'connection-tracker-malformed',
      program,
      about:
        'Flags and lengths that make no sense are dropped before they touch anything; what is not TCP passes by.',
      steps: [
        [0, tcp(path, 'SF'), 'drop', 'SYN and FIN'],
        [1, tcp(path, 'SR'), 'drop', 'SYN and RST'],
        [2, tcp(path, ''), 'drop', 'no flags: a null scan'],
        [3, tcp(path, 'FPU'), 'drop', 'FIN without ACK: a Christmas tree'],
        [4, tcp(path, 'A', { totalLength: 39 }), 'drop', 'shorter than its headers'],
        [5, changed(segment, 46, [0x40], 'data offset 4'), 'transmit', 'no TCP header: untracked'],
        [
          6,
          raw('198.51.100.1 > 192.0.2.1', 6, 40, { fragment: 3 }),
          'transmit',
          'a later fragment: untracked',
        ],
        [7, udp(path), 'transmit'],
        [8, tcp('[2001:db8::1]:1 > [2001:db8::2]:2', 'SF'), 'transmit', 'IPv6 is left out'],
        [9, arp(), 'transmit'],
        [
          10,
          changed(tcp(path, 'S', { scale: 7 }), 54, [2, 0, 3, 3], 'an option of length 0'),
          'transmit',
          'no scale, then',
        ],
      ],
      counters: { malformed: 5, opened: 1 },
    },
    {
      name: 'connection-tracker-directions',
      program,
      about:
        'Whoever opens, from the lower or the higher address or port: both directions meet in one entry.',
      steps: [
        ...handshake(one),
        ...handshake(two, 1),
        ...handshake(three, 2),
        [3, one.server('A', { data: 5 }), 'transmit'],
        [3, two.server('A', { data: 5 }), 'transmit'],
        [3, three.server('A', { data: 5 }), 'transmit'],
        [4, tagged(two.client('FA'), 12), 'transmit', 'with a tag on the way'],
        [
          5,
          tcp('192.0.2.7:443 > 192.0.2.7:40000', 'SA', { seq: 1000 }),
          'drop',
          'the opener does not answer itself',
        ],
      ],
      counters: { opened: 3, established: 3, stateless: 1 },
    },
    {
      name: 'connection-tracker-simultaneous',
      program,
      about: 'Both ends send a SYN (RFC 9293 section 3.5, figure 7).',
      steps: [
        [0, open.client('S'), 'transmit', 'SYN_SENT'],
        [0.1, open.server('S'), 'transmit', 'SYN_SENT2'],
        [0.2, open.client('A', { still: true }), 'drop', 'no data yet'],
        [0.3, open.client('SA', { seqBy: -1, still: true }), 'transmit', 'SYN_RECEIVED'],
        [0.4, open.server('SA', { seqBy: -1, still: true }), 'transmit'],
        [0.5, open.client('A'), 'transmit', 'ESTABLISHED'],
        [0.6, open.server('A', { data: 3 }), 'transmit'],
      ],
      counters: { opened: 1, established: 1, stateless: 1 },
    },
    {
      name: 'connection-tracker-stray-syn',
      program,
      about:
        'A SYN in the middle of a connection: the opener is let through to be challenged, the other end is not.',
      steps: [
        ...handshake(beyond),
        [1, beyond.client('S', { still: true }), 'transmit', 'within the window: the peer will challenge it'],
        [1.1, beyond.client('S', { seqBy: 500_000, still: true }), 'drop', 'beyond it'],
        [1.2, beyond.server('S', { still: true }), 'drop'],
        [1.3, beyond.server('A', { data: 9 }), 'transmit', 'unharmed'],
      ],
      counters: { opened: 1, established: 1, outOfWindow: 1, stateless: 1 },
    },
    {
      name: 'connection-tracker-new-number',
      program,
      about: 'A SYN said again with another sequence number begins anew, as after a crash of the client.',
      steps: [
        [0, tcp(path, 'S', { seq: 1000 }), 'transmit'],
        [1, tcp(path, 'S', { seq: 900_000_000 }), 'transmit', 'another number'],
        [1.1, tcp(`${server} > ${client}`, 'SA', { seq: 5, ack: 1001 }), 'drop', 'an answer to the first'],
        [1.2, tcp(`${server} > ${client}`, 'SA', { seq: 5, ack: 900_000_001 }), 'transmit', 'to the second'],
      ],
      counters: { opened: 2, outOfWindow: 1 },
    },
    {
      name: 'connection-tracker-liberal',
      program,
      about: 'With `liberal` only resets must fit the window.',
      set: { liberal: 'true' },
      steps: [
        ...handshake(dialogue(client, server)),
        [1, tcp(path, 'A', { seq: 9_000_000, ack: 5001, data: 10 }), 'transmit'],
        [1.1, tcp(path, 'R', { seq: 99_000_000 }), 'drop'],
      ],
      counters: { opened: 1, established: 1, outOfWindow: 1 },
    },
    {
      name: 'connection-tracker-table-full',
      program,
      about: 'A full table gives up the connection that has been silent longest.',
      set: { loose: 'false' },
      edits: [['capacity: 65_536', 'capacity: 2']],
      steps: [
        ...handshake(first),
        ...handshake(second, 1),
        [2, first.client('A'), 'transmit', 'refreshes its entry'],
        ...handshake(third, 3),
        [4, second.client('A'), 'drop', 'it went'],
        [5, first.client('A'), 'transmit'],
        [6, third.client('A'), 'transmit'],
      ],
      counters: { opened: 3, established: 3, stateless: 1 },
    },
  ]
}

export const scenarios: readonly Scenario[] = [
  life(),
  retransmission(),
  resets(),
  wrap(),
  windows(),
  scaling(),
  timeouts(),
  ...midstream(),
  ...others(),
]
