// `--sharing`: how workers that share one state are kept apart; without it, by the least that is safe.

import type { Compiled } from '../compile.js'
import type { Artifact } from '../engine/artifact.js'
import { sharedForms, sharingForms } from '../strategy/shared.js'
import type { SharingForm, Strategy } from '../strategy/strategy.js'
import { Failure, UsageError } from './command.js'
import type { Flags } from './command.js'
import { exit } from './exit.js'
import { text } from './flags.js'
import { withPlace } from './refusal.js'

/** The form asked for; refused where no strategy shares. */
export function sharingOf(flags: Flags, strategies: readonly Strategy[]): SharingForm | undefined {
  const given = text(flags, 'sharing')
  if (given === undefined) return undefined
  const form = sharingForms.find(f => f === given)
  if (!form) throw new UsageError(`--sharing takes ${sharingForms.join(', ')}, not ${given}`)
  if (!strategies.some(s => s.name === 'shared'))
    throw new UsageError(`--sharing is of strategy shared; strategy ${strategies[0].name} shares nothing`)
  return form
}

/** A strategy in the form asked for, or in the least that is safe; fails with the place where that one is not. */
export async function inForm(
  strategy: Strategy,
  asked: SharingForm | undefined,
  { name, sharing }: Artifact,
  compiled: () => Promise<Compiled>,
): Promise<Strategy> {
  if (strategy.name !== 'shared') return strategy
  const form = asked ?? sharing.forms[0]
  if (sharing.forms.includes(form)) return sharedForms[form]
  const program = await compiled()
  const why = program.sharing.refused[form]
  throw new Failure(
    `${name} cannot be shared with ${form}${why ? `: ${withPlace(why, program)}` : ''}\n` +
      `It is safe with --sharing ${sharing.forms.join(' or ')}.`,
    exit.program,
  )
}
