/** Proper queries and others, the rate of a source from both sides, and whom a full table forgets. */

import { cut, tagged, tcp, udp } from './frames.js'
import type { Frame, UdpFields } from './frames.js'
import type { Scenario } from './scenario.js'

const program = 'dns-flood'

/** A header with these flags and this many questions, and `more` bytes behind it. */
function message(source: string, flags = 0x0100, questions = 1, more = 17, fields: UdpFields = {}): Frame {
  const payload = new Uint8Array(12 + more)
  payload.set([0xab, 0xcd, flags >> 8, flags & 255, questions >> 8, questions & 255])
  const { bytes } = udp(`${source}:4000 > 192.0.2.1:53`, { payload, ...fields })
  return {
    bytes,
    text: `DNS from ${source}, flags ${flags.toString(16).padStart(4, '0')}, ${questions} questions`,
  }
}

const query = (source: string): Frame => message(source)

export const scenarios: readonly Scenario[] = [
  {
    name: 'dns-flood-rate',
    program,
    about: 'A source may ask so many questions in each second, counted from its first in it.',
    set: { limit: 2 },
    steps: [
      [0, query('198.51.100.1'), 'pass', '1'],
      [0.1, query('198.51.100.1'), 'pass', '2: the limit'],
      [0.2, query('198.51.100.1'), 'drop', '3: above it'],
      [0.3, query('198.51.100.2'), 'pass', '1 of another'],
      [0.999999, query('198.51.100.1'), 'drop', 'its second is not over'],
      [1, query('198.51.100.1'), 'pass', 'it is now'],
      [1.5, query('198.51.100.1'), 'pass'],
      [1.6, query('198.51.100.1'), 'drop'],
      [1.7, query('198.51.100.2'), 'pass', 'its window began at 0.3'],
      [3, query('198.51.100.1'), 'pass', 'a window begins with its first question'],
    ],
    counters: { exceeding: 3 },
  },
  {
    name: 'dns-flood-malformed',
    program,
    about: 'What is no query of one question is dropped and counts towards no rate.',
    set: { limit: 2 },
    steps: [
      [0, message('198.51.100.1', 0x8180), 'drop', 'an answer'],
      [0.1, message('198.51.100.1', 0x2800), 'drop', 'an update'],
      [0.2, message('198.51.100.1', 0x0100, 0), 'drop', 'no question'],
      [0.3, message('198.51.100.1', 0x0100, 2), 'drop', 'two'],
      [0.4, message('198.51.100.1', 0x0100, 257), 'drop', '257: not 1 in the low byte alone'],
      [0.5, message('198.51.100.1', 0x0100, 1, 0), 'drop', 'a header and nothing else'],
      [0.6, udp('198.51.100.1:4000 > 192.0.2.1:53', { payload: 3 }), 'drop', 'three bytes'],
      [0.7, message('198.51.100.1', 0x0700, 1, 1), 'pass', 'flags of a question, one byte of it'],
      [0.8, tagged(query('198.51.100.1'), 7), 'pass', 'a tag does not hide it'],
      [0.9, query('198.51.100.1'), 'drop', 'the third'],
    ],
    counters: { malformed: 7, exceeding: 1 },
  },
  {
    name: 'dns-flood-not-ours',
    program,
    about: 'Everything but whole UDP datagrams over IPv4 to the service passes by.',
    set: { limit: 0 },
    steps: [
      [0, query('198.51.100.1'), 'drop', 'nobody may ask'],
      [1, udp('198.51.100.1:53 > 192.0.2.1:4000'), 'pass', 'from the port, not to it'],
      [2, tcp('198.51.100.1:4000 > 192.0.2.1:53', 'S'), 'pass', 'TCP'],
      [3, udp('[2001:db8::1]:4000 > [2001:db8::2]:53'), 'pass', 'IPv6'],
      [4, message('198.51.100.1', 0x0100, 1, 17, { more: true }), 'pass', 'a fragment'],
      [5, cut(query('198.51.100.1'), 41), 'pass', 'no whole UDP header'],
    ],
    counters: { exceeding: 1 },
  },
  {
    name: 'dns-flood-table-full',
    program,
    about: 'A full table forgets the source that has asked least recently.',
    set: { limit: 1 },
    edits: [['capacity: 65_536', 'capacity: 2']],
    steps: [
      [0, query('198.51.100.1'), 'pass'],
      [0.1, query('198.51.100.2'), 'pass'],
      [0.2, query('198.51.100.3'), 'pass', 'the first is forgotten'],
      [0.3, query('198.51.100.3'), 'drop'],
      [0.4, query('198.51.100.2'), 'drop', 'still known'],
      [0.5, query('198.51.100.1'), 'pass', 'again, at the expense of the third'],
    ],
    counters: { exceeding: 2 },
  },
]
