// The order in which the packets of a shared run happened, from the evidence they left.
//
// Under locks every packet drew a commit number while others were kept out: sorting by it is the order. Under atomics
// nothing keeps anybody out, and a number drawn beside an addition says nothing about the addition: another packet may
// come between the two. What does say something is the sum that an addition found. Additions to one number form a
// chain, each finding what the one before left; additions to different numbers commute; and a packet that was alone
// (it inserted) had nobody beside it. Each packet also drew numbers before and after, so its moment lies in between.
// The moment chosen is the latest beginning in the chain up to the packet; if that is later than the packet's end, time
// and sums contradict each other and the run was not linearizable. Packets sorted by these moments respect real time and
// every chain, which is all that linearizability asks (Herlihy and Wing, 1990: it is local to objects).
//
// Where a number returns to a value it had since anybody was last alone (it wrapped, or was subtracted from), the sums
// fit several chains. Then any chain is accepted, and time is not held against it.
// Promises: pure; every packet is in the order exactly once, whatever the evidence.

import { evidence as at } from '../backend/wasm/memory.js'
import type { SharingForm } from '../strategy/strategy.js'

export class Evidence {
  /** Commit numbers: drawn before the packet and after it. Equal where it had one moment of its own. */
  readonly begin: Uint32Array
  readonly end: Uint32Array
  /** Address of the number added to, 0 if none was; the number found there, and what was added. */
  readonly place: Uint32Array
  readonly before: BigUint64Array
  readonly amount: BigUint64Array

  readonly count: number
  /** Width of the number: additions wrap. */
  readonly bits: number

  constructor(count: number, bits = 64) {
    this.count = count
    this.bits = bits
    this.begin = new Uint32Array(count)
    this.end = new Uint32Array(count)
    this.place = new Uint32Array(count)
    this.before = new BigUint64Array(count)
    this.amount = new BigUint64Array(count)
  }

  /** Takes packet `n`'s from the run's memory. */
  read(n: number, view: DataView, address: number, form: SharingForm): void {
    this.begin[n] = view.getUint32(address + at.begin, true)
    this.end[n] = form === 'atomics' ? view.getUint32(address + at.end, true) : this.begin[n]
    if (form !== 'atomics') return
    this.place[n] = view.getUint32(address + at.place, true)
    this.before[n] = view.getBigUint64(address + at.before, true)
    this.amount[n] = view.getBigUint64(address + at.amount, true)
  }
}

export interface CommitOrder {
  /** Packet numbers in the order found. */
  readonly order: readonly number[]
  /** What the evidence contradicts. */
  readonly problem?: { readonly packet: number; readonly what: string }
}

/** The order of all packets. */
export function commitOrder(evidence: Evidence): CommitOrder {
  const { begin, end, count } = evidence
  const moment = Float64Array.from(begin)
  /** Place in the packet's chain, for packets of one moment. */
  const rank = new Uint32Array(count)
  let problem: CommitOrder['problem']
  const complain = (packet: number, what: string): void => {
    problem ??= { packet, what }
  }
  for (const group of chainsOf(evidence)) {
    const { chain, certain, left } = chainOf(group, evidence)
    for (const n of left) complain(n, `it found ${evidence.before[n]}, which no addition left: one was lost`)
    let latest = 0
    for (const [k, n] of chain.entries()) {
      latest = Math.max(latest, begin[n])
      moment[n] = latest
      rank[n] = k
      if (certain && latest > end[n])
        complain(n, `it found ${evidence.before[n]}, which was there only after it had ended`)
    }
  }
  const order = Array.from({ length: count }, (_, n) => n).sort(
    (a, b) => moment[a] - moment[b] || rank[a] - rank[b],
  )
  const twice = order.find(
    (n, k) =>
      k > 0 && begin[n] === begin[order[k - 1]] && begin[n] === end[n] && end[order[k - 1]] === end[n],
  )
  if (twice !== undefined) complain(twice, `commit number ${begin[twice]} was given twice`)
  return { order, ...(problem && { problem }) }
}

/** Packets that added to one number while nobody was alone, group by group. */
function chainsOf({ begin, end, place, count }: Evidence): number[][] {
  const alone = [...begin.keys()].filter(n => begin[n] === end[n]).sort((a, b) => begin[a] - begin[b])
  const byBegin = Array.from({ length: count }, (_, n) => n).sort((a, b) => begin[a] - begin[b])
  const groups = new Map<string, number[]>()
  let section = 0
  for (const n of byBegin) {
    while (section < alone.length && begin[alone[section]] <= begin[n]) section++
    if (begin[n] === end[n] || place[n] === 0) continue
    const key = `${section} ${place[n]}`
    const group = groups.get(key)
    if (group) group.push(n)
    else groups.set(key, [n])
  }
  return [...groups.values()]
}

interface Chain {
  readonly chain: readonly number[]
  /** False if the sums fit other chains too. */
  readonly certain: boolean
  /** Packets that fit nowhere. */
  readonly left: readonly number[]
}

/**
 * The additions of a group, each finding what the one before left: a walk over values that uses every addition once
 * (Hierholzer, 1873). Additions of nothing go where their value first is.
 */
function chainOf(group: readonly number[], { before, amount, end, bits }: Evidence): Chain {
  const after = (n: number): bigint => BigInt.asUintN(bits, before[n] + amount[n])
  const from = new Map<bigint, number[]>()
  const idle = new Map<bigint, number[]>()
  const balance = new Map<bigint, number>()
  const turn = (value: bigint, by: number): void => void balance.set(value, (balance.get(value) ?? 0) + by)
  // The first to end goes first.
  for (const n of [...group].sort((a, b) => end[b] - end[a])) {
    const to = after(n) === before[n] ? idle : from
    const list = to.get(before[n])
    if (list) list.push(n)
    else to.set(before[n], [n])
    if (to === idle) continue
    turn(before[n], 1)
    turn(after(n), -1)
  }
  const start = [...balance].find(([, b]) => b > 0)?.[0] ?? before[group[0]]
  const certain = [...from.values()].every(list => list.length === 1)
  const walk: number[] = []
  const stack: { value: bigint; by?: number }[] = [{ value: start }]
  while (stack.length) {
    const top = stack[stack.length - 1]
    const next = from.get(top.value)?.pop()
    if (next !== undefined) stack.push({ value: after(next), by: next })
    else if (stack.pop()!.by !== undefined) walk.push(top.by!)
  }

  const chain: number[] = []
  const rest = (value: bigint): void => {
    chain.push(...(idle.get(value) ?? []).toReversed())
    idle.delete(value)
  }
  rest(start)
  // What is no walk in one piece is a chain as far as it fits.
  let value = start
  const left: number[] = []
  for (const n of walk.toReversed()) {
    if (before[n] !== value) left.push(n)
    chain.push(n)
    value = after(n)
    rest(value)
  }
  const lost = [...from.values(), ...idle.values()].flat()
  return { chain: [...chain, ...lost], certain, left: [...left, ...lost] }
}
