// Why a program cannot run the way that was asked, with the place in its source.

import type { Compiled } from '../compile.js'
import { lineStarts, positionAt } from '../diagnostics/lines.js'
import type { Span } from '../ir/types.js'
import type { StrategyName } from '../strategy/strategy.js'

const sharded: ReadonlySet<StrategyName> = new Set(['sharded', 'rebalanced', 'hybrid'])

/** The reason in one sentence; undefined if the program itself does not stand in the strategy's way. */
export function refusal(compiled: Compiled, strategy: StrategyName): string | undefined {
  const { slice, sharding, program } = compiled
  if ((strategy === 'replicated' || strategy === 'hybrid') && 'reason' in slice)
    return `${program.name} cannot be replicated: ${withPlace(slice, compiled)}`
  if (sharded.has(strategy) && sharding.reason !== undefined)
    return `${program.name} cannot be sharded: ${withPlace({ ...sharding, reason: sharding.reason }, compiled)}`
  return undefined
}

/** The strategies that run a program on several workers. */
export function suitable({ slice, sharding }: Compiled): StrategyName[] {
  const all: (StrategyName | false)[] = [
    'extract' in slice && 'replicated',
    sharding.possible && 'sharded',
    sharding.possible && 'rebalanced',
    sharding.possible && 'extract' in slice && 'hybrid',
    'shared',
  ]
  return all.filter(name => name !== false)
}

/** A reason with the line it is about. */
export function withPlace(
  { reason, span }: { readonly reason: string; readonly span?: Span },
  { program }: Compiled,
): string {
  if (!span) return reason
  const { line, column } = positionAt(lineStarts(program.source), span.start)
  return `${reason} (${program.file}:${line}:${column})`
}
