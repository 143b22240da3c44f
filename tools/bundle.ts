/**
 * Makes one script of the compiler and the command line: `node dist/tools/bundle.js`, after every build.
 *
 * Each module becomes a function that a small loader calls when the module is first loaded, as CommonJS has it. TypeScript
 * does the translation, of sources, since loops over arrays become loops by index (by-index.ts); imports among our own
 * modules are found by path, all others are Node's to answer. The script stands beside the folder of built modules, and its
 * first line says which build it was made of (src/bundle.ts).
 */

import { renameSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Script } from 'node:vm'
import ts from 'typescript'
import { buildOf, firstLine } from '../src/bundle.js'
import { byIndex } from './by-index.js'

/** Modules that whoever opens the script may load; what they import comes along. */
const entries = ['cli/dispatch.js', 'compile.js', 'engine/kernel/load.js']

const ours = 'importModule'
const meta = 'importMeta'

/** `import.meta` under another name, which is something that a script does not have. */
const withoutMeta: ts.TransformerFactory<ts.SourceFile> = context => file => {
  const visit = (node: ts.Node): ts.Node =>
    ts.isMetaProperty(node) ? context.factory.createIdentifier(meta) : ts.visitEachChild(node, visit, context)
  return ts.visitEachChild(file, visit, context)
}

/** The calls of `require` that imports have become; a module may have a function of that name. Tells which those are. */
const withOurs =
  (found: (name: string) => void): ts.TransformerFactory<ts.SourceFile> =>
  context =>
  file => {
    const visit = (node: ts.Node): ts.Node => {
      const seen = ts.visitEachChild(node, visit, context)
      if (
        !ts.isCallExpression(seen) ||
        !ts.isIdentifier(seen.expression) ||
        seen.expression.text !== 'require'
      )
        return seen
      const [name] = seen.arguments
      if (seen.arguments.length !== 1 || !ts.isStringLiteralLike(name) || node.pos >= 0) return seen
      found(name.text)
      return context.factory.createCallExpression(
        context.factory.createIdentifier(ours),
        undefined,
        seen.arguments,
      )
    }
    return ts.visitEachChild(file, visit, context)
  }

/** A module on its way into the script: its text, and what it imports of ours. */
interface Translated {
  readonly text: string
  readonly imports: readonly string[]
}

/** Translates modules of a folder of sources, one when it is asked for. */
function translator(folder: string): (path: string) => Translated {
  const program = ts.createProgram(
    entries.map(name => join(folder, name.replace(/js$/, 'ts'))),
    {
      target: ts.ScriptTarget.ESNext,
      module: ts.ModuleKind.CommonJS,
      moduleResolution: ts.ModuleResolutionKind.Bundler,
      types: ['node'],
      strict: true,
      noCheck: true,
      // A field that is only declared is made by the constructor that sets it, not twice.
      useDefineForClassFields: false,
      removeComments: true,
    },
  )
  const before = [byIndex(program.getTypeChecker()), withoutMeta]
  return path => {
    const imports: string[] = []
    const after = [withOurs(name => void (name.startsWith('.') && imports.push(join(dirname(path), name))))]
    let text: string | undefined
    const source = program.getSourceFile(path.replace(/js$/, 'ts'))
    const write = (_: string, written: string): void => void (text = written)
    program.emit(source, write, undefined, false, { before, after })
    if (source === undefined || text === undefined) throw new Error(`nothing to translate at ${path}`)
    return { text, imports }
  }
}

/** The script of the modules whose sources are in a folder. */
export function bundle(folder: string, build: string): string {
  const translate = translator(folder)
  const modules = new Map<string, string>()
  const add = (path: string): void => {
    if (modules.has(path)) return
    const { text, imports } = translate(path)
    modules.set(path, text)
    imports.forEach(add)
  }
  for (const entry of entries) add(join(folder, entry))
  const functions = [...modules].map(
    ([path, text]) => `${JSON.stringify(relative(folder, path))}(exports, ${ours}, ${meta}) {\n${text}\n},\n`,
  )
  return `${firstLine(build)}
const modules = {
${functions.join('')}}
${loader}
`
}

/** Runs in the script: see src/bundle.ts for what it offers. */
const loader = `
const { dirname, join } = require('node:path')
const { pathToFileURL } = require('node:url')
const loaded = new Map()
function load(path) {
  const known = loaded.get(path)
  if (known) return known
  const own = {}
  loaded.set(path, own)
  const filename = join(__dirname, 'src', path)
  const meta = { url: pathToFileURL(filename).href, filename, dirname: dirname(filename) }
  modules[path](own, name => (name.startsWith('.') ? load(join(dirname(path), name)) : require(name)), meta)
  return own
}
exports.load = load`

/** Throws at what modules may say and scripts may not, such as await outside of functions: better here than in a command. */
const parse = (text: string, filename: string): Script => new Script(text, { filename })

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const dist = new URL('../', import.meta.url)
  const target = fileURLToPath(new URL('bundle.cjs', dist))
  const text = bundle(fileURLToPath(new URL('../src', dist)), buildOf(dist))
  parse(text, target)
  writeFileSync(`${target}.${process.pid}`, text)
  // Renamed into place, so that a command that starts meanwhile never sees half a script.
  renameSync(`${target}.${process.pid}`, target)
}
