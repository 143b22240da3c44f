// Builds functions in SSA form directly (Braun et al., "Simple and Efficient Construction of Static Single Assignment
// Form", CC 2013). Write variables as if they were mutable; the builder places the phis. Promises: a phi's operands
// stand in the order of its block's predecessors; redundant phis are removed; instructions keep the current span.

import { bitsOf, opInfo } from './ops.js'
import type { Attrs, Block, Func, Instr, Span, Type } from './types.js'

/** A mutable variable of the function under construction. */
export interface Variable {
  readonly index: number
  readonly type: Type
  readonly name?: string
}

export class FunctionBuilder {
  readonly func: Func
  /** Given to every instruction and terminator made from now on. */
  span: Span | undefined
  private current: Block | undefined
  private variables = 0
  private readonly values = new Map<Block, Map<number, Instr>>()
  private readonly sealed = new Set<Block>()
  private readonly incomplete = new Map<Block, Map<Variable, Instr>>()
  private readonly replaced = new Map<Instr, Instr>()

  constructor(name: string, params: readonly Type[], result: Type) {
    this.func = { name, params: [], result, blocks: [], nextId: 0 }
    this.func.params = params.map((type, index) => this.instr('param', type, [], { index }))
    this.current = this.block()
    this.seal(this.current)
  }

  /** A new, unsealed block. Seal it when all its predecessors are known. */
  block(): Block {
    const block: Block = {
      id: this.func.nextId++,
      instrs: [],
      term: { op: 'unreachable', targets: [] },
      preds: [],
    }
    this.func.blocks.push(block)
    this.values.set(block, new Map())
    return block
  }

  /** The block that instructions go to, or undefined after a terminator. */
  get here(): Block | undefined {
    return this.current
  }

  at(block: Block): void {
    this.current = block
  }

  /** Leaves the current block open; `at` may come back to it. */
  leave(): void {
    this.current = undefined
  }

  private instr(op: string, type: Type, args: Instr[], attrs: Attrs): Instr {
    const i: Instr = { id: this.func.nextId++, op, type, args, attrs }
    if (this.span) i.span = this.span
    return i
  }

  /** Appends an instruction. The type may be left out where an operand or the op table decides it. After a
   * terminator the instruction goes into a fresh unreachable block, which finish() drops. */
  emit(op: string, args: Instr[], attrs: Attrs = {}, type?: Type): Instr {
    const info = opInfo(op)
    const decides = info.args.indexOf('T')
    const result = type ?? (decides >= 0 ? args[decides].type : info.result[0])
    const i = this.instr(
      op,
      result,
      args.map(a => this.resolve(a)),
      attrs,
    )
    this.open().instrs.push(i)
    return i
  }

  private open(): Block {
    if (!this.current) {
      this.current = this.block()
      this.seal(this.current)
    }
    return this.current
  }

  const(type: Type, value: bigint | number): Instr {
    return this.emit('const', [], { value: BigInt.asUintN(bitsOf(type), BigInt(value)) }, type)
  }

  private edge(from: Block, to: Block): void {
    if (this.sealed.has(to)) throw new Error(`block ${to.id} is sealed`)
    to.preds.push(from)
  }

  jump(to: Block): void {
    if (!this.current) return
    this.current.term = { op: 'jump', targets: [to], ...(this.span && { span: this.span }) }
    this.edge(this.current, to)
    this.current = undefined
  }

  branch(cond: Instr, then: Block, otherwise: Block): void {
    if (!this.current) return
    const span = this.span && { span: this.span }
    this.current.term = { op: 'branch', cond: this.resolve(cond), targets: [then, otherwise], ...span }
    this.edge(this.current, then)
    this.edge(this.current, otherwise)
    this.current = undefined
  }

  return(args: Instr[] = []): void {
    if (!this.current) return
    const span = this.span && { span: this.span }
    this.current.term = { op: 'return', args: args.map(a => this.resolve(a)), targets: [], ...span }
    this.current = undefined
  }

  variable(type: Type, name?: string): Variable {
    return { index: this.variables++, type, ...(name !== undefined && { name }) }
  }

  write(variable: Variable, value: Instr): void {
    this.values.get(this.open())!.set(variable.index, this.resolve(value))
  }

