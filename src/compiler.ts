// The compiler for other tools: what `import … from 'hairpin/compiler'` means. The same as compile.ts, as one script with
// V8's compiled code where the build has left both (bundle.ts), so that a first compile is no slower than need be.
//
//   import { compile, prepare } from 'hairpin/compiler'
//   prepare()
//   const { compiled, diagnostics } = compile('knock.ts', text, { ways: [] })
//   const module = new WebAssembly.Module(compiled.artifact.wasm)

import { openBundle } from './bundle.js'
import type { Compilation, CompileOptions } from './compile.js'

export type { Compilation, CompileOptions, Compiled } from './compile.js'

const bundle = openBundle(undefined)
const compiler = (bundle?.load('compile.js') ??
  (await import('./compile.js'))) as typeof import('./compile.js')
const beside = (bundle?.load('lang/beside.js') ??
  (await import('./lang/beside.js'))) as typeof import('./lang/beside.js')
const { loadTypeScript } = (bundle?.load('lang/typescript.js') ??
  (await import('./lang/typescript.js'))) as typeof import('./lang/typescript.js')

/**
 * Compiles a program's text; `file` is its name in messages. Without errors among the diagnostics there is a compiled
 * program; mistakes in the program never throw. The first one in a process takes two to three times as long as later ones.
 */
export function compile(file: string, text: string, options?: CompileOptions): Compilation {
  return compiler.compile(file, text, options)
}

/**
 * Does ahead what the first compile would have to: imports TypeScript, and starts a thread with another TypeScript that
 * checks types while this thread compiles, if there are two processors or more. The thread does not keep the process
 * alive. Takes about 100 ms; calling it again does nothing.
 */
export function prepare(): void {
  beside.startChecker(undefined)
  loadTypeScript()
  beside.awaitChecker()
}
