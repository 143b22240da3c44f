// The strategies by name. Add one here and nowhere else.

import { replicated } from './replicated.js'
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

/** The strategy of a name or alias, or undefined. */
export const strategyNamed = (name: string): Strategy | undefined =>
  strategies[(aliases[name] ?? name) as StrategyName]
