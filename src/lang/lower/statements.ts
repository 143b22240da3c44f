// Statements. Loops and switches have files of their own.
//
// Promises: statements that control cannot reach are skipped.

import { ts } from '../typescript.js'
import type { Ts } from '../typescript.js'
import { condition } from './conditions.js'
import { expression } from './expressions.js'
import { asDeclared } from './functions.js'
import { forStatement, forOfStatement } from './loops.js'
import type { Lowering } from './lowering.js'
import { switchStatement } from './switch.js'
import { undefinedValue } from './value.js'
import { variableDeclarations } from './variables.js'

/** A list of statements in a scope of its own. */
export function block(l: Lowering, statements: readonly Ts.Statement[]): void {
  l.inner(() => {
    for (const s of statements) if (l.builder.here) statement(l, s)
  })
}

export function statement(l: Lowering, node: Ts.Statement): void {
  l.at(node, () => dispatch(l, node))
}

function dispatch(l: Lowering, node: Ts.Statement): void {
  if (ts.isVariableStatement(node)) return variableDeclarations(l, node.declarationList)
  if (ts.isExpressionStatement(node)) return void expression(l, node.expression)
  if (ts.isBlock(node)) return block(l, node.statements)
  if (ts.isIfStatement(node)) return ifStatement(l, node)
  if (ts.isReturnStatement(node)) return returnStatement(l, node)
  if (ts.isForStatement(node)) return forStatement(l, node)
  if (ts.isForOfStatement(node)) return forOfStatement(l, node)
  if (ts.isSwitchStatement(node)) return switchStatement(l, node)
  if (ts.isBreakStatement(node) || ts.isContinueStatement(node)) return jumpStatement(l, node)
  // Others are empty, or subset.ts has reported them.
}

function ifStatement(l: Lowering, node: Ts.IfStatement): void {
  const { builder } = l
  const [yes, no, done] = [builder.block(), builder.block(), builder.block()]
  condition(l, node.expression, yes, no)
  builder.seal(yes)
  builder.seal(no)
  for (const [block, arm] of [
    [yes, node.thenStatement],
    [no, node.elseStatement],
  ] as const) {
    if (!block.preds.length) continue
    builder.at(block)
    if (arm) l.inner(() => statement(l, arm))
    builder.jump(done)
  }
  builder.seal(done)
  if (done.preds.length) builder.at(done)
}

function returnStatement(l: Lowering, node: Ts.ReturnStatement): void {
  const frame = l.frames.at(-1)
  let value = node.expression ? expression(l, node.expression) : undefinedValue
  if (frame?.result) value = asDeclared(l, value, frame.result)
  const { builder } = l
  if (builder.here) {
    // The jump carries the statement's place, by which a trace tells which return was taken.
    const block = builder.block()
    builder.jump(block)
    builder.seal(block)
    frame?.exits.push({ block, value })
  }
  builder.leave()
}

function jumpStatement(l: Lowering, node: Ts.BreakOrContinueStatement): void {
  const targets = l.frames.at(-1)?.targets ?? []
  const target = ts.isBreakStatement(node)
    ? targets.at(-1)?.onBreak
    : targets.findLast(t => t.onContinue)?.onContinue
  if (target) l.builder.jump(target)
}
