// hairpin bench: measurements that carry what is needed to doubt them. README.md beside this is the help.

import { UsageError } from '../command.js'
import type { Command, Flags, Io } from '../command.js'
import { hint } from '../nearest.js'

interface Part {
  readonly run: (flags: Flags, io: Io) => Promise<number>
  /** Flags it takes besides --json. */
  readonly flags: readonly string[]
}

/** What follows `bench`, and which flags belong to it; loaded when asked for. */
const parts: Readonly<Record<string, () => Promise<Part>>> = {
  mlffr: async () => (await import('./mlffr.js')).mlffrPart,
  agent: async () => (await import('./agent.js')).agentPart,
  scaling: async () => (await import('./scaling.js')).scalingPart,
  figures: async () => (await import('./figures.js')).figuresPart,
  profile: async () => (await import('./profile.js')).profilePart,
  compare: async () => (await import('./compare.js')).comparePart,
  keep: async () => (await import('./keep.js')).keepPart,
}

export const command: Command = {
  name: 'bench',
  flags: {
    packets: { type: 'string' },
    rounds: { type: 'string' },
    processes: { type: 'string' },
    workers: { type: 'string' },
    trace: { type: 'string', multiple: true },
    strategy: { type: 'string', short: 's', multiple: true },
    'projected-only': { type: 'boolean' },
    loss: { type: 'string' },
    preset: { type: 'string' },
    trials: { type: 'string' },
    trial: { type: 'string' },
    cores: { type: 'string', short: 'c' },
    queue: { type: 'string' },
    lab: { type: 'boolean' },
    'closed-loop': { type: 'boolean' },
    agent: { type: 'string' },
    iface: { type: 'string' },
    listen: { type: 'string' },
    'token-file': { type: 'string' },
    'max-rate': { type: 'string' },
    in: { type: 'string', short: 'i' },
    with: { type: 'string' },
    quick: { type: 'boolean' },
    resume: { type: 'boolean' },
    only: { type: 'string', multiple: true },
    set: { type: 'string', multiple: true },
    table: { type: 'string', multiple: true },
    out: { type: 'string', short: 'o' },
    least: { type: 'string' },
    ledger: { type: 'string' },
    json: { type: 'boolean' },
  },
  async run(flags, io) {
    const [what, ...positionals] = flags.positionals
    const names = Object.keys(parts)
    if (what === undefined || !Object.hasOwn(parts, what))
      throw new UsageError(
        what === undefined
          ? `what to do is missing: ${names.join(', ')}`
          : `bench takes ${names.join(', ')}, not ${what}.${hint(what, names)}`,
      )
    const part = await parts[what]()
    const odd = Object.keys(flags.values).find(name => name !== 'json' && !part.flags.includes(name))
    if (odd !== undefined) throw new UsageError(`--${odd} does not belong to bench ${what}`)
    return part.run({ values: flags.values, positionals }, io)
  },
}
