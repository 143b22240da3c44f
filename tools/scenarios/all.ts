/** Every scenario, in the order in which the programs are listed. */

import { scenarios as connectionTracker } from './connection-tracker.js'
import { scenarios as ddosMitigator } from './ddos-mitigator.js'
import { scenarios as dnsFlood } from './dns-flood.js'
import { scenarios as forwarders } from './forwarders.js'
import { scenarios as heavyHitter } from './heavy-hitter.js'
import { scenarios as keyValueCache } from './key-value-cache.js'
import { scenarios as portKnocking } from './port-knocking.js'
import type { Scenario } from './scenario.js'
import { scenarios as sourceNat } from './source-nat.js'
import { scenarios as tokenBucket } from './token-bucket.js'

export const scenarios: readonly Scenario[] = [
  ...portKnocking,
  ...ddosMitigator,
  ...dnsFlood,
  ...heavyHitter,
  ...tokenBucket,
  ...connectionTracker,
  ...sourceNat,
  ...keyValueCache,
  ...forwarders,
]
