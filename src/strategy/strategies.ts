// The strategies by name. Add one here and nowhere else.

import { replicatedWithRecovery } from './replicated-with-recovery.js'
import { replicated } from './replicated.js'
import { replicatedByValue } from './replicated-by-value.js'
import { sharded } from './sharded.js'
import { shared } from './shared.js'
import { single } from './single.js'
import { aliases } from './strategy.js'
import type { Strategy, StrategyName } from './strategy.js'

export const strategies: Readonly<Partial<Record<StrategyName, Strategy>>> = {
  single,
  replicated,
  sharded,
  shared,
}

/** Every strategy that can be verified, replication in both forms. */
export const allStrategies: readonly Strategy[] = [single, replicated, replicatedByValue, sharded, shared]

/** How the history of a replicated run travels. */
export const historyForms = ['reference', 'value'] as const

/** The strategy of a name, with the history in the given form, or by value over a transport that loses frames. */
export function strategyWith(
  name: StrategyName,
  history: 'reference' | 'value' | undefined,
  recovery = false,
): Strategy | undefined {
  if (name !== 'replicated') return strategies[name]
  return recovery ? replicatedWithRecovery : history === 'value' ? replicatedByValue : replicated
}

/** The strategy of a name or alias, or undefined. */
export const strategyNamed = (name: string): Strategy | undefined =>
  strategies[(aliases[name] ?? name) as StrategyName]
