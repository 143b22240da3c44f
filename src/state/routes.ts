// What the kernel's forwarding tables answer to a packet's destination: the outcomes, and the fields of a next hop.
//
// In the kernel a program asks its tables themselves (bpf_fib_lookup); in user space a rule table with these fields
// stands in for them, filled from a file. Normative text: docs/state.md, 6.5.

import type { FieldDecl } from './declaration.js'

/** Outcomes by name, with the kernel's own numbers (include/uapi/linux/bpf.h, BPF_FIB_LKUP_RET_*). */
export const routeOutcomes = {
  /** There is a next hop: `device`, `source` and `nextHop` say which. */
  Found: 0,
  /** The route is a black hole: drop without a word. */
  Blackhole: 1,
  /** The route says that the destination cannot be reached: ICMP to the sender. */
  Unreachable: 2,
  /** The route says that it is forbidden: ICMP to the sender. */
  Prohibited: 3,
  /** No route, or one that does not forward: to the machine itself, to a multicast group. */
  NotForwarded: 4,
  /** Forwarding is off on the ingress device. */
  ForwardingDisabled: 5,
  /** The route leads into a tunnel that only the kernel can make. */
  Tunnelled: 6,
  /** Nobody has asked for the next hop's hardware address yet: the kernel does, once it gets such a packet. */
  NoNeighbour: 7,
  /** The packet is longer than the route's MTU, `mtu`. */
  TooLong: 8,
  /** The kernel finds no source address for the route. */
  NoSource: 9,
  /** The kernel cannot answer: IPv6 is off, or the device is gone. */
  Failed: 255,
} as const

export type RouteName = keyof typeof routeOutcomes

/** Names as files spell them: `found`, `no-neighbour`. */
const spelling = (name: string): string => name.replaceAll(/(?<=.)[A-Z]/g, c => `-${c}`).toLowerCase()

const spellings: ReadonlyMap<string, number> = new Map(
  Object.entries(routeOutcomes).map(([name, n]) => [spelling(name), n]),
)

/** All spellings, in the order of their numbers. */
export const outcomeSpellings: readonly string[] = [...spellings.keys()]

/** The outcome that a file spells, by name or by number. */
export const outcomeSpelled = (text: string): number | undefined =>
  spellings.get(text) ?? [...spellings.values()].find(n => String(n) === text)

/** How a file spells an outcome. */
export const outcomeText = (outcome: number): string =>
  outcomeSpellings.find(s => spellings.get(s) === outcome) ?? String(outcome)

/** The fields of an answer. */
export const hopFields: readonly FieldDecl[] = [
  { name: 'outcome', type: 'u8', bytes: 1, display: 'route' },
  { name: 'device', type: 'u32', bytes: 4, display: 'device' },
  { name: 'source', type: 'u64', bytes: 8, display: 'mac' },
  { name: 'nextHop', type: 'u64', bytes: 8, display: 'mac' },
  { name: 'mtu', type: 'u16', bytes: 2 },
]
