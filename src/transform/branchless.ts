// Makes a straight line of a block that chooses: selects become masks, comparisons sign bits.
//
// eBPF has no conditional moves, so a select is a branch, and one on a packet's addresses goes either way half the time.
// Selects that choose between the same two values are merged first: (a < b ? a : (e ? a : b)) is (a < b | e) ? a : b.
// Where every item comes by, as in `early` (split-advance.ts), that pays; where one way is rare, a branch is cheaper.

import { bitsOf } from '../ir/ops.js'
import type { Block, Func, Instr, Type } from '../ir/types.js'

/** In place. What is not needed any more stays: the caller knows what is read for its own sake. */
export function branchless(func: Func): void {
  for (const block of func.blocks) new Straightening(func, block).run()
}

class Straightening {
  private readonly func: Func
  private readonly block: Block
  private readonly known = new Map<string, Instr>()
  private readonly bits = new Map<Instr, Instr>()
  private out: Instr[] = []

  constructor(func: Func, block: Block) {
    this.func = func
    this.block = block
  }

  run(): void {
    if (!this.block.instrs.some(i => i.op === 'select')) return
    for (const i of this.block.instrs) if (i.op === 'select') this.merge(i)
    const before = this.block.instrs
    this.out = []
    for (const i of before) {
      if (i.op === 'select' && i.type !== 'i1') this.mask(i)
      else if (i.op === 'zext' && i.type === 'i32' && i.args[0].type === 'i1')
        Object.assign(i, { op: 'trunc', args: [this.bit(i.args[0])] })
      else if (i.op === 'item.store' && i.args[0].type === 'i1') i.args = [this.bit(i.args[0])]
      this.out.push(i)
    }
    this.block.instrs = this.out
  }

  /** c ? a : (d ? a : y) = (c | d) ? a : y, and c ? (d ? x : b) : b = (c & d) ? x : b. */
  private merge(i: Instr): void {
    const [c, a, b] = i.args
    if (b.op === 'select' && b.args[1] === a) i.args = [this.before(i, 'or', c, b.args[0]), a, b.args[2]]
    else if (a.op === 'select' && a.args[2] === b)
      i.args = [this.before(i, 'and', c, a.args[0]), a.args[1], b]
  }

  /** A condition made of two, right before an instruction. */
  private before(i: Instr, op: string, x: Instr, y: Instr): Instr {
    const key = `${op} ${x.id} ${y.id}`
    const known = this.known.get(key)
    if (known) return known
    const made: Instr = { id: this.func.nextId++, op, type: 'i1', args: [x, y], attrs: {} }
    this.block.instrs.splice(this.block.instrs.indexOf(i), 0, made)
    this.known.set(key, made)
    return made
  }

  /** a < b | (a = b & c < d) compares pairs: (a, c) with (b, d), as one number each if they fit into one below its sign. */
  private inOrder(
    first: Instr,
    rest: Instr,
  ): { pairs: [Instr, Instr][]; by: bigint; strict: boolean } | undefined {
    if (first.op !== 'ltu' || rest.op !== 'and') return undefined
    const [a, b] = first.args
    for (const [same, last] of [rest.args, rest.args.toReversed()]) {
      if (same.op !== 'eq' || (last.op !== 'ltu' && last.op !== 'leu')) continue
      const [x, y] = same.args
      if (!areSame([x, y], [a, b]) && !areSame([x, y], [b, a])) continue
      const [c, d] = last.args
      const by = Math.max(widthOf(c), widthOf(d))
      if (by + Math.max(widthOf(a), widthOf(b)) > 63) continue
      return {
        pairs: [
          [a, c],
          [b, d],
        ],
        by: BigInt(by),
        strict: last.op === 'ltu',
      }
    }
    return undefined
  }

  private emit(op: string, type: Type, ...args: Instr[]): Instr {
    const key = `${op} ${type} ${args.map(a => a.id).join(' ')}`
    const known = this.known.get(key)
    if (known) return known
    const made: Instr = { id: this.func.nextId++, op, type, args, attrs: {} }
    this.known.set(key, made)
    this.out.push(made)
    return made
  }

  private constant(value: bigint): Instr {
    const key = `const ${value}`
    const known = this.known.get(key)
    if (known) return known
    const made: Instr = { id: this.func.nextId++, op: 'const', type: 'i64', args: [], attrs: { value } }
    this.known.set(key, made)
    this.out.push(made)
    return made
  }

  private wide(x: Instr): Instr {
    return x.type === 'i64' ? x : this.emit('zext', 'i64', x)
  }

