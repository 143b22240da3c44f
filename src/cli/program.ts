// Loading a program: compiles it, or takes it from the output cache, and says what is wrong with it.

import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { deserialize, serialize } from 'node:v8'
import type { Artifact } from '../engine/artifact.js'
import type { CompileOptions, Compiled } from '../compile.js'
import { version } from '../index.js'
import { Failure } from './command.js'
import type { Io } from './command.js'
import { exit } from './exit.js'
import { readText } from './inputs.js'

/** Compiles a program file; diagnostics go to standard error, errors end the command. */
export async function compileProgram(
  file: string,
  io: Io,
  options: Pick<CompileOptions, 'recovery' | 'hybrid'> = {},
): Promise<Compiled> {
  const text = readText(file, 'program')
  const { compile } = await import('../compile.js')
  const { compiled, diagnostics } = compile(file, text, options)
  if (diagnostics.length) {
    const { renderDiagnostics } = await import('../diagnostics/render.js')
    io.err(`${renderDiagnostics(diagnostics, text, { colour: io.colour })}\n\n`)
  }
  if (!compiled) throw new Failure(`${file} does not compile`, exit.program)
  if (!options.recovery && !options.hybrid) cacheArtifact(text, compiled.artifact)
  return compiled
}

/** The artifact alone, from the cache if this very source was compiled by this very hairpin before. */
export async function loadArtifact(file: string, io: Io): Promise<Artifact> {
  const text = readText(file, 'program')
  const cached = cachedArtifact(text, file)
  return cached ?? (await compileProgram(file, io)).artifact
}

/** HAIRPIN_CACHE names the cache's folder; empty switches it off. */
function cacheFolder(): string | undefined {
  const chosen = process.env.HAIRPIN_CACHE
  if (chosen !== undefined) return chosen === '' ? undefined : chosen
  const base = process.env.XDG_CACHE_HOME ?? join(homedir() || tmpdir(), '.cache')
  return join(base, 'hairpin')
}

/** A build of the compiler is part of the key, so that a changed one never meets an old artifact. */
function cacheKey(text: string): string {
  // Only a checkout has the build's record; an installed package is told apart by its version.
  const build = statSync(new URL('../../.tsbuildinfo', import.meta.url), { throwIfNoEntry: false })
  const parts = [version, build?.mtimeMs ?? '', build?.size ?? '', text]
  return createHash('sha256').update(parts.join('\0')).digest('hex')
}

function cachedArtifact(text: string, file: string): Artifact | undefined {
  const folder = cacheFolder()
  if (folder === undefined) return undefined
  try {
    const artifact = deserialize(readFileSync(join(folder, `${cacheKey(text)}.artifact`))) as Artifact
    return { ...artifact, file }
  } catch {
    // Not there, or written half by a machine that went down: compile.
    return undefined
  }
}

function cacheArtifact(text: string, artifact: Artifact): void {
  const folder = cacheFolder()
  if (folder === undefined) return
  try {
    mkdirSync(folder, { recursive: true })
    const path = join(folder, `${cacheKey(text)}.artifact`)
    // Renamed into place, so that a reader never sees half a file.
    writeFileSync(`${path}.${process.pid}`, serialize(artifact))
    renameSync(`${path}.${process.pid}`, path)
  } catch {
    // A cache that cannot be written is no reason not to run.
  }
}
