// Which values of a function are the same function of the packet, wherever and on whatever way they are computed.
//
// Unlike common subexpressions, congruent values need not dominate each other: the same field loaded in two arms of an
// `if` is one value, and a phi of the two is that value again. Sound for what slice-memory.ts leaves: loads read the
// packet as received, and an unchecked load that is reached gives what a checked one would. State is never congruent
// to anything, and neither is what changes from round to round of a loop.

import { opInfo } from '../ir/ops.js'
import { reversePostorder } from '../ir/order.js'
import type { Block, Func, Instr } from '../ir/types.js'

export class Congruence {
  private readonly first = new Map<string, Instr>()
  private readonly representative = new Map<Instr, Instr>()

  private readonly varying = new Set<Instr>()

  constructor(func: Func, looping: ReadonlySet<Block>) {
    for (const block of reversePostorder(func))
      for (const i of block.instrs) {
        const varies =
          looping.has(block) && (i.op === 'phi' || i.args.some(a => this.varying.has(this.of(a))))
        if (varies) this.varying.add(i)
        const key = varies ? `own ${i.id}` : this.key(i, block)
        const found = typeof key === 'string' ? (this.first.get(key) ?? i) : key
        if (typeof key === 'string') this.first.set(key, found)
        this.representative.set(i, found)
      }
  }

  /** The first of the values that are congruent to this one. */
  of(i: Instr): Instr {
    return this.representative.get(i) ?? i
  }

  private key(i: Instr, block: Block): string | Instr {
    const args = i.args.map(a => this.of(a))
    if (i.op === 'phi') {
      if (args.every(a => a === args[0])) return args[0]
      return `phi ${block.id} ${args.map(a => a.id).join(' ')}`
    }
    const { effect, commutative } = opInfo(i.op)
    if (effect !== 'none' && effect !== 'packet.read' && effect !== 'rules.read') return `own ${i.id}`
    const { checked: _, ...attrs } = i.attrs
    const ids = args.map(a => a.id)
    if (commutative) ids.sort((a, b) => a - b)
    return `${i.op} ${i.type} ${ids.join(' ')} ${Object.values(attrs).join(' ')}`
  }
}
