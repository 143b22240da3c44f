// How often loops go round, as far as constants alone decide it.
//
// The counter is followed from round to round by folding: no pattern of loop is required, only that a test of every
// round, or a bound on it, depends on constants.

import { opInfo } from '../ir/ops.js'
import type { Block, Instr } from '../ir/types.js'
import type { Loop } from './loops.js'

/** A loop's constant number of rounds. */
export interface Count {
  /** How often the test sends control into another round. */
  readonly rounds: number
  /** The block with the test, and the position of the target outside the loop. */
  readonly test: Block
  readonly exit: 0 | 1
}

/** The number of rounds, if a test that every round passes decides it from constants alone. */
export function roundsOf(
  loop: Loop,
  limit: number,
  dominates: (a: Block, b: Block) => boolean,
): Count | undefined {
  return counts(loop, limit, dominates, true)[0]
}

/** A number that the rounds do not exceed, if a test that every round passes sets one; other tests may end it before. */
export function mostRounds(
  loop: Loop,
  limit: number,
  dominates: (a: Block, b: Block) => boolean,
): number | undefined {
  return counts(loop, limit, dominates, false)[0]?.rounds
}

function counts(
  loop: Loop,
  limit: number,
  dominates: (a: Block, b: Block) => boolean,
  exact: boolean,
): Count[] {
  const found: Count[] = []
  for (const { from, target } of loop.exits) {
    if (from.term.op !== 'branch' || loop.exits.some(e => e.from === from && e.target !== target)) continue
    if (!loop.latches.every(latch => dominates(from, latch))) continue
    const rounds = simulate(loop, from.term.cond, target === 0 ? 1n : 0n, limit, exact)
    if (rounds !== undefined) found.push({ rounds, test: from, exit: target as 0 | 1 })
  }
  return found.toSorted((a, b) => a.rounds - b.rounds)
}

/**
 * Rounds until the condition certainly has the value that leaves; undefined beyond the limit and, if it is to be
 * `exact`, where the condition is not known before that.
 */
function simulate(loop: Loop, cond: Instr, leave: bigint, limit: number, exact: boolean): number | undefined {
  const { header } = loop
  const inside = new Set([...loop.blocks].flatMap(b => b.instrs))
  const isLatch = (p: Block): boolean => loop.blocks.has(p)
  const agreed = (values: (bigint | undefined)[]): bigint | undefined =>
    values.every(v => v === values[0]) ? values[0] : undefined
  const headerPhis = header.instrs.filter(i => i.op === 'phi')
  let phis = new Map<Instr, bigint | undefined>()
  for (const phi of headerPhis)
    phis.set(phi, agreed(phi.args.filter((_, k) => !isLatch(header.preds[k])).map(constOf)))
  for (let round = 0; round <= limit; round++) {
    const known = new Map(phis)
    const valueOf = (i: Instr): bigint | undefined => {
      if (known.has(i)) return known.get(i)
      if (i.op === 'const') return constOf(i)
      if (!inside.has(i)) return undefined
      known.set(i, undefined)
      const { fold } = opInfo(i.op)
      const args = i.op === 'phi' || fold ? i.args.map(valueOf) : []
      const value =
        i.op === 'phi'
          ? agreed(args)
          : fold && args.every(a => a !== undefined)
            ? fold(args, i.type, i.args[0].type, i.attrs)
            : settled(i, args)
      known.set(i, value)
      return value
    }
    const value = valueOf(cond)
    if (value === undefined && exact) return undefined
    if (value === leave) return round
    const next = new Map<Instr, bigint | undefined>()
    for (const phi of headerPhis)
      next.set(phi, agreed(phi.args.filter((_, k) => isLatch(header.preds[k])).map(valueOf)))
    phis = next
  }
  return undefined
}

/** What one known operand settles: a false one of `and`, a true one of `or`. */
function settled({ op, type }: Instr, args: readonly (bigint | undefined)[]): bigint | undefined {
  if (op === 'and' && args.includes(0n)) return 0n
  return op === 'or' && type === 'i1' && args.includes(1n) ? 1n : undefined
}

const constOf = (i: Instr): bigint | undefined => (i.op === 'const' ? BigInt(i.attrs.value) : undefined)
