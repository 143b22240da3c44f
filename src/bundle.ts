// hairpin's own modules as one script, which the build makes of them (tools/bundle.ts) and which runs with V8's compiled
// code of earlier processes or of the build (tools/code.ts): Node 20 takes compiled code for scripts, not for modules,
// and a first compile is mostly code that runs for the first time. Promises: what it gives is what the modules give; a
// script of another build than the modules beside it counts as none.

import { closeSync, openSync, readSync, statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { hasCode, loadWithCode } from './lang/code-cache.js'

export interface Bundle {
  /** A module's exports, by its path under src; it runs when it is first loaded. */
  load(module: string): unknown
  /**
   * Leaves compiled code for later processes under the name of what was done, until that was left so many times (default
   * 1). Without a name, nothing.
   */
  keep(label: string | undefined, times?: number): void
}

/** What tells builds apart: the record that the TypeScript compiler leaves. An installed package has none. */
export function buildOf(folder: URL): string {
  const record = statSync(new URL('.tsbuildinfo', folder), { throwIfNoEntry: false })
  return record ? `${record.mtimeMs} ${record.size}` : ''
}

/** The first line of a script, a comment, says what build it was made of. */
export const firstLine = (build: string): string => `// Made by tools/bundle.ts of build ${build}`

/**
 * Opens the script that stands in a folder beside its modules, with compiled code from another folder or from the build;
 * undefined if there is no script of this build, or no code and nowhere to keep it.
 */
export function openBundle(
  codeFolder: string | undefined,
  built: URL = new URL('..', import.meta.url),
): Bundle | undefined {
  const script = fileURLToPath(new URL('bundle.cjs', built))
  const build = buildOf(built)
  const found = lineOf(script)
  if (found === undefined || (build !== '' && found !== firstLine(build))) return undefined
  // Without code, a script of a megabyte is no faster than the modules.
  const builtCode = fileURLToPath(new URL('code', built))
  if (codeFolder === undefined && !hasCode(script, builtCode)) return undefined
  const { exports, keep } = loadWithCode(script, codeFolder, builtCode)
  const { load } = exports as Pick<Bundle, 'load'>
  return { load, keep: (label, times) => void (label !== undefined && keep(label, times)) }
}

/** The first line of a file of which at most 200 bytes are looked at. */
function lineOf(path: string): string | undefined {
  let file: number | undefined
  try {
    file = openSync(path, 'r')
    const bytes = Buffer.alloc(200)
    return bytes.toString('utf8', 0, readSync(file, bytes, 0, bytes.length, 0)).split('\n', 1)[0]
  } catch {
    return undefined
  } finally {
    if (file !== undefined) closeSync(file)
  }
}
