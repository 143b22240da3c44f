// Lowers an expanded IR function to WebAssembly code, to be embedded in a batch loop or made a function.
//
// A value used once, in its own block, becomes an operand where it is used; everything else gets a local. Reads of
// the packet and of state are delayed to their use only while nothing that writes comes between. V8 removes spare
// locals, so none are shared. What a packet, a setting or an object's address is, the embedding says: read
// embedding.ts. Control flow is control.ts's; div and bswap, which WebAssembly lacks or traps on, are arithmetic.ts's.

import { isPure, opInfo } from '../../ir/ops.js'
import { reversePostorder } from '../../ir/order.js'
import type { Block, Func as IrFunc, Instr } from '../../ir/types.js'
import { call, i32, i64, i64x2, i8x16, if_, local, select, v128 } from './asm.js'
import type { Code, Local } from './asm.js'
import { arithmetic } from './arithmetic.js'
import type { Embedding } from './embedding.js'
import { wasmType } from './embedding.js'
import { control } from './control.js'

/** Code of the whole function; every way out runs `embedding.leave` and does not fall off the end. */
export function lower(func: IrFunc, embedding: Embedding): Code {
  return new Lowering(func, embedding).code()
}

const add8 = i32.atomic.rmw8.add_u
const add16 = i32.atomic.rmw16.add_u

/** Byte k of the result is byte 7 - k, in both halves. */
const reversed = 0x08090a0b0c0d0e0f_0001020304050607n

class Lowering {
  private readonly func: IrFunc
  private readonly to: Embedding
  private readonly uses = new Map<Instr, number>()
  private readonly home = new Map<Instr, Block>()
  private readonly locals = new Map<Instr, Local>()
  /** Values of the block being lowered that wait for their one use, in order. */
  private readonly waiting = new Map<Instr, Code>()
  private out: Code[] = []

  constructor(func: IrFunc, to: Embedding) {
    this.func = func
    this.to = to
    func.params.forEach((p, k) => this.locals.set(p, to.params[k]))
  }

  code(): Code {
    const blocks = reversePostorder(this.func)
    for (const block of blocks) {
      for (const i of block.instrs) {
        this.home.set(i, block)
        for (const a of i.args) this.use(a, i.op === 'phi' ? undefined : block)
      }
      if (block.term.op === 'branch') this.use(block.term.cond, block)
      if (block.term.op === 'return') for (const a of block.term.args) this.use(a, block)
    }
    return control(this.func, {
      body: block => this.block(block),
      condition: block => (block.term.op === 'branch' ? this.operand(block.term.cond) : []),
      edge: (from, index) => this.edge(from, index),
      leave: block =>
        block.term.op === 'return' ? this.to.leave(block.term.args.map(a => this.operand(a))) : [],
    })
  }

  /** A use in another block counts double, so that the value gets a local. */
  private use(value: Instr, block: Block | undefined): void {
    const here = block !== undefined && this.home.get(value) === block
    this.uses.set(value, (this.uses.get(value) ?? 0) + (here ? 1 : 2))
  }

  private localOf(i: Instr): Local {
    let l = this.locals.get(i)
    if (!l) {
      l = this.to.func.local(i.name ?? `v${i.id}`, wasmType(i.type))
      this.locals.set(i, l)
    }
    return l
  }

  /** Pushes a value. */
  private operand(i: Instr): Code {
    if (i.op === 'const')
      return i.type === 'i64'
        ? i64.const(BigInt.asIntN(64, BigInt(i.attrs.value)))
        : i32.const(Number(BigInt.asIntN(32, BigInt(i.attrs.value))))
    const waiting = this.waiting.get(i)
    if (waiting !== undefined) {
      this.waiting.delete(i)
      return waiting
    }
    return local.get(this.localOf(i))
  }

  /** Gives waiting values that `matters` their locals, before something that could change them. */
  private settle(matters: (i: Instr) => boolean): void {
    for (const [i, code] of this.waiting) {
      if (!matters(i)) continue
      this.waiting.delete(i)
      this.out.push(code, local.set(this.localOf(i)))
      this.reads.delete(i)
    }
  }

  /** What a waiting value's whole tree reads. */
  private readonly reads = new Map<Instr, Set<string>>()

  private block(block: Block): Code {
    this.out = []
    for (const i of block.instrs) {
      if (i.op === 'phi' || i.op === 'const' || i.type === 'mem') {
        if (i.op === 'store') this.effect(i)
        continue
      }
      const { effect } = opInfo(i.op)
      if (i.type === 'void' || effect === 'call' || effect === 'state.write') this.effect(i)
      else this.value(i)
    }
    // Only the terminator's operands may wait on; edges copy into phi locals after reading all their sources.
    const term = block.term
    const last = new Set(term.op === 'branch' ? [term.cond] : term.op === 'return' ? term.args : [])
    this.settle(i => !last.has(i))
    const code = this.out
    this.out = []
    return code
  }

