// A tracer that keeps what the interpreter did to one packet, in order.

import type { Tracer, Value } from '../../ir/access.js'
import type { Block, Instr, Span } from '../../ir/types.js'

export type Event =
  | {
      readonly kind: 'value'
      readonly instr: Instr
      /** Undefined for operations without a result. */
      readonly value: Value | undefined
      /** The operands' values at that time. */
      readonly args: readonly (Value | undefined)[]
      /** What else is to be said about a look-up that found nothing. */
      readonly remark?: string | undefined
      readonly span: Span
    }
  | { readonly kind: 'branch'; readonly taken: boolean; readonly span: Span }
  | { readonly kind: 'jump'; readonly span: Span }

/** Asked for a remark when `table.find` finds nothing, while state is as the program sees it. */
export type Remark = (object: string, key: readonly Value[]) => string | undefined

export class Recorder implements Tracer {
  readonly events: Event[] = []
  private readonly remark: Remark
  private readonly values = new Map<Instr, Value>()

  constructor(remark: Remark) {
    this.remark = remark
  }

  instr(instr: Instr, value: Value | undefined): void {
    if (value !== undefined) this.values.set(instr, value)
    if (!instr.span) return
    // A phi's operands belong to other ways here.
    const args = instr.op === 'phi' ? [] : instr.args.map(a => this.values.get(a))
    const missed = instr.op === 'table.find' && value === 0
    const remark = missed ? this.remark(String(instr.attrs.object), args as Value[]) : undefined
    this.events.push({ kind: 'value', instr, value, args, remark, span: instr.span })
  }

  branch(block: Block, taken: boolean): void {
    const { span } = block.term
    if (span) this.events.push({ kind: 'branch', taken, span })
  }

  jump(block: Block): void {
    const { span } = block.term
    if (span) this.events.push({ kind: 'jump', span })
  }
}
