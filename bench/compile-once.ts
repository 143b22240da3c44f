/**
 * One process of compile-time.ts: `node dist/bench/compile-once.js PROGRAM TARGET COUNT [CODE-FOLDER]` imports
 * TypeScript, compiles `programs/PROGRAM.ts` COUNT times for TARGET, and prints what each took as JSON. Targets: `all`,
 * a module for all ways of running, as `verify` takes it; `single`, one for one worker, as `run` takes it by default;
 * `ebpf`, bytecode as `attach` takes it; `library`, as `single` through the entry for other tools (src/compiler.ts), with
 * V8's own flags and the code that the build has left, and none of earlier processes.
 */

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { openBundle } from '../src/bundle.js'
import { threadTime } from '../src/sys/thread-time.js'
import { setLongRunFlags, setShortRunFlags } from '../src/v8-flags.js'

/** Milliseconds: on the clock, of the thread that compiles, and of all threads of the process. */
export interface Took {
  readonly clock: number
  readonly thread: number
  readonly all: number
}

export interface Once {
  /** Of TypeScript. */
  readonly import: Took
  readonly compiles: readonly Took[]
  /** Whether our modules came as one script with compiled code (src/bundle.ts). */
  readonly bundled: boolean
  /** Of the module, or of the bytecode. */
  readonly bytes: number
}

function timed<T>(work: () => T): { took: Took; result: T } {
  const [clock, thread, all] = [performance.now(), threadTime(), process.cpuUsage()]
  const result = work()
  const { user, system } = process.cpuUsage(all)
  const took = {
    clock: performance.now() - clock,
    thread: Number(threadTime() - thread) / 1e6,
    all: (user + system) / 1e3,
  }
  return { took, result }
}

const [name, target, count, folder] = process.argv.slice(2)
const isLibrary = target === 'library'
const codeFolder = isLibrary ? undefined : folder
if (!isLibrary) setShortRunFlags()
// The compiler as the command line takes it (src/cli/main.ts), or as compiler.ts does.
const bundle = openBundle(codeFolder)
const { compile } = (
  bundle ? bundle.load('compile.js') : await import('../src/compile.js')
) as typeof import('../src/compile.js')
const { bytecodeOf } = (
  bundle ? bundle.load('engine/kernel/load.js') : await import('../src/engine/kernel/load.js')
) as typeof import('../src/engine/kernel/load.js')
const { awaitChecker, startChecker, stopChecker } = (
  bundle ? bundle.load('lang/beside.js') : await import('../src/lang/beside.js')
) as typeof import('../src/lang/beside.js')
const { keepTypeScriptCode, loadTypeScript } = (
  bundle ? bundle.load('lang/typescript.js') : await import('../src/lang/typescript.js')
) as typeof import('../src/lang/typescript.js')
/** From source text to what runs: a module that V8 has compiled, or bytecode and the maps it needs. */
function build(file: string, text: string, target: string): number {
  const { compiled, diagnostics } = compile(file, text, target === 'all' ? {} : { ways: [] })
  if (!compiled) throw new Error(diagnostics.map(d => d.message).join('\n'))
  if (target === 'ebpf') {
    const { withoutModule: artifact, kernel, program } = compiled
    return bytecodeOf({ artifact, kernel, program }, artifact.rulesLayout.size).encoded.bytes.length
  }
  const { artifact } = compiled
  // Throws if V8 does not take it.
  void new WebAssembly.Module(artifact.wasm)
  return artifact.wasm.length
}

const file = fileURLToPath(new URL(`../../programs/${name}.ts`, import.meta.url))
const text = readFileSync(file, 'utf8')
const imported = timed(() => {
  startChecker(codeFolder)
  loadTypeScript(codeFolder)
  awaitChecker()
}).took
const compiles: Took[] = []
let bytes = 0
for (let k = 0; k < Number(count); k++) {
  const { took, result } = timed(() => build(file, text, target))
  compiles.push(took)
  bytes = result
  if (!isLibrary) setLongRunFlags()
}
if (!isLibrary) setShortRunFlags()
if (!stopChecker()) keepTypeScriptCode()
bundle?.keep(target, 4)
process.stdout.write(
  JSON.stringify({ import: imported, compiles, bundled: bundle !== undefined, bytes } satisfies Once),
)
