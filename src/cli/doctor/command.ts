// hairpin doctor: whether this machine and an interface are ready for XDP. README.md beside this file is the help.

import { interfaces } from '../../sys/interfaces.js'
import type { NetworkInterface } from '../../sys/interfaces.js'
import { Failure, UsageError } from '../command.js'
import type { Command } from '../command.js'
import { isSet, texts } from '../flags.js'
import { hint } from '../nearest.js'
import { judgeDevice } from './device.js'
import { deviceFacts, machineFacts } from './facts.js'
import { judgeMachine } from './machine.js'
import { pageOf, summaryOf } from './page.js'
import type { Section } from './page.js'

/** Exit codes of doctor: clean, findings, and what hides behind a missing privilege. */
const clean = 0
const findings = 1
const couldNotLook = 2

export const command: Command = {
  name: 'doctor',
  flags: { ignore: { type: 'string', multiple: true }, json: { type: 'boolean' } },
  async run(flags, io) {
    const [name, more] = flags.positionals
    if (more !== undefined) throw new UsageError(`one IF is expected, not ${flags.positionals.length}`)
    if (process.platform !== 'linux')
      throw new Failure(`XDP needs Linux, found ${process.platform}; hairpin run works here`, couldNotLook)
    const device = name === undefined ? undefined : deviceNamed(name)
    const ignored = texts(flags, 'ignore')
    const all: Section[] = [
      { subject: 'machine', rows: judgeMachine(machineFacts()) },
      ...(device ? [{ subject: device.name, rows: judgeDevice(deviceFacts(device)) }] : []),
    ]
    const ids = all.flatMap(s => s.rows.map(r => r.id))
    const odd = ignored.find(id => !/^HP-[A-Z-]+$/.test(id))
    if (odd !== undefined)
      throw new UsageError(`--ignore takes an id such as HP-MTU, not ${odd}.${hint(odd, ids)}`)
    const sections = all.map(s => ({ ...s, rows: s.rows.filter(r => !ignored.includes(r.id)) }))
    const rows = sections.flatMap(s => s.rows)
    const found = rows.filter(r => r.level === 'warn' || r.level === 'fail').length
    const unseen = rows.filter(r => r.level === 'unseen').length
    if (isSet(flags, 'json')) {
      const told = sections.flatMap(s => s.rows.map(row => ({ subject: s.subject, ...row })))
      io.out(`${JSON.stringify({ rows: told, findings: found, unseen })}\n`)
    } else {
      const names = interfaces().map(i => i.name)
      const next = device ? '' : `\nhairpin doctor IF looks at an interface too: ${names.join(', ')}`
      io.out(`${pageOf(sections, io.columns, io.colour)}\n\n${summaryOf(rows)}${next}\n`)
    }
    return found > 0 ? findings : unseen > 0 ? couldNotLook : clean
  },
}

function deviceNamed(name: string): NetworkInterface {
  const all = interfaces()
  const found = all.find(i => i.name === name)
  if (found) return found
  const names = all.map(i => i.name)
  throw new Failure(
    `there is no interface ${name} in this namespace; there are ${names.join(', ')}.${hint(name, names)}`,
    couldNotLook,
  )
}
