// From what the interpreter did to the statements that ran, in order.
//
// Every event has a place, and the calls that it was inlined for; events of one statement in a row are a step.
// Statements that compute nothing of their own leave no event; they are put back where control must have passed
// through them. Read source.ts and recorder.ts first.

import type { Call, Span } from '../../ir/types.js'
import { ts } from '../../lang/typescript.js'
import type { Ts } from '../../lang/typescript.js'
import type { Event } from './recorder.js'
import { functionOf, listOf } from './source.js'
import type { SourceIndex } from './source.js'

export interface Step {
  readonly statement: Ts.Statement
  /** The call of its function; undefined in the packet function. */
  readonly call: Call | undefined
  /** Calls that are open around it. */
  readonly depth: number
  /** True if the statement goes on after a call inside it. */
  readonly continued: boolean
  readonly events: Event[]
  /** Statements on the same line that ran as part of it. */
  readonly inner: Ts.Statement[]
}

/** A function that is being executed. */
interface Frame {
  /** The call that it was inlined for; undefined for the packet function. */
  readonly call: Call | undefined
  last: Step | undefined
}

export function stepsOf(events: readonly Event[], index: SourceIndex): Step[] {
  const walk = new Walk(index)
  for (const event of events) walk.take(event)
  return walk.steps
}

class Walk {
  readonly steps: Step[] = []
  private readonly index: SourceIndex
  private readonly stack: Frame[] = [{ call: undefined, last: undefined }]

  constructor(index: SourceIndex) {
    this.index = index
  }

  take(event: Event): void {
    const { span } = event
    const statement = this.index.ownerOf(span)
    // Jumps at the end of an `if` or a loop stand for the whole of it; only those of statements count.
    if (!statement || (event.kind === 'jump' && !isLeaving(statement, event))) return
    // A phi of a variable stands where paths meet, under the name of a place that reads it later.
    const phi = event.kind === 'value' && event.instr.op === 'phi'
    if (phi && !this.stack.some(f => f.call === span.call && f.last?.statement === statement)) return
    this.reach(this.frameOf(span), statement, event)
    this.stack.at(-1)!.last!.events.push(event)
  }

  /** The frame of a place: the current one, an outer one after a return, or one for a new call. */
  private frameOf({ call }: Span): Frame {
    const known = this.stack.findLastIndex(f => f.call === call)
    if (known >= 0) this.stack.length = known + 1
    else {
      const statement = this.index.ownerOf(call!.span)
      const caller = this.frameOf(call!.span)
      if (statement) this.reach(caller, statement)
      this.stack.push({ call, last: undefined })
    }
    return this.stack.at(-1)!
  }

  /** Makes `statement` the last one of the frame: it goes on, or a new step begins. */
  private reach(frame: Frame, statement: Ts.Statement, event?: Event): void {
    const { last } = frame
    const same = last && (last.statement === statement || last.inner.includes(statement))
    // The head of a loop does not go on after its body's calls, it begins the next round.
    const round = same && ts.isForStatement(statement) && this.steps.at(-1) !== last
    const again = round || (same && event?.kind === 'value' && last.events.some(e => isSame(e, event)))
    if (!same && last && this.isWithin(statement, last)) last.inner.push(statement)
    else if (!same || again) this.open(frame, statement)
    else if (this.steps.at(-1) !== last && event) this.push(frame, statement, true)
  }

  /** True if a statement belongs to the last step's statement and begins on the line that it is shown with. */
  private isWithin(statement: Ts.Statement, last: Step): boolean {
    const lines = this.index.linesOf(last.statement)
    const inside =
      last.statement.getStart() < statement.getStart() && statement.getEnd() <= last.statement.getEnd()
    return inside && this.index.line(statement.getStart()) <= lines.at(-1)!.number
  }

  /** Begins a step, after those that must have come before it without a trace. */
  private open(frame: Frame, statement: Ts.Statement): void {
    if (functionOf(statement))
      for (const silent of silentBefore(frame.last, statement)) this.push(frame, silent, false)
    this.push(frame, statement, false)
  }

  private push(frame: Frame, statement: Ts.Statement, continued: boolean): void {
    const depth = this.stack.indexOf(frame)
    frame.last = { statement, call: frame.call, depth, continued, events: [], inner: [] }
    this.steps.push(frame.last)
  }
}

const isSame = (a: Event, b: Event): boolean =>
  a.kind === 'value' && b.kind === 'value' && a.instr === b.instr

/** True if a jump is that of a return, break or continue. */
function isLeaving(statement: Ts.Statement, { span }: Event): boolean {
  const exact = statement.getStart() === span.start && statement.getEnd() === span.end
  return (
    exact &&
    (ts.isReturnStatement(statement) || ts.isBreakStatement(statement) || ts.isContinueStatement(statement))
  )
}

/** Statements between the last step and this one in the lists that lead to it, as far as they only bind or evaluate. */
function silentBefore(last: Step | undefined, statement: Ts.Statement): Ts.Statement[] {
  const found: Ts.Statement[] = []
  for (let node: Ts.Node = statement; node.parent && !ts.isFunctionDeclaration(node); node = node.parent) {
    const list = listOf(node)
    if (!list) continue
    const to = list.indexOf(node as Ts.Statement)
    const from = last ? list.findIndex(s => isInside(last.statement, s)) : -1
    // Earlier in the list after a later one: the next round of a loop.
    const first = from > to ? 0 : from + 1
    found.unshift(...list.slice(first, to).filter(isSilent))
    if (from >= 0) break
  }
  return found
}

const isInside = (inner: Ts.Node, outer: Ts.Node): boolean =>
  outer.getStart() <= inner.getStart() && inner.getEnd() <= outer.getEnd()

const isSilent = (s: Ts.Statement): boolean => ts.isVariableStatement(s) || ts.isExpressionStatement(s)
