// `--change PACKETS:NAME=VALUE`: parameters and rule tables that change after so many packets.

import type { Artifact } from '../engine/artifact.js'
import type { Revision } from '../engine/revision.js'
import { UsageError } from './command.js'
import type { Flags } from './command.js'
import { texts } from './flags.js'
import { rowsFrom, rowsOf, rulesOf, settingsFrom } from './inputs.js'
import { hint } from './nearest.js'

/** The changes in the order of their packets; those after the same number are one. */
export function changesOf(flags: Flags, artifact: Artifact): Revision[] {
  const settings = artifact.settings.map(s => s.name)
  const tables = artifact.rules.map(r => r.name)
  const known = [...settings, ...tables]
  const given = texts(flags, 'change').map(change => {
    const match = /^(\d[\d_]*):([^=]+)=(.+)$/.exec(change)
    const after = match && Number(match[1].replaceAll('_', ''))
    if (!match || !Number.isSafeInteger(after))
      throw new UsageError(
        `--change takes PACKETS:NAME=VALUE, such as 1000:limit=5 or 1000:rules=FILE, not ${change}`,
      )
    const [, , name, value] = match
    if (!known.includes(name))
      throw new UsageError(
        `${artifact.name} has no parameter or rule table ${name}; it has ${known.join(', ') || 'none'}.${hint(name, known)}`,
      )
    return { after: after!, name, value }
  })
  if (given.length === 0) return []
  // Tables that do not change keep their rules: a block holds all of them.
  let rows = rowsOf(flags, artifact)
  return [...new Set(given.map(g => g.after))]
    .toSorted((a, b) => a - b)
    .map(after => {
      const now = given.filter(g => g.after === after).map(g => [g.name, g.value] as const)
      const [values, files] = [settings, tables].map(names => now.filter(([name]) => names.includes(name)))
      rows = { ...rows, ...rowsFrom(files, artifact) }
      const rules = files.length ? rulesOf(flags, artifact, rows, files) : undefined
      return {
        after,
        settings: settingsFrom(values, '--change', artifact.name, artifact.settings),
        ...(rules && { rules }),
      }
    })
}
