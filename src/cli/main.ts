#!/usr/bin/env node
// The command line: finds the command, parses its flags, prints what went wrong in words.
//
// Commands are loaded when they are called, so that `hairpin --help` needs neither TypeScript nor WebAssembly.

import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { Failure, UsageError } from './command.js'
import type { Command, Io } from './command.js'
import { exit } from './exit.js'
import { version } from '../index.js'

/** Every command, in the order of the overview. */
const commands: Readonly<Record<string, { summary: string; load: () => Promise<{ command: Command }> }>> = {
  run: {
    summary: 'run a program on a capture, on one worker or many',
    load: () => import('./run/command.js'),
  },
  verify: {
    summary: 'prove each strategy equal to the serial run on a capture',
    load: () => import('./verify/command.js'),
  },
}

const io: Io = {
  out: text => void process.stdout.write(text),
  err: text => void process.stderr.write(text),
  terminal: process.stderr.isTTY === true,
  colour: process.stdout.isTTY === true && process.env.NO_COLOR === undefined,
  columns: process.stderr.columns ?? 80,
}

/** The README of a command, which is its help. */
function help(name: string): string {
  return readFileSync(new URL(`../../../src/cli/${name}/README.md`, import.meta.url), 'utf8')
}

function overview(): string {
  const width = Math.max(...Object.keys(commands).map(n => n.length))
  const rows = Object.entries(commands).map(([name, c]) => `  ${name.padEnd(width)}  ${c.summary}`)
  return [
    `hairpin ${version}: stateful packet processing on every core, one TypeScript program`,
    '',
    'usage: hairpin COMMAND … [--json] [--help]',
    '',
    ...rows,
    '',
    'example: hairpin run programs/port-knocking.ts --in programs/demo/knocking.pcap --strategy scr --cores 2',
    'help on a command: hairpin COMMAND --help',
    '',
  ].join('\n')
}

/** The known word nearest to a mistyped one, if it is near. */
function nearest(word: string, known: readonly string[]): string | undefined {
  const distance = (a: string, b: string): number => {
    let row = Array.from({ length: b.length + 1 }, (_, j) => j)
    for (let i = 1; i <= a.length; i++) {
      const next = [i]
      for (let j = 1; j <= b.length; j++)
        next.push(Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1)))
      row = next
    }
    return row[b.length]
  }
  const best = known.map(k => ({ k, d: distance(word, k) })).toSorted((a, b) => a.d - b.d)[0]
  return best && best.d <= 2 ? best.k : undefined
}

async function main(args: string[]): Promise<number> {
  const [name, ...rest] = args
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    const topic = rest[0]
    io.out(name === 'help' && topic !== undefined && topic in commands ? help(topic) : overview())
    return name === undefined ? exit.usage : exit.ok
  }
  if (name === '--version' || name === '-v') {
    io.out(`hairpin ${version}\n`)
    return exit.ok
  }
  const entry = commands[name]
  if (!entry) {
    const guess = nearest(name, Object.keys(commands))
    io.err(`hairpin: there is no command ${name}.${guess ? ` Did you mean ${guess}?` : ''}\n`)
    io.err('Type hairpin --help for the list.\n')
    return exit.usage
  }
  if (rest.includes('--help') || rest.includes('-h')) {
    io.out(help(name))
    return exit.ok
  }
  const { command } = await entry.load()
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
    const parse = (error as { code?: string }).code?.startsWith('ERR_PARSE_ARGS')
    if (!parse && !(error instanceof UsageError)) throw error
    const unknown = /Unknown option '(--?[\w-]+)'/.exec((error as Error).message)?.[1]
    const guess = unknown && nearest(unknown.replace(/^-+/, ''), Object.keys(command.flags))
    const message = unknown
      ? `there is no flag ${unknown}.${guess ? ` Did you mean --${guess}?` : ''}`
      : (error as Error).message
    io.err(`hairpin ${name}: ${message}\nType hairpin ${name} --help for what it takes.\n`)
    return exit.usage
  }
}

process.exitCode = await main(process.argv.slice(2)).catch((error: unknown) => {
  io.err(`hairpin: this is a fault of hairpin, please report it with the command you typed.\n`)
  io.err(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
  return exit.failure
})