  private value(i: Instr): void {
    const uses = this.uses.get(i) ?? 0
    if (uses === 0) {
      for (const a of i.args) this.waiting.delete(a)
      return
    }
    const reads = new Set<string>()
    for (const a of i.args) for (const r of this.reads.get(a) ?? []) if (this.waiting.has(a)) reads.add(r)
    if (!isPure(i.op)) reads.add(opInfo(i.op).effect)
    const code = this.expression(i)
    if (uses === 1) {
      this.waiting.set(i, code)
      this.reads.set(i, reads)
    } else this.out.push(code, local.set(this.localOf(i)))
  }

  private expression(i: Instr): Code {
    const { to } = this
    const arg = (k: number): Code => this.operand(i.args[k])
    switch (i.op) {
      case 'input':
        return to.input(String(i.attrs.name))
      case 'setting':
        return to.setting(String(i.attrs.name), i.type)
      case 'load':
        return this.packetLoad(i)
      case 'state.load':
        return this.plainLoad(i, this.address(i), this.offset(i))
      case 'bswap64':
        return this.swappedLoad(i.args[0]) ?? arithmetic(i, { push: arg, hold: k => this.hold(i.args[k]) })
      case 'item.load':
        return [local.get(to.item), loadOp(Number(i.attrs.width), Number(i.attrs.offset))]
      case 'select':
        return [arg(1), arg(2), arg(0), select]
      case 'add':
        if (i.type === 'i32') return this.addition(i)
    }
    return arithmetic(i, { push: arg, hold: k => this.hold(i.args[k]) })
  }

  /** Loads of eight bytes that wait, as address and offset. */
  private readonly loads = new Map<Instr, { readonly address: Code; readonly offset: number }>()

  private plainLoad(i: Instr, address: Code, offset: number): Code {
    this.loads.set(i, { address, offset })
    return [address, loadOp(Number(i.attrs.width), offset)]
  }

  /** Eight bytes in reverse, by a vector instruction: three steps where shifts and masks take thirteen. */
  private swappedLoad(i: Instr): Code | undefined {
    const load = this.loads.get(i)
    if (!load || !this.waiting.has(i)) return undefined
    this.waiting.delete(i)
    const vector = [load.address, v128.load64_zero(load.offset, 1), v128.const(reversed), i8x16.swizzle]
    return [vector, i64x2.extract_lane(0)]
  }

  /** Parts of additions that wait, for addresses. */
  private readonly sums = new Map<Instr, readonly [Code, Code]>()

  private addition(i: Instr): Code {
    const parts = [this.operand(i.args[0]), this.operand(i.args[1])] as const
    this.sums.set(i, parts)
    return [parts[0], parts[1], i32.add]
  }

  /** A value that its user pushes more than once: from its local, or from a fresh one if it waits. */
  private hold(i: Instr): { first: Code; set: Code; again: Code } {
    const code = this.operand(i)
    if (i.op === 'const' || this.locals.has(i)) return { first: code, set: [], again: code }
    const held = this.to.func.local(`held${i.id}`, wasmType(i.type))
    return { first: [code, local.tee(held)], set: [code, local.set(held)], again: local.get(held) }
  }

  private address(i: Instr): Code {
    const base = local.get(this.to.object(String(i.attrs.object)).base)
    return this.sum(base, i.args[0])
  }

  /** base + at. The last part of a sum is added last: expansion puts there what is known last. */
  private sum(base: Code, at: Instr): Code {
    if (at.op === 'const') return base
    const parts = this.sums.get(at)
    if (!parts || !this.waiting.has(at)) return [base, this.operand(at), i32.add]
    this.waiting.delete(at)
    return [base, parts[0], i32.add, parts[1], i32.add]
  }

  private offset(i: Instr): number {
    const [at] = i.args
    const constant = at.op === 'const' ? Number(at.attrs.value) : 0
    return this.to.object(String(i.attrs.object)).offset + Number(i.attrs.offset) + constant
  }

  private packetAddress(at: Instr): Code {
    return this.sum(local.get(this.to.packet), at)
  }

  private packetLoad(i: Instr): Code {
    const at = i.args[1]
    const width = Number(i.attrs.width)
    const offset = Number(i.attrs.offset) + (at.op === 'const' ? Number(at.attrs.value) : 0)
    if (i.attrs.checked !== true) return this.plainLoad(i, this.packetAddress(at), offset)
    const zero = width === 8 ? i64.const(0) : i32.const(0)
    // No packet is that long, and the sum would not fit a constant.
    if (at.op === 'const' && offset + width > 0xffffffff) return zero
    if (at.op === 'const')
      return [
        i32.const(offset + width),
        local.get(this.to.length),
        i32.le_u,
        if_(wasmType(i.type), [local.get(this.to.packet), loadOp(width, offset)], zero),
      ]
    // The sum is taken in 64 bits: an offset near 2^32 must not wrap into the packet.
    const held = this.to.func.local(`at${i.id}`, 'i32')
    return [
      this.operand(at),
      local.tee(held),
      i64.extend_i32_u,
      i64.const(offset + width),
      i64.add,
      local.get(this.to.length),
      i64.extend_i32_u,
      i64.le_u,
      if_(
        wasmType(i.type),
        [local.get(this.to.packet), local.get(held), i32.add, loadOp(width, offset)],
        zero,
      ),
    ]
  }

