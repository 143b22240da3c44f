// What commands on the kernel share: refusals of the machine as words with an exit code.

import { SystemError, Unsupported } from '../sys/failure.js'
import { Failure, UsageError } from './command.js'
import { exit } from './exit.js'

/** Runs what speaks to the kernel; a refusal of the machine ends the command with its cause and remedy. */
export function withKernel<T>(action: () => T): T {
  if (process.platform !== 'linux')
    throw new Failure(`XDP needs Linux, found ${process.platform}`, exit.program)
  try {
    return action()
  } catch (error) {
    if (error instanceof SystemError || error instanceof Unsupported)
      throw new Failure(error.message, exit.program)
    throw error
  }
}

/** A name for pins, which becomes a folder of the BPF file system. */
export function pinName(name: string): string {
  if (/^[A-Za-z0-9_-]{1,64}$/.test(name)) return name
  throw new UsageError(`--pin takes a name of letters, digits, _ and -, not ${name}`)
}
