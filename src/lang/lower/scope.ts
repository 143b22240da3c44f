// Lexical scopes: what a name means at a place in the program.

import type { Variable } from '../../ir/builder.js'
import type { Shape } from './shape.js'
import type { Value } from './value.js'

/** A name is bound to a value for good, or to variables that assignments write. */
export type Binding =
  | { readonly kind: 'const'; readonly value: Value }
  | {
      readonly kind: 'let'
      readonly name: string
      readonly shape: Shape
      readonly leaves: readonly Variable[]
    }

export class Scope {
  private readonly names = new Map<string, Binding>()
  readonly parent: Scope | undefined

  constructor(parent?: Scope) {
    this.parent = parent
  }

  set(name: string, binding: Binding): void {
    this.names.set(name, binding)
  }

  get(name: string): Binding | undefined {
    return this.names.get(name) ?? this.parent?.get(name)
  }

  /** The module's scope. */
  get root(): Scope {
    return this.parent?.root ?? this
  }
}
