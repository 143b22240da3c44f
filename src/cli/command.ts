// What a command is: a folder with command.ts and README.md, which is its --help.
//
// A command gets parsed flags and answers an exit code. It prints through `Io`, so that tests can read what it says
// and a pipe gets no progress bars. Exit codes are the same for all commands; exit.ts lists them.

import type { ParseArgsConfig } from 'node:util'

export type FlagTable = NonNullable<ParseArgsConfig['options']>

export interface Io {
  /** Standard output: results. */
  readonly out: (text: string) => void
  /** Standard error: progress, notes, errors. */
  readonly err: (text: string) => void
  /** True if a person watches standard error. */
  readonly terminal: boolean
  readonly colour: boolean
  /** Columns of the terminal, 80 if unknown. */
  readonly columns: number
}

export interface Flags {
  readonly values: Readonly<Record<string, string | boolean | (string | boolean)[] | undefined>>
  readonly positionals: readonly string[]
}

export interface Command {
  readonly name: string
  readonly flags: FlagTable
  /** Does it; answers the exit code. */
  run(flags: Flags, io: Io): Promise<number>
}

/** A mistake in how a command was called; printed with the command to type for help. */
export class UsageError extends Error {}

/** What stopped a command, said to the user as it is, without a stack. */
export class Failure extends Error {
  readonly code: number
  constructor(message: string, code: number) {
    super(message)
    this.code = code
  }
}
