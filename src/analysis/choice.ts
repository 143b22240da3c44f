// Decisions that do not depend on state, as shared graphs of tests over truth values, the way control flow makes them:
// `isIpv4 ? (isTcp ? first : none) : none`. Equal decisions are one object, so comparing them is comparing references.
//
// Used for three questions: which state-dependent code is reached next, which operand of a phi is chosen, and whether
// a packet can have an effect at all. Tests stand in the order of control flow, not in a global order, so equality is
// found where the programs' shapes agree, which is enough; nothing here relies on finding all of it.

import type { Block, Instr } from '../ir/types.js'

export interface Outcome {
  readonly kind: 'outcome'
  readonly id: number
  /** What the caller numbered. */
  readonly value: number
}

export interface Test {
  readonly kind: 'test'
  readonly id: number
  readonly cond: Instr
  /** Where cond is 1, and where it is 0. */
  readonly yes: Choice
  readonly no: Choice
  /** The blocks whose branch makes this test. */
  readonly blocks: Set<Block>
}

export type Choice = Outcome | Test

/** Makes choices and keeps them unique. */
export class Choices {
  private readonly table = new Map<string, Choice>()
  private next = 0

  outcome(value: number): Outcome {
    return this.unique(`o${value}`, () => ({ kind: 'outcome', id: this.next++, value })) as Outcome
  }

  /** `yes` if cond is 1, else `no`; cond may be a negation, and both ways may be the same. */
  test(cond: Instr, block: Block | undefined, yes: Choice, no: Choice): Choice {
    if (yes === no) return yes
    if (cond.op === 'const') return cond.attrs.value === 0n ? no : yes
    if (cond.op === 'not') return this.test(cond.args[0], block, no, yes)
    const key = `${cond.id} ${yes.id} ${no.id}`
    const made = this.unique(key, () => ({
      kind: 'test',
      id: this.next++,
      cond,
      yes,
      no,
      blocks: new Set(),
    })) as Test
    if (block) made.blocks.add(block)
    return made
  }

  private unique(key: string, make: () => Choice): Choice {
    let choice = this.table.get(key)
    if (!choice) this.table.set(key, (choice = make()))
    return choice
  }

  /** The choice where cond is known. */
  restrict(choice: Choice, cond: Instr, value: boolean, done = new Map<Choice, Choice>()): Choice {
    if (choice.kind === 'outcome') return choice
    const known = done.get(choice)
    if (known) return known
    const side = (c: Choice): Choice => this.restrict(c, cond, value, done)
    const made =
      choice.cond === cond
        ? side(value ? choice.yes : choice.no)
        : this.test(choice.cond, undefined, side(choice.yes), side(choice.no))
    done.set(choice, made)
    return made
  }

  /** Of two choices between 0 and 1: 1 if either is. Becomes 1 outright (the safe answer) when it grows large. */
  either(a: Choice, b: Choice, done = new Map<string, Choice>()): Choice {
    if (a === b) return a
    if (a.kind === 'outcome') return a.value ? a : b
    if (b.kind === 'outcome') return b.value ? b : a
    const key = `${a.id} ${b.id}`
    let made = done.get(key)
    if (made) return made
    if (done.size > largestUnion) return this.outcome(1)
    const [yes, no] =
      a.cond === b.cond
        ? [this.either(a.yes, b.yes, done), this.either(a.no, b.no, done)]
        : [this.either(a.yes, b, done), this.either(a.no, b, done)]
    made = this.test(a.cond, undefined, yes, no)
    done.set(key, made)
    return made
  }
}

const largestUnion = 200

/** All tests of a choice, each once, before those it leads to. */
export function testsIn(choice: Choice): Test[] {
  const seen = new Set<Choice>([choice])
  for (const c of seen) if (c.kind === 'test') seen.add(c.yes).add(c.no)
  return [...seen].filter(c => c.kind === 'test')
}

/** The outcomes of a choice, each once, in the order a walk meets them that takes `yes` first. */
export function outcomesIn(choice: Choice): Outcome[] {
  const found = new Set<Outcome>()
  const seen = new Set<Choice>()
  const walk = (c: Choice): void => {
    if (seen.has(c)) return
    seen.add(c)
    if (c.kind === 'outcome') found.add(c)
    else {
      walk(c.yes)
      walk(c.no)
    }
  }
  walk(choice)
  return [...found]
}
