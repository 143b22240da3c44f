// Where the output cache is.

import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'

/** HAIRPIN_CACHE names the cache's folder; empty switches it off. */
export function cacheFolder(): string | undefined {
  const chosen = process.env.HAIRPIN_CACHE
  if (chosen !== undefined) return chosen === '' ? undefined : chosen
  const base = process.env.XDG_CACHE_HOME ?? join(homedir() || tmpdir(), '.cache')
  return join(base, 'hairpin')
}