  /** Lowers what writes: first whatever waits and could see the difference. */
  private effect(i: Instr): void {
    const { effect } = opInfo(i.op)
    const area = effect === 'call' ? 'state' : effect.split('.')[0]
    const own = new Set(i.args)
    // Operands that wait are computed right here, before the write; others that read the same area are settled.
    this.settle(w => !own.has(w) && [...(this.reads.get(w) ?? [])].some(r => r.startsWith(area)))
    const push = (...code: Code[]): void => {
      this.out.push(...code)
    }
    switch (i.op) {
      case 'store': {
        const at = i.args[1]
        const constant = at.op === 'const' ? Number(at.attrs.value) : 0
        push(this.packetAddress(at), this.operand(i.args[2]))
        push(storeOp(Number(i.attrs.width), i.args[2].type === 'i64', Number(i.attrs.offset) + constant))
        break
      }
      case 'state.store':
        push(this.address(i), this.operand(i.args[1]))
        push(storeOp(Number(i.attrs.width), i.args[1].type === 'i64', this.offset(i)))
        break
      case 'state.add':
        push(this.fetchAndAdd(i))
        break
      case 'item.store':
        push(local.get(this.to.item), this.operand(i.args[0]))
        push(storeOp(Number(i.attrs.width), i.args[0].type === 'i64', Number(i.attrs.offset)))
        break
      case 'count': {
        const { base, offset } = this.to.counter(String(i.attrs.counter))
        push(
          local.get(base),
          local.get(base),
          i64.load(offset),
          this.operand(i.args[0]),
          i64.add,
          i64.store(offset),
        )
        break
      }
      case 'call': {
        const { func, leading } = this.to.callee(String(i.attrs.callee))
        push(leading, ...i.args.map(a => this.operand(a)), call(func))
        if (i.type !== 'void') push(local.set(this.localOf(i)))
        break
      }
      default:
        throw new Error(`${i.op} cannot be lowered; was the function expanded?`)
    }
  }

  private fetchAndAdd(i: Instr): Code {
    const type = wasmType(i.type)
    const width = Number(i.attrs.width)
    const add =
      type === 'i64' ? i64.atomic.rmw.add : width === 4 ? i32.atomic.rmw.add : width === 2 ? add16 : add8
    const offset = this.offset(i)
    const before = this.localOf(i)
    const { added } = this.to
    if (!added) return [this.address(i), this.operand(i.args[1]), add(offset), local.set(before)]
    const place = this.to.func.local(`place${i.id}`, 'i32')
    const amount = this.to.func.local(`amount${i.id}`, type)
    return [
      [this.address(i), i32.const(offset), i32.add, local.tee(place)],
      [this.operand(i.args[1]), local.tee(amount), add(), local.set(before)],
      added(place, before, amount),
    ]
  }

  /** Copies into the phis of a target: all sources are pushed before any is overwritten. */
  private edge(from: Block, index: number): Code {
    const to = from.term.targets[index]
    const phis = to.instrs.filter(i => i.op === 'phi' && i.type !== 'mem')
    // Where both arms lead to one block, its predecessor list has the block twice, in the order of the arms.
    const twice =
      from.term.targets.length === 2 && from.term.targets[0] === from.term.targets[1] && index === 1
    const k = twice ? to.preds.lastIndexOf(from) : to.preds.indexOf(from)
    const moves = phis.filter(p => p.args[k] !== p && (this.uses.get(p) ?? 0) > 0)
    return [moves.map(p => this.operand(p.args[k])), moves.toReversed().map(p => local.set(this.localOf(p)))]
  }
}

/** The load of `width` bytes, zero-extended: i64 for 8, i32 otherwise. */
function loadOp(width: number, offset: number): Code {
  if (width === 1) return i32.load8_u(offset)
  if (width === 2) return i32.load16_u(offset, 1)
  return width === 4 ? i32.load(offset, 1) : i64.load(offset, 1)
}

/** The store of the low `width` bytes of an i32, or of an i64 if `wide`. */
function storeOp(width: number, wide: boolean, offset: number): Code {
  if (width === 1) return wide ? i64.store8(offset) : i32.store8(offset)
  if (width === 2) return wide ? i64.store16(offset, 1) : i32.store16(offset, 1)
  if (width === 4) return wide ? i64.store32(offset, 1) : i32.store(offset, 1)
  return i64.store(offset, 1)
}
