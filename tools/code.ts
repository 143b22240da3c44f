/**
 * Makes V8's compiled code of TypeScript and of our own script: `node dist/tools/code.js`, at the end of every build.
 *
 * A process compiles the bundled programs and leaves what V8 has compiled for that; one process for each kind that will
 * use it, since V8 takes code only where its flags are the same: the command line, which says that its runs are short
 * (src/v8-flags.ts), and other tools that import the compiler. Where it stands, src/lang/built-code.ts says.
 */

import { execFileSync } from 'node:child_process'
import { readFileSync, readdirSync, rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { openBundle } from '../src/bundle.js'
import { builtCode } from '../src/lang/built-code.js'
import { setShortRunFlags } from '../src/v8-flags.js'

const kinds = ['command', 'library'] as const
const self = fileURLToPath(import.meta.url)
const programs = new URL('../../programs/', import.meta.url)

/** Compiles every bundled program for one worker and for the kernel, every fourth one for all ways of running as well. */
function make(kind: (typeof kinds)[number]): void {
  if (kind === 'command') setShortRunFlags()
  const bundle = openBundle(builtCode)
  if (!bundle) throw new Error('no script of this build: run dist/tools/bundle.js first')
  const { compile } = bundle.load('compile.js') as typeof import('../src/compile.js')
  const { bytecodeOf } = bundle.load('engine/kernel/load.js') as typeof import('../src/engine/kernel/load.js')
  const typescript = bundle.load('lang/typescript.js') as typeof import('../src/lang/typescript.js')
  typescript.loadTypeScript(builtCode)
  const names = readdirSync(programs).filter(name => name.endsWith('.ts'))
  for (const [k, name] of names.entries())
    for (const options of [{ ways: [] }, ...(k % 4 === 3 ? [{}] : [])]) {
      const { compiled } = compile(name, readFileSync(new URL(name, programs), 'utf8'), options)
      if (!compiled) throw new Error(`${name} does not compile`)
      bytecodeOf(compiled, compiled.artifact.rulesLayout.size)
    }
  typescript.keepTypeScriptCode()
  bundle.keep('build')
}

const asked = kinds.find(kind => kind === process.argv[2])
if (asked) make(asked)
else {
  rmSync(builtCode, { recursive: true, force: true })
  for (const kind of kinds) execFileSync(process.execPath, [self, kind], { stdio: 'inherit' })
}
