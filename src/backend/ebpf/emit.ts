// Writes a function's assembly once every value has its place.
//
// Spilled operands are brought into r0 or r1 where they are needed, spilled results leave from there. layout.ts says in
// which order blocks stand; a jump to the next one is left out.

import { alu64, exit, fp, isLabel, ja, ldx, mov64, r0, r1, stx } from './asm.js'
import type { Code, Item, Label, Register } from './asm.js'
import type { Allocation, Location } from './allocate.js'
import { constant } from './constant.js'
import { layOut } from './layout.js'
import { isValue } from './machine.js'
import { sizeOf } from './memory.js'
import type { Block, Machine, Operand, Out, Source, Value } from './machine.js'
import { parallel, slotOffset } from './moves.js'
import { classes, jumps, modes } from './opcodes.js'
import { registerArguments } from './select.js'

export interface Emitted {
  readonly code: Code
  /** Bytes of the function's own stack frame. */
  readonly stack: number
}

export function emit(machine: Machine, allocation: Allocation): Emitted {
  return new Emission(machine, allocation).run()
}

class Emission implements Out {
  readonly trap: Label
  private readonly machine: Machine
  private readonly allocation: Allocation
  private readonly items: Item[] = []
  private labels = 0
  private trapped = false
  /** Slots for arguments and keys that go through memory; they stand below all others. */
  private outgoing = 0
  private origin: number | undefined
  /** What r0 and r1 hold of the slots, as they do from a store or load on until they or the slot change. */
  private readonly held = new Map<Register, number>()

  constructor(machine: Machine, allocation: Allocation) {
    this.machine = machine
    this.allocation = allocation
    this.trap = { label: `${machine.name}.trap` }
  }

  run(): Emitted {
    this.items.push({ label: this.machine.name })
    this.enter()
    const blocks = this.machine.straight ? layOut(this.machine.blocks) : this.machine.blocks
    blocks.forEach((b, k) => this.block(b, blocks[k + 1]))
    this.trapped ||= this.items.some(i => !isLabel(i) && i.target === this.trap)
    if (this.trapped) this.items.push(this.trap, mov64.imm(r0, 0), exit())
    return { code: this.items, stack: 8 * (this.own + this.outgoing) }
  }

  push(...items: Code): void {
    for (const i of items) {
      if (!isLabel(i) && this.origin !== undefined) i.origin = { at: this.origin }
      this.items.push(i)
      this.follow(i)
    }
  }

  label(): Label {
    return { label: `${this.machine.name}.${this.labels++}` }
  }

  read(operand: Operand, scratch: Register): Register {
    if (!isValue(operand)) {
      this.push(...constant(scratch, operand))
      return scratch
    }
    const again = this.allocation.again(operand)
    if (again) return this.readAgain(operand, again, scratch)
    const place = this.allocation.location(operand)
    if ('register' in place) return place.register
    if (this.held.get(scratch) === place.slot) return scratch
    this.push(ldx.dw(scratch, fp, slotOffset(place.slot)))
    this.held.set(scratch, place.slot)
    return scratch
  }

  /** What is read so has no slot: a negative number stands for it. */
  private readAgain({ id }: Value, { pointer, off, width }: Source, scratch: Register): Register {
    if (this.held.get(scratch) === -1 - id) return scratch
    this.push(ldx[sizeOf(width)](scratch, this.read(pointer, scratch), off))
    this.held.set(scratch, -1 - id)
    return scratch
  }

  into(register: Register, operand: Operand): void {
    const from = this.read(operand, register)
    if (from !== register) this.push(mov64.reg(register, from))
  }

  write(value: Value, scratch: Register, compute: (register: Register) => void): void {
    const place = this.allocation.location(value)
    if ('register' in place) return compute(place.register)
    compute(scratch)
    this.push(stx.dw(fp, slotOffset(place.slot), scratch))
    this.held.set(scratch, place.slot)
  }

