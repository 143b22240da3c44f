// The strategies by name. Add one here and nowhere else.

import { hybrid } from './hybrid.js'
import { hybridWithRecovery } from './hybrid-with-recovery.js'
import { rebalanced } from './rebalanced.js'
import { replicatedWithRecovery } from './replicated-with-recovery.js'
import { replicated } from './replicated.js'
import { replicatedByValue } from './replicated-by-value.js'
import { sharded } from './sharded.js'
import { shared, sharedForms, sharingForms } from './shared.js'
import { single } from './single.js'
import { aliases } from './strategy.js'
import type { SharingForm, Strategy, StrategyName } from './strategy.js'

export const strategies: Readonly<Partial<Record<StrategyName, Strategy>>> = {
  single,
  replicated,
  sharded,
  rebalanced,
  hybrid,
  shared,
}

/** Every strategy that can be verified, in all its forms. */
export const allStrategies: readonly Strategy[] = [
  single,
  replicated,
  replicatedByValue,
  sharded,
  rebalanced,
  hybrid,
  ...sharingForms.map(form => sharedForms[form]),
]

/** How the history of a replicated run travels. */
export const historyForms = ['reference', 'value'] as const

/**
 * The strategy of a name in the given form: of its history, by value over a transport that loses frames, or of sharing. What
 * sends no history is the same over such a transport.
 */
export function strategyWith(
  name: StrategyName,
  {
    history,
    recovery,
    sharing,
  }: {
    readonly history?: 'reference' | 'value'
    readonly recovery?: boolean
    readonly sharing?: SharingForm
  },
): Strategy | undefined {
  if (name === 'shared' && sharing) return sharedForms[sharing]
  if (name === 'hybrid' && recovery) return hybridWithRecovery
  if (name !== 'replicated') return strategies[name]
  return recovery ? replicatedWithRecovery : history === 'value' ? replicatedByValue : replicated
}

/** The strategies that have a contract over a transport that loses frames, in the form for it. */
export const lossyStrategies: readonly Strategy[] = [
  replicatedWithRecovery,
  sharded,
  rebalanced,
  hybridWithRecovery,
]

/** The strategy of a name or alias, or undefined. */
export const strategyNamed = (name: string): Strategy | undefined =>
  strategies[(aliases[name] ?? name) as StrategyName]
