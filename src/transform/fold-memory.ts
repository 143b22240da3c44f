// What folding has looked at and left as it was, so that it looks again only where something has changed since: at
// instructions that are new, or have other operands or another number of users, and at what lies near them. Rules look
// at an instruction, at operands of operands, and at how many users those have. What only a branch further up could tell
// anew is not looked for again. Read fold.ts first.

import type { Users } from '../analysis/uses.js'
import type { Func, Instr } from '../ir/types.js'

/** How far below a change rules usually see it: an operand's operand. */
const reach = 2
/** Beside what changed itself, values that have more users than this tell nothing of them: the packet, a header. */
const maxUsers = 6

/** Functions of fewer instructions are looked at whole. */
const small = 200

/** By function: what each instruction looked like when folding last looked at it, by id. */
const seen = new WeakMap<Func, Int32Array>()

/** Of an instruction's operands and its number of users, as far as rules ask: one, two, or more; never 0. */
function markOf(i: Instr, uses: Users): number {
  let mark = 1 + Math.min(uses.count(i), 3)
  for (let k = 0; k < i.args.length; k++) mark = (Math.imul(mark, 31) + i.args[k].id) | 0
  return mark || 1
}

/**
 * By id, 1 for instructions to look at now: those that do not look as they did when this was last asked about the
 * function, and those near them. Undefined if that is all of them.
 */
export function dueAgain(func: Func, uses: Users): Uint8Array | undefined {
  let count = 0
  for (const { instrs } of func.blocks) count += instrs.length
  if (count < small) return undefined
  const before = seen.get(func)
  const marks = new Int32Array(func.nextId)
  seen.set(func, marks)
  const changed: Instr[] = []
  for (const { instrs } of func.blocks)
    for (let k = 0; k < instrs.length; k++) {
      const i = instrs[k]
      const mark = markOf(i, uses)
      marks[i.id] = mark
      if (before && before[i.id] !== mark) changed.push(i)
    }
  return !before || changed.length > count / 2 ? undefined : near(func, uses, changed)
}

/** By id, 1 for instructions that have changed, or that rules may see them from. */
function near(func: Func, uses: Users, changed: readonly Instr[]): Uint8Array {
  const due = new Uint8Array(func.nextId)
  let front: Instr[] = []
  const visit = (user: Instr | undefined): void => {
    if (!user || due[user.id] === 1) return
    due[user.id] = 1
    front.push(user)
  }
  for (const i of changed) {
    due[i.id] = 1
    uses.each(i, visit)
    // Whoever shares an operand may see that as well.
    for (const a of i.args) if (a.op !== 'const' && uses.count(a) <= maxUsers) uses.each(a, visit)
  }
  for (let k = 1; k < reach; k++) {
    const before = front
    front = []
    for (const i of before) if (uses.count(i) <= maxUsers) uses.each(i, visit)
  }
  return due
}
