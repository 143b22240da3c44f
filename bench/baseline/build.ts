/**
 * Compiles the baselines: `bench/baseline/NAME.c` to `dist/baseline/NAME` by `clang -O2`. Only benchmarks need clang;
 * without it they say so.
 */

import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../../', import.meta.url))
const sources = join(root, 'bench/baseline')

/** Programs that have a baseline. */
export const baselines: readonly string[] = readdirSync(sources)
  .filter(file => file.endsWith('.c'))
  .map(file => file.slice(0, -2))
  .toSorted()

/** What compiled them, for the record; undefined if there is no clang. */
export function compilerVersion(): string | undefined {
  try {
    return execFileSync('clang', ['--version'], { encoding: 'utf8' }).split('\n')[0]
  } catch {
    return undefined
  }
}

/** Compiles a baseline unless it is newer than its sources; returns the path of the executable. */
export function buildBaseline(name: string, flags: readonly string[] = ['-O2']): string {
  const folder = join(root, 'dist/baseline')
  mkdirSync(folder, { recursive: true })
  const output = join(folder, [name, ...flags].join(''))
  const newest = Math.max(...readdirSync(sources).map(file => statSync(join(sources, file)).mtimeMs))
  const built = statSync(output, { throwIfNoEntry: false })
  if (built === undefined || built.mtimeMs < newest)
    execFileSync('clang', [...flags, '-o', output, join(sources, `${name}.c`)], { stdio: 'inherit' })
  return output
}
