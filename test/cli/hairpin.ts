// Runs the command line as a user does, for tests: exit code, standard output, standard error.

import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root } from '../../tools/sources.js'

export const main = join(root, 'dist/src/cli/main.js')
export const demoCapture = 'programs/demo/knocking.pcap'

/** A folder for files of one test file; removed when the process ends. */
export const folder = mkdtempSync(join(tmpdir(), 'hairpin-cli-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))

export interface Ended {
  readonly code: number | null
  readonly out: string
  readonly err: string
  /** Standard output as it is. */
  readonly bytes: Buffer
}

export interface How {
  readonly input?: Uint8Array
  /** Sends SIGINT after so many milliseconds. */
  readonly interruptAfter?: number
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
}

/** Runs `hairpin` with these arguments, in the repository's root. */
export function hairpin(args: readonly string[], how: How = {}): Promise<Ended> {
  return run(process.execPath, [main, ...args], how)
}

/** Runs any command; `hairpin` in it is the one under test. */
export function run(command: string, args: readonly string[], how: How = {}): Promise<Ended> {
  const child = spawn(command, args, {
    cwd: how.cwd ?? root,
    env: { ...process.env, HAIRPIN_CACHE: join(folder, 'cache'), NO_COLOR: '1', ...how.env },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  const out: Buffer[] = []
  const err: Buffer[] = []
  child.stdout.on('data', (part: Buffer) => out.push(part))
  child.stderr.on('data', (part: Buffer) => err.push(part))
  // A command that reads nothing may end before its input does.
  child.stdin.on('error', () => undefined)
  child.stdin.end(how.input)
  const timer =
    how.interruptAfter === undefined
      ? undefined
      : setTimeout(() => void child.kill('SIGINT'), how.interruptAfter)
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', code => {
      clearTimeout(timer)
      const bytes = Buffer.concat(out)
      resolve({ code, out: bytes.toString(), err: Buffer.concat(err).toString(), bytes })
    })
  })
}
