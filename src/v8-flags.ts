// V8's flags for a process that compiles once and ends. V8 is made for programs that run long: it starts to optimise
// functions on other threads within milliseconds, and begins with a young generation of a megabyte, which a compile
// fills every few milliseconds. On few processors both stand in the way of the thread that compiles.
//
// Only for our own command line: flags hold for the whole process, and V8's compiled code of other flags is refused
// (lang/code-cache.ts), so they are set before anything else.

import { setFlagsFromString } from 'node:v8'

/** Measured on these; V8 says so loudly if it does not know a flag. */
const known = /^11\./

function setFlags(flags: readonly string[]): void {
  if (known.test(process.versions.v8)) for (const flag of flags) setFlagsFromString(flag)
}

export const setShortRunFlags = (): void =>
  setFlags([
    // Bytes of bytecode that a function runs before it is optimised: fifteen times as many.
    '--interrupt-budget=1000000',
    // The young generation grows to its full size at once, and so does that of threads started from now on.
    '--semi-space-growth-factor=16',
    '--min-semi-space-size=16',
    // What survives a small collection is copied by this thread: to wait for others takes longer.
    '--no-parallel-scavenge',
  ])

/**
 * After a compile: what runs now may run long, and is optimised after four times what V8 has by default. Before compiled
 * code is kept the flags must be as they were when it was taken.
 */
export const setLongRunFlags = (): void => setFlags(['--interrupt-budget=250000'])
