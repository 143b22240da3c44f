// hairpin lab list: the labs of this machine: those that stay, those of running processes, and leftovers.

import { openLab } from '../../lab/lab.js'
import { foundNamespaces, keptLabs } from '../../lab/name.js'
import { isAlive } from '../../sys/process.js'
import { calledAs } from '../called.js'
import { UsageError } from '../command.js'
import type { Flags, Io } from '../command.js'
import { exit } from '../exit.js'
import { isSet } from '../flags.js'
import { withKernel } from '../kernel.js'
import { devicesOf, devicesText } from './devices.js'
import type { LabDevice } from './devices.js'

interface Kept {
  readonly lab: string
  readonly devices: readonly LabDevice[]
}

interface Temporary {
  readonly name: string
  readonly pid: number
  /** Its process is gone; the next `lab down` or `lab up` removes it. */
  readonly leftover: boolean
}

export async function labList(flags: Flags, io: Io): Promise<number> {
  if (flags.positionals.length)
    throw new UsageError(`lab list takes no argument, such as ${flags.positionals[0]}`)
  const labs: Kept[] = withKernel(() =>
    keptLabs().flatMap(lab => {
      const found = openLab(lab)
      return found ? [{ lab, devices: devicesOf(found) }] : []
    }),
  )
  const owned = foundNamespaces().flatMap(({ lab, owner }) =>
    owner ? [{ name: lab, pid: owner.pid, leftover: !isAlive(owner) }] : [],
  )
  const temporary = [...new Map(owned.map(o => [o.name, o])).values()]
  if (isSet(flags, 'json')) io.out(`${JSON.stringify({ labs, temporary })}\n`)
  else io.out(page(labs, temporary))
  return exit.ok
}

function page(labs: readonly Kept[], temporary: readonly Temporary[]): string {
  if (labs.length + temporary.length === 0) return `no lab is up; make one: ${calledAs()} lab up\n`
  return [
    ...labs.map(({ lab, devices }) => `lab ${lab}\n\n${devicesText(devices)}\n\n`),
    ...temporary.map(({ name, pid, leftover }) =>
      leftover
        ? `${name}: left behind by process ${pid}; ${calledAs()} lab down removes it\n`
        : `${name}: of process ${pid}, with which it goes\n`,
    ),
  ].join('')
}
