// The command line: finds the command, parses its flags, prints what went wrong in words.
//
// Commands are loaded when they are called, so that `hairpin --help` needs neither TypeScript nor WebAssembly.

import { parseArgs } from 'node:util'
import { Failure, UsageError } from './command.js'
import type { Command, Io } from './command.js'
import { exit } from './exit.js'
import { helpOf, overview } from './help.js'
import type { Entry } from './help.js'
import { hint } from './nearest.js'
import { version } from '../index.js'
import { ts } from '../lang/typescript.js'

interface Listed extends Entry {
  readonly load: () => Promise<{ command: Command }>
}

/** Every command, in the order of the overview. */
const commands: Readonly<Record<string, Listed>> = {
  demo: {
    group: 'begin',
    summary: 'port knocking replicated on two workers, over a bundled capture',
    load: () => import('./demo/command.js'),
  },
  check: {
    group: 'look at a program',
    summary: 'what replicating, sharding and sharing it take: state, metadata, limits',
    load: () => import('./check/command.js'),
  },
  build: {
    group: 'look at a program',
    summary: 'its WebAssembly module, or any stage of the compilation as text',
    load: () => import('./build/command.js'),
  },
  run: {
    group: 'run a program',
    summary: 'on a capture, on one worker or many',
    load: () => import('./run/command.js'),
  },
  verify: {
    group: 'run a program',
    summary: 'prove every strategy equal to the serial run',
    load: () => import('./verify/command.js'),
  },
  test: {
    group: 'run a program',
    summary: 'compare the packets it keeps with a capture of what they should be',
    load: () => import('./test/command.js'),
  },
  trace: {
    group: 'run a program',
    summary: 'one packet, line by line: values, state before and after, verdict',
    load: () => import('./trace/command.js'),
  },
  doctor: {
    group: 'in the kernel',
    summary: 'whether this machine and an interface are ready for it',
    load: () => import('./doctor/command.js'),
  },
  attach: {
    group: 'in the kernel',
    summary: 'run a program on an interface by XDP, until Ctrl-C or pinned',
    load: () => import('./attach/command.js'),
  },
  bypass: {
    group: 'in the kernel',
    summary: 'a program in user space on chosen receive queues; the rest stays with the kernel',
    load: () => import('./bypass/command.js'),
  },
  list: {
    group: 'in the kernel',
    summary: 'programs of ours: interface, mode, pins, who holds them',
    load: () => import('./list/command.js'),
  },
  top: {
    group: 'in the kernel',
    summary: 'what they do, live: verdicts, CPUs, tables, counters, losses',
    load: () => import('./top/command.js'),
  },
  state: {
    group: 'in the kernel',
    summary: 'their tables, typed, while they run; state set changes parameters',
    load: () => import('./state/command.js'),
  },
  detach: {
    group: 'in the kernel',
    summary: 'take them off, by interface or pin, or all',
    load: () => import('./detach/command.js'),
  },
  lab: {
    group: 'in the kernel',
    summary: 'throw-away networks on this machine; lab demo shows a program live',
    load: () => import('./lab/command.js'),
  },
  generate: {
    group: 'measure',
    summary: 'send a stream or a synthetic trace out of a device, at a rate that is kept',
    load: () => import('./generate/command.js'),
  },
  replay: {
    group: 'measure',
    summary: 'send a capture, at its own times, at a rate, or as fast as possible',
    load: () => import('./replay/command.js'),
  },
  bench: {
    group: 'measure',
    summary: 'loss-free rates, scaling, the paper’s figures; two runs compared',
    load: () => import('./bench/command.js'),
  },
  traffic: {
    group: 'captures',
    summary: 'make one by a published law of flow sizes, or say what one holds',
    load: () => import('./traffic/command.js'),
  },
}

const io: Io = {
  out: text => void process.stdout.write(text),
  err: text => void process.stderr.write(text),
  terminal: process.stderr.isTTY === true,
  colour: process.stdout.isTTY === true && process.env.NO_COLOR === undefined,
  columns: process.stderr.columns ?? 80,
}

/**
 * What the arguments had done, as a label for the code that it compiled, and how many times that is worth to be kept
 * (bundle.ts): programs differ in what they need of the compiler. Nothing if that is no command.
 */
export function workOf([name]: readonly string[]): [label?: string, times?: number] {
  if (name === undefined || !Object.hasOwn(commands, name)) return []
  return ts ? [`${name} with a compile`, 4] : [name]
}

async function main(args: string[]): Promise<number> {
  const [name, ...rest] = args
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    const topic = rest[0]
    const known = name === 'help' && topic !== undefined && Object.hasOwn(commands, topic)
    const text = known ? helpOf(topic, io.colour) : overview(commands, io.colour)
    if (name === undefined) io.err(text)
    else io.out(text)
    return name === undefined ? exit.usage : exit.ok
  }
  if (name === '--version' || name === '-v') {
    io.out(`hairpin ${version}\n`)
    return exit.ok
  }
  if (!Object.hasOwn(commands, name)) {
    io.err(`hairpin: there is no command ${name}.${hint(name, Object.keys(commands))}\n`)
    io.err('Type hairpin --help for the list.\n')
    return exit.usage
  }
  // Behind -- stands somebody else's command, with a help of its own.
  const own = rest.slice(0, rest.includes('--') ? rest.indexOf('--') : undefined)
  if (own.includes('--help') || own.includes('-h')) {
    io.out(helpOf(name, io.colour))
    return exit.ok
  }
  const { command } = await commands[name].load()
  try {
    const { values, positionals } = parseArgs({
      args: rest,
      options: command.flags,
      allowPositionals: true,
      strict: true,
    })
    return await command.run({ values, positionals }, io)
  } catch (error) {
    if (error instanceof Failure) {
      io.err(`hairpin ${name}: ${error.message}\n`)
      return error.code
    }
    const message = error instanceof UsageError ? error.message : parseFault(error, command)
    if (message === undefined) throw error
    io.err(`hairpin ${name}: ${message}\nType hairpin ${name} --help for what it takes.\n`)
    return exit.usage
  }
}

/** What the parser of flags complains about, in our words; undefined if it was something else that failed. */
function parseFault(error: unknown, command: Command): string | undefined {
  const { code, message } = error as { code?: string; message: string }
  if (!code?.startsWith('ERR_PARSE_ARGS')) return undefined
  const flags = Object.keys(command.flags)
  const unknown = /Unknown option '(--?[\w-]+)'/.exec(message)?.[1]
  if (unknown !== undefined)
    return `there is no flag ${unknown}.${hint(unknown.replace(/^-+/, ''), flags, '--')}`
  const flag = /'(?:-\w, )?--([\w-]+)/.exec(message)?.[1]
  if (flag !== undefined && /argument missing|is ambiguous/.test(message)) return `--${flag} needs a value`
  if (flag !== undefined && /does not take an argument/.test(message)) return `--${flag} takes no value`
  return message
}

// A reader that went away, such as head, wants no more of it, and no complaint.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit()
  throw error
})

/** Runs the command that the arguments call; the process's exit code. */
export const start = (args: string[]): Promise<number> =>
  main(args).catch((error: unknown) => {
    io.err('hairpin: this is a fault of hairpin; please report it with the command you typed.\n')
    io.err(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
    return exit.failure
  })