  /** The variable's value here; 0 (or the packet as received) where no write reaches. */
  read(variable: Variable): Instr {
    return this.readIn(variable, this.open())
  }

  private readIn(variable: Variable, block: Block): Instr {
    const known = this.values.get(block)!.get(variable.index)
    if (known) return this.resolve(known)
    let value: Instr
    if (!this.sealed.has(block)) {
      value = this.phi(variable, block)
      let waiting = this.incomplete.get(block)
      if (!waiting) this.incomplete.set(block, (waiting = new Map()))
      waiting.set(variable, value)
    } else if (block.preds.length === 1) {
      value = this.readIn(variable, block.preds[0])
    } else if (block.preds.length === 0) {
      const mem = variable.type === 'mem'
      value = this.instr(mem ? 'packet' : 'const', variable.type, [], mem ? {} : { value: 0n })
      block.instrs.unshift(value)
    } else {
      const phi = this.phi(variable, block)
      this.values.get(block)!.set(variable.index, phi)
      value = this.complete(variable, phi, block)
    }
    this.values.get(block)!.set(variable.index, value)
    return value
  }

  private phi(variable: Variable, block: Block): Instr {
    const phi = this.instr('phi', variable.type, [], {})
    if (variable.name !== undefined) phi.name = variable.name
    block.instrs.unshift(phi)
    return phi
  }

  private complete(variable: Variable, phi: Instr, block: Block): Instr {
    for (const pred of block.preds) phi.args.push(this.readIn(variable, pred))
    return this.simplify(phi, block)
  }

  /** Removes a phi whose operands are all one value (or itself). */
  private simplify(phi: Instr, block: Block): Instr {
    let same: Instr | undefined
    for (const arg of phi.args) {
      const a = this.resolve(arg)
      if (a === same || a === phi) continue
      if (same) return phi
      same = a
    }
    if (!same) return phi
    block.instrs.splice(block.instrs.indexOf(phi), 1)
    this.replaced.set(phi, same)
    return same
  }

  private resolve(value: Instr): Instr {
    let v = value
    for (let next = this.replaced.get(v); next; next = this.replaced.get(v)) v = next
    return v
  }

  /** Declares that no further predecessor will be added. */
  seal(block: Block): void {
    const waiting = this.incomplete.get(block)
    this.sealed.add(block)
    this.incomplete.delete(block)
    if (waiting) for (const [variable, phi] of waiting) this.complete(variable, phi, block)
  }

  /** Finishes the function: drops unreachable blocks, resolves removed phis, and repeats until no phi is redundant. */
  finish(): Func {
    dropUnreachable(this.func)
    for (let again = true; again;) {
      again = false
      if (this.replaced.size > 0)
        for (const { instrs, term } of this.func.blocks) {
          for (let k = 0; k < instrs.length; k++) instrs[k].args = instrs[k].args.map(a => this.resolve(a))
          if (term.op === 'branch') term.cond = this.resolve(term.cond)
          if (term.op === 'return') term.args = term.args.map(a => this.resolve(a))
        }
      for (const block of this.func.blocks)
        if (block.instrs[0]?.op === 'phi')
          for (const phi of block.instrs.filter(i => i.op === 'phi'))
            if (this.simplify(phi, block) !== phi) again = true
    }
    return this.func
  }
}

/** Removes blocks that the entry does not reach, and their operands from phis. */
export function dropUnreachable(func: Func): void {
  const seen = new Uint8Array(func.nextId)
  const walk = [func.blocks[0]]
  let reached = 0
  while (walk.length) {
    const block = walk.pop()!
    if (seen[block.id]) continue
    seen[block.id] = 1
    reached++
    for (const target of block.term.targets) walk.push(target)
  }
  if (reached < func.blocks.length) func.blocks = func.blocks.filter(b => seen[b.id])
  for (const block of func.blocks) {
    if (block.preds.every(p => seen[p.id])) continue
    const keep = block.preds.map(p => seen[p.id])
    for (const i of block.instrs) if (i.op === 'phi') i.args = i.args.filter((_, k) => keep[k])
    block.preds = block.preds.filter((_, k) => keep[k])
  }
}
