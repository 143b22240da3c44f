// What commands on the kernel share: refusals of the machine as words with an exit code.

import { StackExceeded, StateExceeded } from '../engine/kernel/load.js'
import { SystemError, Unsupported } from '../sys/failure.js'
import { interfaces } from '../sys/interfaces.js'
import { VerifierRejection } from '../sys/program.js'
import { Failure, UsageError } from './command.js'
import { exit } from './exit.js'

/** Runs what speaks to the kernel; a refusal of the machine ends the command with its cause and remedy. */
export function withKernel<T>(action: () => T): T {
  requireLinux()
  try {
    return action()
  } catch (error) {
    throw inWords(error)
  }
}

/** The same for what takes time. */
export async function withKernelAsync<T>(action: () => Promise<T>): Promise<T> {
  requireLinux()
  try {
    return await action()
  } catch (error) {
    throw inWords(error)
  }
}

function requireLinux(): void {
  if (process.platform !== 'linux')
    throw new Failure(`XDP needs Linux, found ${process.platform}`, exit.program)
}

const inWords = (error: unknown): unknown =>
  error instanceof VerifierRejection
    ? new Failure(`${error.message}; hairpin attach PROGRAM --dry-run shows the place`, exit.program)
    : error instanceof SystemError ||
        error instanceof Unsupported ||
        error instanceof StackExceeded ||
        error instanceof StateExceeded
      ? new Failure(error.message, exit.program)
      : error

/** A name for pins, which becomes a folder of the BPF file system. */
export function pinName(name: string): string {
  if (/^[A-Za-z0-9_-]{1,64}$/.test(name)) return name
  throw new UsageError(`--pin takes a name of letters, digits, _ and -, not ${name}`)
}

/** Names of interfaces by their index: in the kernel, that is a device's number. */
export function interfaceNames(): string[] {
  const names: string[] = []
  for (const { index, name } of interfaces()) names[index] = name
  return Array.from(names, name => name ?? '')
}
