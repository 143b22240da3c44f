/** What a place in a random program can name: variables, views, entries, and what it must leave alone. */

import type { ViewName } from '../../src/lang/members.js'
import type { Declarations } from './declarations.js'
import type { Draw } from './draw.js'
import type { Scalar, Shape } from './types.js'

export interface Variable {
  readonly name: string
  readonly type: Scalar
  readonly mutable: boolean
  /** A constant of literals: TypeScript knows its value. */
  readonly literal?: boolean
}

/** Something with named scalar fields: an entry (which can be changed in place) or a snapshot. */
export interface Fielded {
  readonly name: string
  readonly fields: Shape['fields']
  readonly mutable: boolean
}

/** A helper function. */
export interface Helper {
  readonly name: string
  readonly parameters: readonly Scalar[]
  readonly packet: boolean
  readonly result: Scalar
  /** It changes state, so that entries held by its caller may move. */
  readonly mutates: boolean
}

export interface Globals {
  readonly draw: Draw
  readonly declared: Declarations
  readonly helpers: Helper[]
  /** Statements that may still be made. */
  budget: number
  /** Number of the next name. */
  next: number
  /** Set when a statement that changes state is made. */
  mutated: boolean
}

export class Scope {
  readonly globals: Globals
  readonly variables: Variable[]
  readonly views: { readonly name: string; readonly view: ViewName }[]
  readonly fielded: Fielded[]
  /** Records and variables that fit as keys of an object. */
  readonly keys: { readonly object: string; readonly name: string }[]
  /** Tables of which an entry is held. */
  readonly locked: Set<string>
  /** Members of views that are known to be absent here; TypeScript refuses to look behind them. */
  readonly absent: ReadonlySet<string>
  /** How often the innermost statement runs per packet, at most; and whether a loop surrounds it. */
  readonly repeats: number
  readonly inLoop: boolean
  readonly inSwitch: boolean
  /** What `return` gives: a type, or a verdict. */
  readonly result: Scalar | undefined

  constructor(globals: Globals, result: Scalar | undefined, from?: Scope, more: Partial<Scope> = {}) {
    this.globals = globals
    this.result = result
    this.variables = [...(from?.variables ?? [])]
    this.views = [...(from?.views ?? [])]
    this.fielded = [...(from?.fielded ?? [])]
    this.keys = [...(from?.keys ?? [])]
    this.locked = new Set(more.locked ?? from?.locked)
    this.absent = new Set([...(from?.absent ?? []), ...(more.absent ?? [])])
    this.repeats = more.repeats ?? from?.repeats ?? 1
    this.inLoop = more.inLoop ?? from?.inLoop ?? false
    this.inSwitch = more.inSwitch ?? from?.inSwitch ?? false
  }

  get draw(): Draw {
    return this.globals.draw
  }

  get declared(): Declarations {
    return this.globals.declared
  }

  /** A scope inside this one. */
  inner(more: Partial<Scope> = {}): Scope {
    return new Scope(this.globals, this.result, this, more)
  }

  fresh(stem: string): string {
    return `${stem}${this.globals.next++}`
  }
}
