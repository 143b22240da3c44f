/**
 * Makes one script of the compiler and the command line: `node dist/tools/bundle.js`, after every build.
 *
 * Each module becomes a function that a small loader calls when the module is first loaded, as CommonJS has it. TypeScript
 * does the translation; imports among our own modules are found by path, all others are Node's to answer. The script
 * stands beside the folder of modules, and its first line says which build it was made of (src/bundle.ts).
 */

import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Script } from 'node:vm'
import ts from 'typescript'
import { buildOf, firstLine } from '../src/bundle.js'

/** Modules that whoever opens the script may load; what they import comes along. */
const entries = ['cli/dispatch.js', 'compile.js', 'engine/kernel/load.js']

const ours = 'importModule'
const meta = 'importMeta'

/** The text with another name for `import.meta`, which is something that a script does not have. */
function withoutMeta(text: string): string {
  const places: number[] = []
  const visit = (node: ts.Node): void => {
    if (ts.isMetaProperty(node)) places.push(node.getStart())
    ts.forEachChild(node, visit)
  }
  visit(ts.createSourceFile('module.js', text, ts.ScriptTarget.ESNext, true))
  let result = text
  for (const at of places.toReversed())
    result = result.slice(0, at) + result.slice(at).replace('import.meta', meta)
  return result
}

/** The calls of `require` that imports have become; a module may have a function of that name. */
const withOurs: ts.TransformerFactory<ts.SourceFile> = context => file => {
  const visit = (node: ts.Node): ts.Node => {
    const seen = ts.visitEachChild(node, visit, context)
    if (!ts.isCallExpression(seen) || !ts.isIdentifier(seen.expression) || seen.expression.text !== 'require')
      return seen
    if (seen.arguments.length !== 1 || !ts.isStringLiteralLike(seen.arguments[0]) || node.pos >= 0)
      return seen
    return ts.factory.createCallExpression(ts.factory.createIdentifier(ours), undefined, seen.arguments)
  }
  return ts.visitEachChild(file, visit, context)
}

function translate(path: string, text: string): string {
  const { outputText } = ts.transpileModule(withoutMeta(text), {
    fileName: path,
    compilerOptions: {
      module: ts.ModuleKind.CommonJS,
      target: ts.ScriptTarget.ESNext,
      allowJs: true,
      noCheck: true,
      declaration: false,
      removeComments: true,
    },
    transformers: { after: [withOurs as ts.TransformerFactory<ts.SourceFile>] },
  })
  return outputText
}

/** The script of the modules in a folder that was built. */
export function bundle(folder: string, build: string): string {
  const modules = new Map<string, string>()
  const add = (path: string): void => {
    if (modules.has(path)) return
    const text = readFileSync(path, 'utf8')
    modules.set(path, translate(path, text))
    for (const { fileName } of ts.preProcessFile(text, true, true).importedFiles)
      if (fileName.startsWith('.')) add(join(dirname(path), fileName))
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
  const text = bundle(fileURLToPath(new URL('src', dist)), buildOf(dist))
  parse(text, target)
  writeFileSync(`${target}.${process.pid}`, text)
  // Renamed into place, so that a command that starts meanwhile never sees half a script.
  renameSync(`${target}.${process.pid}`, target)
}
