// `switch`: the cases are compared in order, then control runs through the clauses, falling through as in JavaScript.

import { ts } from '../typescript.js'
import type { Ts } from '../typescript.js'
import { equality, expression } from './expressions.js'
import type { Lowering } from './lowering.js'
import { block } from './statements.js'

export function switchStatement(l: Lowering, node: Ts.SwitchStatement): void {
  const { builder } = l
  const value = expression(l, node.expression)
  const { clauses } = node.caseBlock
  const bodies = clauses.map(() => builder.block())
  const done = builder.block()
  for (const [k, clause] of clauses.entries()) {
    if (!ts.isCaseClause(clause) || !builder.here) continue
    l.at(clause.expression, () => {
      const equal = equality(l, '===', value, expression(l, clause.expression))
      const next = builder.block()
      if (equal.kind === 'constant') builder.jump(equal.value ? bodies[k] : next)
      else if (equal.kind === 'scalar') builder.branch(equal.leaves[0], bodies[k], next)
      else builder.branch(l.lost(), bodies[k], next)
      builder.seal(next)
      if (next.preds.length) builder.at(next)
    })
  }
  const other = clauses.findIndex(c => ts.isDefaultClause(c))
  builder.jump(other >= 0 ? bodies[other] : done)
  const targets = l.frames.at(-1)!.targets
  targets.push({ onBreak: done })
  for (const [k, clause] of clauses.entries()) {
    builder.jump(bodies[k])
    builder.seal(bodies[k])
    if (!bodies[k].preds.length) continue
    builder.at(bodies[k])
    block(l, clause.statements)
  }
  targets.pop()
  builder.jump(done)
  builder.seal(done)
  if (done.preds.length) builder.at(done)
}
