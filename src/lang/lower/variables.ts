// Declarations of variables: `const` binds a value, `let` makes variables for the leaves of its shape.

import { ts } from '../typescript.js'
import type { Ts } from '../typescript.js'
import { annotated } from './annotations.js'
import { expression, withDefault } from './expressions.js'
import { asDeclared } from './functions.js'
import type { Lowering } from './lowering.js'
import { memberOf } from './members.js'
import { leafTypes, shapeOf, spread, variableShape } from './shape.js'
import type { Shape } from './shape.js'
import { errorValue, undefinedValue } from './value.js'
import type { Value } from './value.js'

/** `const a = …, b = …` or `let …`. */
export function variableDeclarations(l: Lowering, list: Ts.VariableDeclarationList): void {
  const constant = (list.flags & ts.NodeFlags.Const) !== 0
  for (const declaration of list.declarations) declareVariable(l, declaration, constant)
}

/** One declaration of a list. */
export function declareVariable(l: Lowering, declaration: Ts.VariableDeclaration, constant: boolean): void {
  l.at(declaration, () => {
    const shape = declaration.type && annotated(l, declaration.type)
    let value: Value = declaration.initializer ? expression(l, declaration.initializer) : undefinedValue
    if (!declaration.initializer && !shape && !constant) {
      l.report('uninitialised', { name: declaration.name.getText() })
      value = errorValue
    }
    if (shape && declaration.initializer) value = asDeclared(l, value, shape)
    bindVariable(l, declaration.name, value, !constant, constant ? undefined : shape)
  })
}

/** Binds a name, or the names of a pattern, to a value. */
export function bindVariable(
  l: Lowering,
  name: Ts.BindingName,
  value: Value,
  mutable: boolean,
  declared?: Shape,
): void {
  if (!ts.isIdentifier(name)) {
    name.elements.forEach((e, k) => {
      if (ts.isOmittedExpression(e)) return
      const part = l.at(e, () => partOf(l, value, e, k))
      bindVariable(l, e.name, part, mutable)
    })
    return
  }
  if (!mutable) {
    if (value.kind === 'scalar') for (const leaf of value.leaves) l.named(leaf, name.text)
    if (value.kind === 'optional') nameParts(l, value.value, name.text)
    l.scope.set(name.text, { kind: 'const', value })
    return
  }
  const first = shapeOf(value)
  if (!first && !declared) {
    l.report('notAValue', { found: l.describe(value) })
    l.scope.set(name.text, { kind: 'const', value: errorValue })
    return
  }
  const shape = declared ?? variableShape(first!)
  if (shape.kind === 'undefined') {
    l.report('uninitialised', { name: name.text })
    l.scope.set(name.text, { kind: 'const', value: errorValue })
    return
  }
  const leaves = leafTypes(shape).map(type => l.builder.variable(type, name.text))
  spread(l, value, shape).forEach((leaf, k) => {
    if (shape.kind === 'scalar') l.named(leaf, name.text)
    l.builder.write(leaves[k], leaf)
  })
  l.scope.set(name.text, { kind: 'let', name: name.text, shape, leaves })
}

/** What one element of a pattern asks for: a field by name, or an element by place; with its default. */
function partOf(l: Lowering, owner: Value, e: Ts.BindingElement, place: number): Value {
  const from = e.propertyName ?? e.name
  let part: Value = errorValue
  if (ts.isArrayBindingPattern(e.parent)) {
    if (owner.kind !== 'list') return errorValue
    const { length } = owner.items
    part = owner.items[place] ?? l.report('indexOutOfRange', { index: place, length })
  } else if (ts.isIdentifier(from) || ts.isStringLiteral(from)) part = memberOf(l, owner, from.text)
  return e.initializer ? withDefault(l, part, e.initializer) : part
}

function nameParts(l: Lowering, value: Value, name: string): void {
  if (value.kind === 'scalar') for (const leaf of value.leaves) l.named(leaf, name)
}
