// Names of labs and of places in them, as users type them.

import { namePattern } from '../../lab/description.js'
import { openLab } from '../../lab/lab.js'
import type { Lab } from '../../lab/lab.js'
import { keptLabs } from '../../lab/name.js'
import { calledAs } from '../called.js'
import { Failure, UsageError } from '../command.js'
import { exit } from '../exit.js'
import { hint } from '../nearest.js'

/** The lab that is meant where none is named. */
export const defaultLab = 'lab'

/** A lab's name out of at most one argument. */
export function labName(positionals: readonly string[]): string {
  const [name = defaultLab, more] = positionals
  if (more !== undefined) throw new UsageError(`one NAME of a lab is expected, and ${more} is another`)
  if (!namePattern.test(name))
    throw new UsageError(`${name} is no name of a lab: lower-case letters and digits, at most 21`)
  return name
}

/** A lab that is up. */
export function labNamed(name: string): Lab {
  const lab = openLab(name)
  if (lab) return lab
  const up = keptLabs()
  throw new Failure(
    `there is no lab ${name}; ${up.length ? `up are ${up.join(', ')}.${hint(name, up)}` : `make one: ${calledAs()} lab up`}`,
    exit.program,
  )
}

/** `NAMESPACE` of the default lab, or `LAB/NAMESPACE`. */
export function placeNamed(text: string): { readonly lab: Lab; readonly namespace: string } {
  const parts = text.split('/')
  if (parts.length > 2) throw new UsageError(`${text} is neither NAMESPACE nor LAB/NAMESPACE`)
  const namespace = parts.at(-1)!
  const lab = labNamed(parts.length === 2 ? parts[0] : defaultLab)
  if (lab.namespaces.includes(namespace)) return { lab, namespace }
  throw new Failure(
    `there is no namespace ${namespace} in this lab; there are ${lab.namespaces.join(', ')}.${hint(namespace, [...lab.namespaces])}`,
    exit.program,
  )
}
