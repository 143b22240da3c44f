/** Answers and what they hold, requests that are none, and which value a full cache gives up. */

import { cut, tagged, tcp, udp } from './frames.js'
import type { Frame, UdpFields } from './frames.js'
import type { Scenario } from './scenario.js'

const program = 'key-value-cache'
const GET = 1
const SET = 2
const DELETE = 3

function request(kind: number, key: string, value = '', fields: UdpFields = {}, path?: string): Frame {
  const payload = new Uint8Array(52)
  payload.set([kind, 0, 0xab, 0xcd])
  payload.set(Buffer.from(key), 4)
  payload.set(Buffer.from(value), 20)
  const { bytes } = udp(path ?? '198.51.100.1:4000 > 192.0.2.1:11311', { payload, ...fields })
  return { bytes, text: `${['', 'GET', 'SET', 'DELETE'][kind] ?? kind} ${key}${value && ` = ${value}`}` }
}

const get = (key: string): Frame => request(GET, key)
const set = (key: string, value: string): Frame => request(SET, key, value)

export const scenarios: readonly Scenario[] = [
  {
    name: 'key-value-cache-answers',
    program,
    about: 'Reads of what was written are answered here, all else goes to the server.',
    steps: [
      [0, get('alpha'), 'pass', 'not known'],
      [1, set('alpha', 'first'), 'pass', 'remembered on its way'],
      [2, get('alpha'), 'transmit', 'first'],
      [3, request(GET, 'alpha', '', {}, '198.51.100.250:65535 > 192.0.2.1:11311'), 'transmit', 'for anybody'],
      [4, get('alph'), 'pass', 'another key'],
      [5, set('alpha', 'second'), 'pass'],
      [6, get('alpha'), 'transmit', 'second'],
      [7, request(DELETE, 'alpha'), 'pass'],
      [8, get('alpha'), 'pass', 'not known any more'],
      [9, request(DELETE, 'alpha'), 'pass', 'nothing to delete'],
      [10, tagged(set('beta', 'tagged'), 9), 'pass'],
      [11, tagged(get('beta'), 9, 10), 'transmit', 'answered with its tags'],
    ],
    counters: { hits: 4, misses: 3, writes: 3, deletions: 1 },
  },
  {
    name: 'key-value-cache-not-ours',
    program,
    about: 'What is no whole request of the service passes by.',
    steps: [
      [0, set('alpha', 'value'), 'pass'],
      [1, request(GET, 'alpha', '', {}, '198.51.100.1:4000 > 192.0.2.1:11312'), 'pass', 'another port'],
      [2, request(9, 'alpha'), 'pass', 'an unknown kind'],
      [3, request(129, 'alpha'), 'pass', 'a reply'],
      [4, udp('198.51.100.1:4000 > 192.0.2.1:11311', { payload: 51 }), 'pass', 'a byte short'],
      [5, cut(get('alpha'), 93), 'pass', 'a byte cut off'],
      [6, request(GET, 'alpha', '', { length: 59 }), 'pass', 'UDP length a byte short'],
      [7, request(GET, 'alpha', '', { totalLength: 79 }), 'pass', 'IP length a byte short'],
      [8, request(GET, 'alpha', '', { more: true }), 'pass', 'a fragment'],
      [9, tcp('198.51.100.1:4000 > 192.0.2.1:11311', 'A', { data: 52 }), 'pass', 'TCP'],
      [10, udp('[2001:db8::1]:4000 > [2001:db8::2]:11311', { payload: 52 }), 'pass', 'IPv6'],
      [11, request(GET, 'alpha', '', { length: 0 }), 'transmit', 'UDP length 0 means the rest of the packet'],
      [12, request(GET, 'alpha', '', { checksum: 0, ttl: 1 }), 'transmit', 'no checksum, last hop'],
    ],
    counters: { hits: 2, writes: 1 },
  },
  {
    name: 'key-value-cache-eviction',
    program,
    about: 'A full table gives up what was written longest ago; reads do not keep a value.',
    set: { service: 53 },
    edits: [['capacity: 65_536', 'capacity: 2']],
    steps: [
      ...['a', 'b'].map((key, i) => [i, at53(SET, key, `value of ${key}`), 'pass'] as const),
      [2, at53(GET, 'a'), 'transmit', 'read, yet older than b'],
      [3, at53(SET, 'c', 'value of c'), 'pass', 'takes the place of a'],
      [4, at53(GET, 'a'), 'pass'],
      [5, at53(GET, 'b'), 'transmit'],
      [6, at53(SET, 'b', 'again'), 'pass', 'written again: c is older now'],
      [7, at53(SET, 'd', 'value of d'), 'pass'],
      [8, at53(GET, 'c'), 'pass'],
      [9, at53(GET, 'b'), 'transmit'],
      [10, at53(GET, 'd'), 'transmit'],
    ],
    counters: { hits: 4, misses: 2, writes: 5 },
  },
]

function at53(kind: number, key: string, value = ''): Frame {
  return request(kind, key, value, {}, '198.51.100.1:4000 > 192.0.2.1:53')
}
