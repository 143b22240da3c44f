// hairpin build: a program's module, or any stage on the way to it. README.md beside this file is the help.

import { basename } from 'node:path'
import type { Compiled } from '../../compile.js'
import { openFileTarget } from '../../device/target.js'
import { StackExceeded } from '../../engine/kernel/load.js'
import { StateTooLarge, objectOf } from '../../engine/kernel/object.js'
import { Unsupported } from '../../sys/failure.js'
import { Failure, UsageError } from '../command.js'
import type { Command, Flags } from '../command.js'
import { exit } from '../exit.js'
import { isSet, onlyArgument, pairs, text, texts } from '../flags.js'
import { grouped } from '../grid.js'
import { optionsOf } from '../inputs.js'
import { refuseRoutes } from '../routes.js'
import { hint } from '../nearest.js'
import { compileProgram } from '../program.js'
import { stages } from './stages.js'

export const command: Command = {
  name: 'build',
  flags: {
    emit: { type: 'string', short: 'e' },
    out: { type: 'string', short: 'o' },
    set: { type: 'string', multiple: true },
    table: { type: 'string', multiple: true },
    pin: { type: 'boolean' },
  },
  async run(flags, io) {
    const file = onlyArgument(flags, 'PROGRAM')
    const out = text(flags, 'out')
    const stage = text(flags, 'emit') ?? (out?.endsWith('.o') ? 'object' : 'wasm')
    const known = [...Object.keys(stages), 'wasm', 'object']
    if (!known.includes(stage))
      throw new UsageError(`--emit takes ${known.join(', ')}, not ${stage}.${hint(stage, known)}`)
    for (const flag of ['set', 'table', 'pin'])
      if (stage !== 'object' && flags.values[flag] !== undefined)
        throw new UsageError(`--${flag} is for objects: --emit object, or --out FILE.o`)
    const compiled = await compileProgram(file, io)
    const binary = stage === 'wasm' || stage === 'object'
    const bytes =
      stage === 'wasm'
        ? compiled.artifact.wasm
        : stage === 'object'
          ? object(flags, compiled)
          : Buffer.from(stages[stage](compiled))
    const ending = stage === 'object' ? 'o' : 'wasm'
    const path = out ?? (binary ? `${basename(file).replace(/\.ts$/, '')}.${ending}` : '-')
    if (path === '-' && binary && process.stdout.isTTY)
      throw new UsageError('this is no text for a terminal; use --out FILE, or --emit wat or bpf')
    if (path === '-' && !binary) io.out(bytes.toString())
    else write(path, bytes)
    if (path !== '-') io.err(`wrote ${path}: ${grouped(bytes.length)} bytes\n`)
    return exit.ok
  },
}

/** The program as an object file, with the settings and rules given. */
function object(flags: Flags, compiled: Compiled): Uint8Array {
  refuseRoutes(flags, compiled.artifact)
  const { settings = new Map(), rules } = optionsOf(flags, compiled.artifact)
  for (const { name, map } of compiled.artifact.rules)
    if (map && pairs(texts(flags, 'table'), 'table').some(([given]) => given === name))
      throw new UsageError(
        `an object has no rules of ${name}, which is a map of the kernel's: put them in once it is loaded, ` +
          `with bpftool map update name ${name} …, or by its pin (--pin)`,
      )
  try {
    return objectOf(compiled, { settings, ...(rules && { rules }), pin: isSet(flags, 'pin') })
  } catch (error) {
    if (error instanceof StackExceeded || error instanceof StateTooLarge || error instanceof Unsupported)
      throw new Failure(error.message, exit.program)
    throw error
  }
}

function write(path: string, bytes: Uint8Array): void {
  const target = openFileTarget(path)
  const failed = typeof target === 'string' ? target : (target.write(bytes) ?? target.close())
  if (failed !== undefined) throw new Failure(`${path}: cannot be written: ${failed}`, exit.input)
}