  /** The select's value without a choice: b ^ ((a ^ b) & mask), or with the opposite condition's mask if that is cheaper. */
  private mask(i: Instr): void {
    const [c, a, b] = i.args
    const bit = this.bit(c)
    const [flag, other] = bit.op === 'xor' && isOne(bit.args[1]) ? [bit.args[0], a] : [bit, b]
    const [low, high] = a.id < b.id ? [a, b] : [b, a]
    const difference = this.emit('xor', 'i64', this.wide(low), this.wide(high))
    const change = this.emit('and', 'i64', difference, this.spread(flag))
    const value = [this.wide(other), change]
    if (i.type === 'i64') Object.assign(i, { op: 'xor', args: value })
    else Object.assign(i, { op: 'trunc', args: [this.emit('xor', 'i64', ...value)] })
  }

  /** 0 as it is, 1 as ones everywhere: of a sign bit by one shift. */
  private spread(bit: Instr): Instr {
    const [x, by] = bit.args
    if (bit.op === 'shru' && by.op === 'const' && by.attrs.value === 63n)
      return this.emit('shrs', 'i64', x, by)
    return this.emit('sub', 'i64', this.constant(0n), bit)
  }

  /** A truth value as a number, 0 or 1, of 64 bits. */
  private bit(c: Instr): Instr {
    const known = this.bits.get(c)
    if (known) return known
    const made = this.makeBit(c)
    this.bits.set(c, made)
    return made
  }

  private makeBit(c: Instr): Instr {
    const [x, y] = c.args
    const not = (b: Instr): Instr => this.emit('xor', 'i64', b, this.constant(1n))
    const narrow = (): boolean => bitsOf(x.type) <= 32
    const sign = (d: Instr): Instr => this.emit('shru', 'i64', d, this.constant(63n))
    const below = (p: Instr, q: Instr): Instr => sign(this.emit('sub', 'i64', this.wide(p), this.wide(q)))
    const same = (): Instr => {
      const difference = isZero(y) ? this.wide(x) : this.emit('xor', 'i64', this.wide(x), this.wide(y))
      return sign(this.emit('sub', 'i64', difference, this.constant(1n)))
    }
    const order = c.op === 'or' ? this.inOrder(x, y) : undefined
    if (order) {
      const [p, q] = order.pairs.map(([high, low]) =>
        this.emit(
          'or',
          'i64',
          this.emit('shl', 'i64', this.wide(high), this.constant(order.by)),
          this.wide(low),
        ),
      )
      return order.strict ? below(p, q) : not(below(q, p))
    }
    switch (c.op) {
      case 'and':
      case 'or':
      case 'xor':
        return this.emit(c.op, 'i64', this.bit(x), this.bit(y))
      case 'not':
        return not(this.bit(x))
      case 'ltu':
        return narrow() ? below(x, y) : this.wide(c)
      case 'leu':
        return narrow() ? not(below(y, x)) : this.wide(c)
      case 'eq':
        return narrow() ? same() : this.wide(c)
      case 'ne':
        if (!narrow()) return this.wide(c)
        return isBit(x) && isZero(y) ? this.wide(x) : not(same())
      case 'select': {
        const [d, a, b] = c.args
        const change = this.emit('xor', 'i64', this.bit(a), this.bit(b))
        return this.emit('xor', 'i64', this.bit(b), this.emit('and', 'i64', change, this.bit(d)))
      }
      default:
        return this.wide(c)
    }
  }
}

/** What reads so many bytes as its width says. */
const narrowable: ReadonlySet<string> = new Set(['load', 'item.load', 'state.load'])

/** Bits that a value has at most, as far as its operation says. */
function widthOf({ op, type, attrs }: Instr): number {
  if (op === 'bswap16') return 16
  return narrowable.has(op) ? Math.min(8 * Number(attrs.width), bitsOf(type)) : bitsOf(type)
}

/** Whether x and y are equal exactly if a and b are: these are the same, or the same bytes the other way round, both of them. */
function areSame([x, y]: readonly [Instr, Instr], [a, b]: readonly [Instr, Instr]): boolean {
  if (x === a && y === b) return true
  if (a.op !== b.op || a.args[0] !== x || b.args[0] !== y) return false
  // The low half's bytes alone say nothing of what is above them.
  return (
    a.op === 'bswap32' || a.op === 'bswap64' || (a.op === 'bswap16' && widthOf(x) <= 16 && widthOf(y) <= 16)
  )
}

const isZero = (i: Instr): boolean => i.op === 'const' && i.attrs.value === 0n
const isOne = (i: Instr): boolean => i.op === 'const' && i.attrs.value === 1n
/** Whether a number is 0 or 1. */
const isBit = (i: Instr): boolean => i.op === 'and' && i.args.some(isOne)
