// hairpin lab: throw-away networks of namespaces and veth pairs. README.md beside this file is the help.

import { requireLabs } from '../../lab/lab.js'
import { UsageError } from '../command.js'
import type { Command, Flags, Io } from '../command.js'
import { withKernel } from '../kernel.js'
import { hint } from '../nearest.js'

type Verb = (flags: Flags, io: Io) => Promise<number>

/** Each in a file of its own, loaded when it is called. */
const verbs: Readonly<Record<string, () => Promise<Verb>>> = {
  up: async () => (await import('./up.js')).labUp,
  run: async () => (await import('./run.js')).labRun,
  list: async () => (await import('./list.js')).labList,
  down: async () => (await import('./down.js')).labDown,
  demo: async () => (await import('./demo.js')).labDemo,
}

export const command: Command = {
  name: 'lab',
  flags: {
    topology: { type: 'string', short: 't' },
    file: { type: 'string', short: 'f' },
    foreground: { type: 'boolean' },
    all: { type: 'boolean' },
    seconds: { type: 'string' },
    rate: { type: 'string' },
    set: { type: 'string', multiple: true },
    table: { type: 'string', multiple: true },
    seed: { type: 'string' },
    json: { type: 'boolean' },
  },
  async run({ values, positionals: [verb, ...positionals] }, io) {
    const names = Object.keys(verbs)
    if (verb === undefined) throw new UsageError(`what to do is missing: ${names.join(', ')}`)
    if (!Object.hasOwn(verbs, verb))
      throw new UsageError(`lab can ${names.join(', ')}, not ${verb}.${hint(verb, names)}`)
    const flags = { values, positionals }
    onlyFlags(verb, flags)
    const action = await verbs[verb]()
    withKernel(requireLabs)
    return action(flags, io)
  },
}

/** Which flags each takes besides --json. */
const taken: Readonly<Record<string, readonly string[]>> = {
  up: ['topology', 'file', 'foreground'],
  run: [],
  list: [],
  down: ['all'],
  demo: ['seconds', 'rate', 'set', 'table', 'seed'],
}

function onlyFlags(verb: string, { values }: Flags): void {
  const known = [...taken[verb], ...(verb === 'run' ? [] : ['json'])]
  const foreign = Object.keys(values).find(name => !known.includes(name))
  if (foreign !== undefined)
    throw new UsageError(
      `lab ${verb} takes ${known.map(name => `--${name}`).join(', ') || 'no flags'}, not --${foreign}`,
    )
}
