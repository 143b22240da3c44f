// Loading a program: compiles it, or takes it from the output cache, and says what is wrong with it.

import type { Artifact, KernelArtifact } from '../engine/artifact.js'
import type { CompileOptions, Compiled } from '../compile.js'
import { cacheFolder } from './cache-folder.js'
import { cached, keep } from './cache.js'
import { Failure } from './command.js'
import type { Io } from './command.js'
import { exit } from './exit.js'
import { readText } from './inputs.js'
import { setLongRunFlags } from '../v8-flags.js'

/** Compiles a program file; diagnostics go to standard error, errors end the command. */
export async function compileProgram(
  file: string,
  io: Io,
  options: Pick<CompileOptions, 'recovery' | 'hybrid' | 'ways'> = {},
): Promise<Compiled> {
  const compiled = await compileFile(file, io, options)
  if (!options.recovery && !options.hybrid)
    keep(kindFor('artifact', options.ways), compiled.program.source, compiled.artifact)
  return compiled
}

/** As compileProgram, and leaves nothing in the output cache. */
async function compileFile(file: string, io: Io, options: CompileOptions): Promise<Compiled> {
  const text = readText(file, 'program')
  const { startChecker, stopChecker } = await import('../lang/beside.js')
  startChecker(cacheFolder())
  const { compile } = await import('../compile.js')
  const { keepTypeScriptCode, loadTypeScript } = await import('../lang/typescript.js')
  loadTypeScript(cacheFolder())
  const { compiled, diagnostics } = compile(file, text, options)
  // A thread that checked has more of TypeScript's code, and has kept it.
  if (!stopChecker()) keepTypeScriptCode()
  setLongRunFlags()
  if (diagnostics.length) {
    const { renderDiagnostics } = await import('../diagnostics/render.js')
    io.err(`${renderDiagnostics(diagnostics, text, { colour: io.colour })}\n\n`)
  }
  if (!compiled) throw new Failure(`${file} does not compile`, exit.program)
  return compiled
}

/** Under what something is kept that is made for some ways of running, or for all. */
const kindFor = (what: string, ways?: readonly string[]): string =>
  [what, ...(ways ? ['for', ...ways] : [])].join('-')

/**
 * The artifact alone, from the cache if this very source was compiled by this very hairpin before, for these ways of
 * running or for all.
 */
export async function loadArtifact(file: string, io: Io, ways?: CompileOptions['ways']): Promise<Artifact> {
  const text = readText(file, 'program')
  const found = (cached(kindFor('artifact'), text) ?? (ways && cached(kindFor('artifact', ways), text))) as
    Artifact | undefined
  return found ? { ...found, file } : (await compileProgram(file, io, { ...(ways && { ways }) })).artifact
}

/** Of a compilation, what the kernel's backend starts from. */
export interface Expanded {
  readonly artifact: KernelArtifact
  readonly kernel: Compiled['kernel']
  readonly program: { readonly file: string; readonly source: string; readonly licence?: string }
}

/** As loadArtifact, with the expanded functions; with `slices` all is as of one of so many slices. */
export async function loadExpanded(
  file: string,
  io: Io,
  ways: NonNullable<CompileOptions['ways']>,
  slices?: number,
): Promise<Expanded> {
  const text = readText(file, 'program')
  const kind = kindFor(slices === undefined ? 'expanded' : `expanded-in-${slices}`, ways)
  const found = cached(kind, text) as (Omit<Expanded, 'program'> & { licence?: string }) | undefined
  if (found) {
    const { artifact, kernel, licence } = found
    return {
      artifact: { ...artifact, file },
      kernel,
      program: { file, source: text, ...(licence !== undefined && { licence }) },
    }
  }
  const compiled = await compileFile(file, io, { ways, ...(slices !== undefined && { slices }) })
  const { withoutModule: artifact, kernel, program } = compiled
  keep(kind, text, { artifact, kernel, licence: program.licence })
  return { artifact, kernel, program }
}
