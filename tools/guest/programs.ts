// The suite `programs`: every program on the old kernel, beside the interpreter.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { serialize } from 'node:v8'
import { bundledProgram, trialNames } from '../../test/programs.js'
import { root } from '../sources.js'
import type { Kernel } from './kernel.js'
import { runMachine } from './machine.js'
import { missing, requireCommands } from './needs.js'
import { makeTree } from './tree.js'

/** Minutes after which the machine is stopped. */
const limit = 10

/** `names` of programs; all if there are none. */
export function runPrograms(kernel: () => Kernel, names: readonly string[]): Promise<number> {
  for (const name of names)
    if (!trialNames.includes(name)) missing(`no program ${name}; there are ${trialNames.join(', ')}`)
  requireCommands(false)
  const { image } = kernel()
  const archive = makeTree({
    files: new Map([
      ['app/knocking.pcap', readFileSync(join(root, 'programs/demo/knocking.pcap'))],
      ['app/programs.bin', subjectsOf(names.length > 0 ? names : trialNames)],
    ]),
    commands: [],
    modules: [],
    setup: [],
    test: 'guest/inside.js',
  })
  return runMachine({ image, archive, cpus: 2, cards: [], limit })
}

/** Programs as the machine gets them: compiled already, because emulated compiling takes minutes. */
export const subjectsOf = (names: readonly string[]): Uint8Array =>
  serialize(
    names.map(name => {
      const { program, artifact, kernel, rules } = bundledProgram(name)
      const batch = kernel.slice && { slice: kernel.slice }
      return { name, subject: { program, artifact, kernel, batch, rules } }
    }),
  )
