// Type-checks a program with TypeScript: strict, against our own ambient library and the prelude's declarations.
//
// The host lives in memory; the only files it reads are the .d.ts files that were built beside this module, so a
// program's check does not depend on where the program stands or what is installed there. Parsed libraries are kept
// between calls. Promises: TypeScript's diagnostics keep their codes; none is reported outside the program.
// Read typescript.ts first, subset.ts next.

import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Diagnostic, Note } from '../diagnostics/diagnostic.js'
import { ambient } from './ambient.js'
import { hintFor } from './hints.js'
import { loadTypeScript, ts } from './typescript.js'
import type { Ts } from './typescript.js'

export interface Parsed {
  readonly sourceFile: Ts.SourceFile
  /** The text does not parse: its tree is a guess, and only these diagnostics mean anything. */
  readonly malformed: boolean
  /** Of the syntax. */
  readonly diagnostics: readonly Diagnostic[]
}

export interface Checked extends Parsed {
  readonly checker: Ts.TypeChecker
}

const here = dirname(fileURLToPath(import.meta.url))
const prelude = join(here, 'prelude.d.ts')
const ambientFile = join(here, 'ambient.d.ts')
const libraries = new Map<string, Ts.SourceFile | undefined>()

const main = '/program.ts'

/** Parses and checks `text`. The name is used in messages only; no file of that name is read. */
export function check(file: string, text: string): Checked {
  const parsed = parseProgram(file, text)
  const { sourceFile, malformed } = parsed
  const program = programOf(sourceFile)
  const diagnostics = malformed ? parsed.diagnostics : typeErrors(file, program, sourceFile)
  return { sourceFile, malformed, diagnostics, checker: program.getTypeChecker() }
}

/** Parses `text`. Parents are set for a tree that no checker will see, and else left to it. */
export function parseProgram(file: string, text: string, parents = false): Parsed {
  loadTypeScript()
  const sourceFile = parse(main, text, parents)
  // TypeScript's own way to them takes a program of all files.
  const { parseDiagnostics: found } = sourceFile as unknown as { parseDiagnostics: readonly Ts.Diagnostic[] }
  return {
    sourceFile,
    malformed: found.length > 0,
    diagnostics: found.map(d => convert(d, file, sourceFile)),
  }
}

/** What TypeScript says about the types in a program that parses. */
export const typeErrors = (
  file: string,
  program: Ts.Program,
  sourceFile: Ts.SourceFile,
): readonly Diagnostic[] => program.getSemanticDiagnostics(sourceFile).map(d => convert(d, file, sourceFile))

/** A parsed program and what it imports. */
export function programOf(sourceFile: Ts.SourceFile): Ts.Program {
  const options: Ts.CompilerOptions = {
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    strict: true,
    noLib: true,
    noEmit: true,
    skipLibCheck: true,
    skipDefaultLibCheck: true,
    noFallthroughCasesInSwitch: false,
    types: [],
  }
  const host: Ts.CompilerHost = {
    getSourceFile: name => (name === main ? sourceFile : library(name)),
    getDefaultLibFileName: () => ambientFile,
    writeFile: () => undefined,
    getCurrentDirectory: () => '/',
    getCanonicalFileName: name => name,
    useCaseSensitiveFileNames: () => true,
    getNewLine: () => '\n',
    fileExists: name => name === main || library(name) !== undefined,
    readFile: () => undefined,
    directoryExists: () => true,
    resolveModuleNameLiterals: (literals, containing) =>
      literals.map(({ text: name }) => {
        const path = resolve(name, containing)
        return {
          resolvedModule:
            path === undefined ? undefined : { resolvedFileName: path, extension: ts.Extension.Dts },
        }
      }),
  }
  return ts.createProgram({ rootNames: [main, ambientFile], options, host })
}

function resolve(name: string, containing: string): string | undefined {
  if (containing === main) return name === 'hairpin' ? prelude : undefined
  return name.startsWith('.') ? join(dirname(containing), name.replace(/\.js$/, '.d.ts')) : undefined
}

/** Comments are not looked into; the binder of the checker sets parents in any case. */
const parse = (name: string, text: string, parents = false): Ts.SourceFile =>
  ts.createSourceFile(
    name,
    text,
    { languageVersion: ts.ScriptTarget.ES2022, jsDocParsingMode: ts.JSDocParsingMode.ParseNone },
    parents,
  )

/** Parses what every program imports, which is otherwise done when the first one is checked. */
export function parseLibraries(): void {
  programOf(parse(main, "import 'hairpin'"))
}

function library(name: string): Ts.SourceFile | undefined {
  if (!libraries.has(name)) {
    const text = name === ambientFile ? ambient : readDeclaration(name)
    libraries.set(name, text === undefined ? undefined : parse(name, text))
  }
  return libraries.get(name)
}

function readDeclaration(name: string): string | undefined {
  if (!name.endsWith('.d.ts') || !name.startsWith(dirname(here))) return undefined
  try {
    return readFileSync(name, 'utf8')
  } catch {
    return undefined
  }
}

const flat = (message: string | Ts.DiagnosticMessageChain): string =>
  ts.flattenDiagnosticMessageText(message, '\n')

function convert(d: Ts.Diagnostic, file: string, sourceFile: Ts.SourceFile): Diagnostic {
  const start = d.start ?? 0
  const [message, ...more] = flat(d.messageText).split('\n')
  const notes: Note[] = []
  for (const r of d.relatedInformation ?? [])
    if (r.file === sourceFile && r.start !== undefined)
      notes.push({ message: flat(r.messageText), span: { start: r.start, end: r.start + (r.length ?? 0) } })
  return {
    code: `TS${d.code}`,
    severity: d.category === ts.DiagnosticCategory.Error ? 'error' : 'warning',
    message,
    file,
    span: { start, end: start + (d.length ?? 0) },
    ...hintFor(
      d.code,
      message,
      more.map(m => m.trim()),
      sourceFile.text.slice(start, start + (d.length ?? 0)),
    ),
    ...(notes.length > 0 && { notes }),
  }
}
