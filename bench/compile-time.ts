/**
 * Source to what runs, for each program: `node dist/bench/compile-time.js [--rounds n] [--compiles n] [PROGRAM…]`.
 *
 * Each round starts five processes per program in turn: one that makes a WebAssembly module for one worker, one that
 * makes a module for all ways of running (both as far as V8 has compiled them), one that makes eBPF bytecode ready for
 * the kernel, one that makes a module for one worker as other tools do (`hairpin/compiler`, V8's own flags, code of the
 * build), and `clang -O2 -target bpf` over the C of the same program where there is one. In ours TypeScript and our
 * modules are imported before the clock runs, as a session that compiles has them, with the compiled code that earlier
 * processes left of both (src/lang/code-cache.ts, src/bundle.ts); those compiled other programs than the one measured. As in
 * the command line, types are checked on a thread beside (src/lang/beside.ts), which has imported TypeScript as well.
 *
 * `first` is the first compile of such a process, on the clock; `thread` the same of the thread that compiles, without
 * the one beside, which others on the machine do not change; `later` the least of the other compiles, on the clock.
 * clang is one process, started and ended.
 *
 * Medians over the rounds. The bar is 150 ms for WebAssembly and 100 ms for eBPF; what misses it is marked.
 */

import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { formatEnvironment, readEnvironment } from '../src/measure/environment.js'
import { median } from '../src/measure/statistics.js'
import { formatTable } from '../src/measure/table.js'
import { compilerVersion } from './baseline/build.js'
import type { Once, Took } from './compile-once.js'
import { workloads } from './workload.js'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: 'string', default: '5' }, compiles: { type: 'string', default: '6' } },
})
const rounds = Number(values.rounds)
const programs = positionals.length ? positionals : Object.keys(workloads)
const targets = [
  { name: 'single', bar: 150 },
  { name: 'all', bar: 150 },
  { name: 'ebpf', bar: 100 },
  { name: 'library', bar: 150 },
] as const
const root = fileURLToPath(new URL('../../', import.meta.url))
const once = fileURLToPath(new URL('compile-once.js', import.meta.url))
const clang = compilerVersion()
const folder = mkdtempSync(join(tmpdir(), 'hairpin-compile-'))

/** Programs that leave compiled code, in a folder of their own each; a program is measured with the other's. */
const earlier = [
  ['token-bucket', 'key-value-cache', 'dns-flood', 'heavy-hitter'],
  ['connection-tracker', 'source-nat', 'prefix-forwarder', 'ddos-mitigator'],
]

function ours(program: string, target: string, code = earlier[1].includes(program) ? 0 : 1): Once {
  const args = [once, program, target, values.compiles, join(folder, `code-${code}`)]
  return JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' })) as Once
}

/** Milliseconds of one clang over the program's C; undefined without either. */
function theirs(program: string): number | undefined {
  const source = join(root, 'bench/baseline/xdp', `${program}.c`)
  if (clang === undefined || !existsSync(source)) return undefined
  const flags = ['-O2', '-ffreestanding', '-target', 'bpf', '-mcpu=v3', '-DCUCKOO', '-w']
  const start = performance.now()
  execFileSync('clang', [...flags, '-c', source, '-o', join(folder, 'theirs.o')])
  return performance.now() - start
}

type Times = { first: Took[]; later: number[]; bytes: number }
const ms = (value: number): string => value.toFixed(0)
const marked = (value: number, bar: number): string => `${ms(value)}${value > bar ? ' !' : '  '}`

function row(program: string, measured: Record<string, Times>, native: number[]): string[] {
  const cells = targets.flatMap(({ name, bar }) => {
    const { first, later, bytes } = measured[name]
    const clock = median(first.map(t => t.clock))
    const thread = median(first.map(t => t.thread))
    return [marked(clock, bar), marked(thread, bar), marked(median(later), bar), String(bytes)]
  })
  return [program, ...cells, native.length ? ms(median(native)) : '']
}

try {
  // Not counted.
  const [{ import: without }] = earlier.flatMap((names, code) =>
    names.flatMap(program => targets.map(({ name }) => ours(program, name, code))),
  )
  const imports: Took[] = []
  const rows: string[][] = []
  for (const program of programs) {
    const measured: Record<string, Times> = {}
    const native: number[] = []
    for (let round = 0; round < rounds; round++) {
      for (const { name } of targets) {
        const { import: imported, compiles, bytes } = ours(program, name)
        const times = (measured[name] ??= { first: [], later: [], bytes })
        times.first.push(compiles[0])
        times.later.push(Math.min(...compiles.slice(1).map(t => t.clock)))
        imports.push(imported)
      }
      const time = theirs(program)
      if (time !== undefined) native.push(time)
    }
    rows.push(row(program, measured, native))
  }
  const heads = targets.flatMap(({ name }) => [`${name} first`, 'thread', 'later', 'bytes'])
  const table = formatTable([['ms', ...heads, 'clang'], ...rows], `l${'r'.repeat(heads.length + 1)}`)
  const thread = (list: readonly Took[]): string => ms(median(list.map(t => t.thread)))
  process.stdout.write(
    `${formatEnvironment(readEnvironment(root))}\n${clang ?? 'no clang'}\n\n${table}\n\n` +
      `import of TypeScript, ms of its thread: ${thread(imports)} with code of earlier processes, ` +
      `${thread([without])} without (once); ${rounds} rounds, later = least of ${Number(values.compiles) - 1}\n`,
  )
} finally {
  rmSync(folder, { recursive: true })
}
