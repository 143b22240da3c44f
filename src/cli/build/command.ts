// hairpin build: a program's module, or any stage on the way to it. README.md beside this file is the help.

import { basename } from 'node:path'
import { openFileTarget } from '../../device/target.js'
import { Failure, UsageError } from '../command.js'
import type { Command } from '../command.js'
import { exit } from '../exit.js'
import { onlyArgument, text } from '../flags.js'
import { grouped } from '../grid.js'
import { hint } from '../nearest.js'
import { compileProgram } from '../program.js'
import { stages } from './stages.js'

export const command: Command = {
  name: 'build',
  flags: { emit: { type: 'string', short: 'e' }, out: { type: 'string', short: 'o' } },
  async run(flags, io) {
    const file = onlyArgument(flags, 'PROGRAM')
    const stage = text(flags, 'emit') ?? 'wasm'
    const known = [...Object.keys(stages), 'wasm']
    if (!known.includes(stage))
      throw new UsageError(`--emit takes ${known.join(', ')}, not ${stage}.${hint(stage, known)}`)
    const compiled = await compileProgram(file, io)
    const binary = stage === 'wasm'
    const bytes = binary ? compiled.artifact.wasm : Buffer.from(stages[stage](compiled))
    const path = text(flags, 'out') ?? (binary ? `${basename(file).replace(/\.ts$/, '')}.wasm` : '-')
    if (path === '-' && binary && process.stdout.isTTY)
      throw new UsageError('a module is no text for a terminal; use --out FILE, or --emit wat')
    if (path === '-' && !binary) io.out(bytes.toString())
    else write(path, bytes)
    if (path !== '-') io.err(`wrote ${path}: ${grouped(bytes.length)} bytes\n`)
    return exit.ok
  },
}

function write(path: string, bytes: Uint8Array): void {
  const target = openFileTarget(path)
  const failed = typeof target === 'string' ? target : (target.write(bytes) ?? target.close())
  if (failed !== undefined) throw new Failure(`${path}: cannot be written: ${failed}`, exit.input)
}
