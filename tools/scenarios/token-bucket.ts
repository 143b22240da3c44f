/** Bursts and refills to the microsecond, clocks that start over, and flows that are forgotten. */

import { arp, echo, tcp, udp } from './frames.js'
import type { Frame } from './frames.js'
import type { Scenario } from './scenario.js'

const of = (port: number): Frame => udp(`198.51.100.1:${port} > 192.0.2.1:53`)
const a = of(1)
const b = of(2)
const c = of(3)
/** When a 32-bit clock of microseconds starts over. */
const wrap = 2 ** 32 / 1e6

export const scenarios: readonly Scenario[] = [
  {
    name: 'token-bucket-burst',
    program: 'token-bucket',
    about: 'A burst empties the bucket; it refills at the rate and never beyond the burst.',
    set: { rate: 10, burst: 3 },
    steps: [
      [0, a, 'transmit', 'full: 3'],
      [0, a, 'transmit', '2'],
      [0, b, 'transmit', 'another flow has its own bucket'],
      [0, a, 'transmit', '1'],
      [0, a, 'drop', 'empty'],
      [0.099999, a, 'drop', 'a microsecond too early'],
      [0.1, a, 'transmit', 'one token'],
      [0.1, a, 'drop'],
      [0.35, a, 'transmit', 'two and a half'],
      [0.35, a, 'transmit'],
      [0.35, a, 'drop', 'half a token is none'],
      [0.4, a, 'transmit', 'the other half'],
      [60, a, 'transmit', 'a minute fills it: 3, not 596'],
      [60, a, 'transmit'],
      [60, a, 'transmit'],
      [60, a, 'drop'],
    ],
    counters: { policed: 5 },
  },
  {
    name: 'token-bucket-exact',
    program: 'token-bucket',
    about: 'A rate that does not divide a second is kept exactly, also while packets are dropped.',
    set: { rate: 3, burst: 2 },
    steps: [
      [0, a, 'transmit'],
      [0, a, 'transmit'],
      [0.111111, a, 'drop'],
      [0.222222, a, 'drop'],
      [0.333333, a, 'drop', '999,999 millionths'],
      [0.333334, a, 'transmit', '1,000,002: two remain'],
      [0.666666, a, 'drop', '2 + 999,996'],
      [0.666667, a, 'transmit', '1,000,001'],
      [0.999999, a, 'drop', '1 + 999,996'],
      [1, a, 'transmit', '1,000,000: three a second, neither more nor fewer'],
    ],
    counters: { policed: 5 },
  },
  {
    name: 'token-bucket-clock-wrap',
    program: 'token-bucket',
    about:
      'The 32-bit clock starts over after 71 minutes; differences across it are right, longer pauses are cut.',
    set: { rate: 1, burst: 2 },
    steps: [
      [0, b, 'transmit'],
      [wrap - 0.5, a, 'transmit', '2, half a second before the clock starts over'],
      [wrap - 0.5, a, 'transmit', '1'],
      [wrap + 0.4, a, 'drop', '0.9 s later'],
      [wrap + 0.5, a, 'transmit', '1 s later'],
      [2 * wrap + 0.75, a, 'drop', 'the pause counts as 0.25 s'],
      [2 * wrap + 1.5, a, 'transmit'],
    ],
    counters: { policed: 2 },
  },
  {
    name: 'token-bucket-extremes',
    program: 'token-bucket',
    about: 'Rate 0: a burst and then nothing. Times that step back count as no time.',
    set: { rate: 0, burst: 2 },
    steps: [
      [0, a, 'transmit'],
      [10, a, 'transmit'],
      [9, a, 'drop', 'older than the one before'],
      [4000, a, 'drop'],
      [4000, arp(), 'transmit', 'not policed'],
      [4000, tcp('[2001:db8::1]:1 > [2001:db8::2]:2', 'A'), 'transmit', 'not policed'],
      [4000, echo('198.51.100.1 > 192.0.2.1'), 'transmit', 'a flow without ports'],
    ],
    counters: { policed: 2 },
  },
  {
    name: 'token-bucket-no-burst',
    program: 'token-bucket',
    about: 'A bucket without room for a token lets nothing through.',
    set: { rate: 1000, burst: 0 },
    steps: [
      [0, a, 'drop'],
      [1, a, 'drop'],
    ],
    counters: { policed: 2 },
  },
  {
    name: 'token-bucket-eviction',
    program: 'token-bucket',
    about: 'A full table gives up the flow that has been silent longest; it comes back with a full bucket.',
    set: { rate: 0, burst: 1 },
    edits: [['capacity: 65_536', 'capacity: 2']],
    steps: [
      [0, a, 'transmit'],
      [1, b, 'transmit'],
      [2, a, 'drop', 'refreshes its entry'],
      [3, c, 'transmit', 'takes the place of the second flow'],
      [4, a, 'drop', 'still known'],
      [5, b, 'transmit', 'forgotten, so full again; the third flow goes'],
      [6, c, 'transmit', 'forgotten too; now the first goes'],
      [7, a, 'transmit'],
    ],
    counters: { policed: 2 },
  },
]
