// hairpin lab up: makes a lab that stays, or one that goes with this process.

import { problemsOf } from '../../lab/description.js'
import type { LabDescription } from '../../lab/description.js'
import { readDescription } from '../../lab/file.js'
import { up } from '../../lab/lab.js'
import type { Lab } from '../../lab/lab.js'
import { keptLabs } from '../../lab/name.js'
import { defaultTopology, topologies } from '../../lab/topologies.js'
import { calledAs } from '../called.js'
import { Failure, UsageError } from '../command.js'
import type { Flags, Io } from '../command.js'
import { exit } from '../exit.js'
import { isSet, text } from '../flags.js'
import { readText } from '../inputs.js'
import { withKernel } from '../kernel.js'
import { hint } from '../nearest.js'
import { devicesOf, devicesText } from './devices.js'
import { defaultLab, labName } from './names.js'

export async function labUp(flags: Flags, io: Io): Promise<number> {
  const name = labName(flags.positionals)
  const foreground = isSet(flags, 'foreground')
  const { description, what } = descriptionOf(flags)
  if (keptLabs().includes(name))
    throw new Failure(
      `lab ${name} is up already; take it down: ${calledAs()} lab down${argument(name)}`,
      exit.program,
    )
  const interrupted = new Promise<number>(resolve => {
    if (!foreground) return
    process.once('SIGINT', () => resolve(exit.interrupted))
    process.once('SIGTERM', () => resolve(exit.interrupted))
  })
  const lab = withKernel(() => up(description, { keep: name }))
  const devices = devicesOf(lab)
  if (isSet(flags, 'json')) io.out(`${JSON.stringify({ event: 'up', lab: name, devices })}\n`)
  else io.out(`lab ${name}: ${what}\n\n${devicesText(devices)}\n\n${nextText(lab, name, foreground)}`)
  if (!foreground) return exit.ok
  // The event loop has nothing else to wait for.
  const alive = setInterval(() => {}, 2 ** 30)
  const code = await interrupted
  clearInterval(alive)
  lab.down()
  if (isSet(flags, 'json')) io.out(`${JSON.stringify({ event: 'down', lab: name })}\n`)
  else io.out(`lab ${name} is down\n`)
  return code
}

function descriptionOf(flags: Flags): { readonly description: LabDescription; readonly what: string } {
  const file = text(flags, 'file')
  const topology = text(flags, 'topology')
  if (file !== undefined && topology !== undefined)
    throw new UsageError('a lab comes from --topology or from --file, not from both')
  if (file === undefined) {
    const wanted = topology ?? defaultTopology
    const names = Object.keys(topologies)
    if (!Object.hasOwn(topologies, wanted))
      throw new UsageError(`--topology takes ${names.join(', ')}, not ${wanted}.${hint(wanted, names)}`)
    const { description, summary } = topologies[wanted]
    return { description, what: summary }
  }
  const read = readDescription(readText(file, 'description of a lab'))
  const problems = 'pairs' in read ? problemsOf(read) : read
  if (problems.length > 0) throw new Failure(`${file}:\n  ${problems.join('\n  ')}`, exit.usage)
  return { description: read as LabDescription, what: `as in ${file}` }
}

const argument = (name: string): string => (name === defaultLab ? '' : ` ${name}`)

function nextText({ namespaces }: Lab, name: string, foreground: boolean): string {
  if (foreground) return 'it goes with this process: Ctrl-C\n'
  const place = `${name === defaultLab ? '' : `${name}/`}${namespaces[0]}`
  return [
    'next',
    `  ${calledAs()} lab run ${place} -- COMMAND`,
    `  ${calledAs()} lab down${argument(name)}`,
    '',
  ].join('\n')
}