  /** Forgets what an item overwrites. */
  private follow(item: Item): void {
    if (isLabel(item)) return this.held.clear()
    const kind = item.code & 7
    if (kind === classes.jmp || kind === classes.jmp32) {
      if ((item.code & 0xf0) === jumps.call) this.held.clear()
    } else if (kind === classes.stx || kind === classes.st) {
      // An exchange leaves what was there in a register.
      if ((item.code & 0xe0) === modes.atomic) this.held.clear()
      else if (item.dst === fp)
        for (const [register, slot] of this.held)
          if (slotOffset(slot) === item.off) this.held.delete(register)
    } else this.held.delete(item.dst as Register)
  }

  area(slots: number): number {
    this.outgoing = Math.max(this.outgoing, slots)
    return slotOffset(this.own + slots - 1)
  }

  kept(first: number, slots: number): number {
    return slotOffset(this.allocation.slots + first + slots - 1)
  }

  /** Slots above those that one instruction uses. */
  private get own(): number {
    return this.allocation.slots + (this.machine.kept ?? 0)
  }

  arguments(operands: readonly Operand[]): void {
    if (operands.length <= registerArguments) {
      const moves = operands.map((o, k) => ({ to: { register: k + 1 }, from: this.from(o) }))
      return this.push(...parallel(moves, r0, r0))
    }
    // The last slots of the frame are the callee's to read.
    const base = this.own
    this.outgoing = Math.max(this.outgoing, operands.length)
    operands.forEach((o, k) => {
      this.push(stx.dw(fp, slotOffset(base + k), this.read(o, r0)))
    })
    this.push(mov64.reg(r1, fp), alu64.add.imm(r1, slotOffset(base)))
  }

  private from(o: Operand): Location | bigint {
    return isValue(o) ? this.allocation.location(o) : o
  }

  private enter(): void {
    const { params } = this.machine
    // A parameter that nobody uses has a place all the same, because others must not be overwritten by it.
    if (params.length > registerArguments)
      params.forEach((p, k) => {
        this.write(p, r0, d => this.push(ldx.dw(d, r1, -8 * k)))
      })
    else {
      const moves = params.map((p, k) => ({ to: this.allocation.location(p), from: { register: k + 1 } }))
      this.push(...parallel(moves, r0, r0))
    }
  }

  private block(block: Block, next: Block | undefined): void {
    const labelOf = (b: Block): Label => ({ label: `${this.machine.name}.b${b.id}` })
    this.items.push(labelOf(block))
    this.held.clear()
    for (const s of block.steps) {
      if (s.dst && this.allocation.again(s.dst)) continue
      this.origin = s.origin
      s.write(this)
    }
    const { end } = block
    switch (end.kind) {
      case 'return':
        if (end.result !== undefined) this.into(r0, end.result)
        else this.push(mov64.imm(r0, 0))
        return this.push(exit())
      case 'trap':
        return this.push(ja(this.trap))
      case 'jump': {
        const [to] = end.targets
        const k = to.preds.indexOf(block)
        const moves = to.phis.map(p => ({ to: this.allocation.location(p.dst), from: this.from(p.args[k]) }))
        this.push(...parallel(moves, r0, r1))
        if (to !== next) this.push(ja(labelOf(to)))
        return
      }
      case 'branch': {
        const [yes, no] = end.targets
        // The verifier follows what falls through before what is jumped to, which it keeps in mind, 8,192 at most.
        if (this.machine.exitsFirst && yes.depth !== no.depth) {
          const staysIf = yes.depth > no.depth
          const [stay, leave] = staysIf ? [yes, no] : [no, yes]
          end.condition.jump(this, labelOf(stay), staysIf)
          if (leave !== next) this.push(ja(labelOf(leave)))
          return
        }
        if (yes === next) return end.condition.jump(this, labelOf(no), false)
        end.condition.jump(this, labelOf(yes), true)
        if (no !== next) this.push(ja(labelOf(no)))
      }
    }
  }
}
