// The verifier's word on a program: loaded, or refused in the lines that matter.

import { writeFileSync } from 'node:fs'
import { load } from '../../engine/kernel/load.js'
import type { LoadOptions, Loadable, LoadedProgram } from '../../engine/kernel/load.js'
import { programInfo } from '../../sys/info.js'
import { VerifierRejection } from '../../sys/program.js'
import { summarise, summaryText } from '../../sys/verifier-log.js'
import type { LineEntry } from '../../sys/verifier-log.js'
import { Failure } from '../command.js'
import type { Io } from '../command.js'
import { exit } from '../exit.js'
import { grouped } from '../grid.js'

/** Loads it; a refusal of the verifier is told in the lines that matter. `log` is the file of --verifier-log. */
export function verified(compiled: Loadable, options: LoadOptions, log: string | undefined): LoadedProgram {
  let lines: readonly LineEntry[] = []
  const keep = (text: string): void => {
    if (log !== undefined) writeLog(log, text)
  }
  try {
    const loaded = load(compiled, { ...options, verboseLog: log !== undefined }, found => (lines = found))
    keep(loaded.program.log)
    return loaded
  } catch (error) {
    if (!(error instanceof VerifierRejection)) throw error
    keep(error.log)
    const rest = log === undefined ? 'the whole log: --verifier-log FILE' : `the whole log is in ${log}`
    const summary = summaryText(summarise(error.log, lines)).replaceAll('\n', '\n  ')
    throw new Failure(
      `the kernel's verifier refuses ${compiled.artifact.name}:\n  ${summary}\n${rest}`,
      exit.program,
    )
  }
}

function writeLog(path: string, text: string): void {
  try {
    writeFileSync(path, text)
  } catch (error) {
    throw new Failure(`${path}: cannot be written: ${(error as Error).message}`, exit.input)
  }
}

/** What --dry-run says. */
export function reportVerified(loaded: LoadedProgram, name: string, json: boolean, io: Io): number {
  const { jitedBytes, verifiedInstructions } = programInfo(loaded.program)
  const figures = { instructions: loaded.slots, verified: verifiedInstructions, nativeBytes: jitedBytes }
  loaded.close()
  if (json) io.out(`${JSON.stringify({ event: 'verified', program: name, ...figures })}\n`)
  else
    io.out(
      `${name}: the kernel's verifier accepts it: ${grouped(figures.instructions)} instructions, ` +
        `${grouped(figures.verified)} walked, ${grouped(jitedBytes)} bytes of native code. Nothing was attached.\n`,
    )
  return exit.ok
}
