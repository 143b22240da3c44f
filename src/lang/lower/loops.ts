// `for` loops whose number of iterations is known to be bounded, and `for … of` over literal arrays, unrolled.
//
// A `for` declares a counter with a constant start, steps it by a constant, and compares it with a constant: alone or
// joined to other conditions by `&&`. Nothing else may assign the counter. The bound is then arithmetic, and its
// proof stands here; other forms are reported with the reason. Decision: docs/decisions/0071-bounded-loops.md.

import { ts } from '../typescript.js'
import type { Ts } from '../typescript.js'
import { scalars } from '../types.js'
import type { ScalarType } from '../types.js'
import { annotated } from './annotations.js'
import { condition } from './conditions.js'
import { expression } from './expressions.js'
import { isAssigned } from './functions.js'
import { fits } from './integers.js'
import type { Lowering } from './lowering.js'
import { statement } from './statements.js'
import { scalar } from './value.js'
import { bindVariable, declareVariable } from './variables.js'

/** The most iterations one loop may have. */
export const maxIterations = 65536n
/** The most elements a `for … of` is unrolled over. */
export const maxUnrolled = 64

interface Counter {
  readonly name: string
  readonly start: bigint
  /** Of the variable, which also holds the value that ends the loop. */
  readonly type: ScalarType
  /** Of its values in the body. */
  readonly inside: ScalarType
}

export function forStatement(l: Lowering, node: Ts.ForStatement): void {
  l.inner(() => {
    const init = node.initializer
    const counter = init && ts.isVariableDeclarationList(init) ? provenCounter(l, node, init) : undefined
    if (init && ts.isVariableDeclarationList(init)) {
      if (!counter) return void l.report('unboundedFor', { why: l.why ?? 'no counter is declared' }, node)
      const declared = init.declarations
      for (const d of declared)
        if (d.name.getText() === counter.name)
          l.at(d, () => {
            const shape = { kind: 'scalar', type: counter.type } as const
            bindVariable(l, d.name, { kind: 'constant', sort: 'number', value: counter.start }, true, shape)
          })
        else declareVariable(l, d, false)
    } else return void l.report('unboundedFor', { why: 'it declares no counter' }, node)
    loop(l, node, counter)
  })
}

function loop(l: Lowering, node: Ts.ForStatement, counter: Counter): void {
  const { builder } = l
  const [header, body, next, done] = [builder.block(), builder.block(), builder.block(), builder.block()]
  const binding = l.scope.get(counter.name)!
  builder.jump(header)
  builder.at(header)
  condition(l, node.condition!, body, done)
  builder.seal(body)
  if (body.preds.length) builder.at(body)
  const targets = l.frames.at(-1)!.targets
  targets.push({ onBreak: done, onContinue: next })
  if (binding.kind === 'let') l.iterations.push(binding.leaves[0])
  l.inner(() => {
    // Nothing in the body assigns the counter, and there it has not yet its last value.
    if (binding.kind === 'let') {
      const value = scalar(counter.inside, builder.read(binding.leaves[0]))
      l.scope.set(counter.name, { kind: 'const', value })
    }
    statement(l, node.statement)
  })
  l.iterations.pop()
  targets.pop()
  builder.jump(next)
  builder.seal(next)
  if (next.preds.length) {
    builder.at(next)
    for (const step of commaParts(node.incrementor!)) expression(l, step)
    builder.jump(header)
  }
  builder.seal(header)
  builder.seal(done)
  if (done.preds.length) builder.at(done)
}

/** The operands of a comma expression. */
function commaParts(node: Ts.Expression): Ts.Expression[] {
  if (ts.isParenthesizedExpression(node)) return commaParts(node.expression)
  if (ts.isBinaryExpression(node) && node.operatorToken.kind === ts.SyntaxKind.CommaToken)
    return [...commaParts(node.left), ...commaParts(node.right)]
  return [node]
}

/** The operands of nested `&&`. */
function conjuncts(node: Ts.Expression): Ts.Expression[] {
  if (ts.isParenthesizedExpression(node)) return conjuncts(node.expression)
  if (ts.isBinaryExpression(node) && node.operatorToken.kind === ts.SyntaxKind.AmpersandAmpersandToken)
    return [...conjuncts(node.left), ...conjuncts(node.right)]
  return [node]
}

/** The declared variable that bounds the loop; on failure `l.why` says what is missing. */
function provenCounter(
  l: Lowering,
  node: Ts.ForStatement,
  init: Ts.VariableDeclarationList,
): Counter | undefined {
  l.why = undefined
  for (const d of init.declarations) {
    if (!ts.isIdentifier(d.name) || !d.initializer) continue
    const found = prove(l, node, d.name.text, d)
    if (typeof found === 'string') l.why ??= found
    else return found
  }
  return undefined
}

function constantOf(l: Lowering, node: Ts.Expression): bigint | undefined {
  const value = l.scratch(() => expression(l, node))
  return value.kind === 'constant' && value.sort === 'number' ? value.value : undefined
}

function prove(
  l: Lowering,
  node: Ts.ForStatement,
  name: string,
  declaration: Ts.VariableDeclaration,
): Counter | string {
  const start = constantOf(l, declaration.initializer!)
  if (start === undefined) return `\`${name}\` does not start at a constant`
  if (!node.condition || !node.incrementor) return 'the condition or the step is missing'
  const steps = commaParts(node.incrementor)
  const by = steps.map(s => stepOf(l, s, name)).find(s => s !== undefined)
  if (by === undefined || by === 0n) return `the step does not add a constant to \`${name}\``
  if (steps.filter(s => isAssigned(name, s)).length > 1) return `\`${name}\` is stepped twice`
  if (isAssigned(name, node.statement) || isAssigned(name, node.condition))
    return `\`${name}\` is assigned in the loop as well`
  let iterations: bigint | undefined
  for (const c of conjuncts(node.condition)) {
    const n = boundOf(l, c, name, start, by)
    if (n !== undefined && (iterations === undefined || n < iterations)) iterations = n
  }
  if (iterations === undefined)
    return `the condition does not compare \`${name}\` with a constant it must reach`
  if (iterations > maxIterations) return `it can run ${iterations} times; ${maxIterations} is the most`
  const last = start + by * iterations
  const declared = declaration.type && annotated(l, declaration.type)
  const smallest = (end: bigint): ScalarType | undefined =>
    [scalars.u8, scalars.u16, scalars.i32, scalars.u32].find(t => fits(start, t) && fits(end, t))
  const type = declared?.kind === 'scalar' ? declared.type : smallest(last)
  if (!type || !fits(start, type) || !fits(last, type)) return `\`${name}\` would leave the range of its type`
  const inside = declared ? type : (smallest(last - by) ?? type)
  return { name, start, type, inside }
}

/** The constant that an expression adds to the variable, if that is what it does. */
function stepOf(l: Lowering, node: Ts.Expression, name: string): bigint | undefined {
  if (ts.isPrefixUnaryExpression(node) || ts.isPostfixUnaryExpression(node)) {
    if (!ts.isIdentifier(node.operand) || node.operand.text !== name) return undefined
    if (node.operator === ts.SyntaxKind.PlusPlusToken) return 1n
    return node.operator === ts.SyntaxKind.MinusMinusToken ? -1n : undefined
  }
  if (!ts.isBinaryExpression(node) || !ts.isIdentifier(node.left) || node.left.text !== name) return undefined
  const by = constantOf(l, node.right)
  if (by === undefined) return undefined
  if (node.operatorToken.kind === ts.SyntaxKind.PlusEqualsToken) return by
  return node.operatorToken.kind === ts.SyntaxKind.MinusEqualsToken ? -by : undefined
}

/** How often `name` can pass this comparison, starting at `start`; undefined if the comparison sets no bound. */
function boundOf(
  l: Lowering,
  node: Ts.Expression,
  name: string,
  start: bigint,
  by: bigint,
): bigint | undefined {
  if (!ts.isBinaryExpression(node)) return undefined
  const isName = (e: Ts.Expression): boolean => ts.isIdentifier(e) && e.text === name
  const flipped = !isName(node.left)
  if (flipped && !isName(node.right)) return undefined
  const limit = constantOf(l, flipped ? node.left : node.right)
  if (limit === undefined) return undefined
  const operator = ts.tokenToString(node.operatorToken.kind)!
  const mirrored: Record<string, string> = { '<': '>', '<=': '>=', '>': '<', '>=': '<=' }
  const op = flipped ? (mirrored[operator] ?? operator) : operator
  const up = by > 0n
  const size = up ? by : -by
  const distance = up ? limit - start : start - limit
  const passes = (d: bigint): bigint => (d <= 0n ? 0n : (d + size - 1n) / size)
  if (op === '!==') return distance >= 0n && distance % size === 0n ? distance / size : undefined
  if (op === (up ? '<' : '>')) return passes(distance)
  if (op === (up ? '<=' : '>=')) return passes(distance + 1n)
  return undefined
}

export function forOfStatement(l: Lowering, node: Ts.ForOfStatement): void {
  const list = expression(l, node.expression)
  if (list.kind === 'error') return
  if (
    list.kind !== 'list' ||
    list.items.length > maxUnrolled ||
    !ts.isVariableDeclarationList(node.initializer)
  )
    return void l.report('forOf', { found: l.describe(list), most: maxUnrolled }, node.expression)
  const { builder } = l
  const done = builder.block()
  const targets = l.frames.at(-1)!.targets
  const [declaration] = node.initializer.declarations
  for (const item of list.items) {
    const next = builder.block()
    targets.push({ onBreak: done, onContinue: next })
    l.inner(() => {
      bindVariable(l, declaration.name, item, false)
      statement(l, node.statement)
    })
    targets.pop()
    builder.jump(next)
    builder.seal(next)
    if (next.preds.length) builder.at(next)
    else break
  }
  builder.jump(done)
  builder.seal(done)
  if (done.preds.length) builder.at(done)
}
