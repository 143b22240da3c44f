// Runs a CommonJS package with V8's compiled code from an earlier process beside it.
//
// TypeScript is nine megabytes of source; compiling the functions that a check runs through takes longer than running
// them. V8 can hand out what it has compiled, lazily compiled functions included, and take it back in another process
// of the same version and flags. Promises: the package behaves the same with and without; a file that is missing,
// foreign or damaged counts as none (V8 trusts what it is given, so a digest stands before it); nothing is written
// unless `keep` is called.

import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { Script } from 'node:vm'

export interface Loaded {
  readonly exports: unknown
  /** Whether compiled code was there and V8 took it. */
  readonly taken: boolean
  /** Writes what is compiled by now, if nothing was taken. Does nothing where the folder cannot be written. */
  keep(): void
}

const digest = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest()
const digestBytes = 32

/** What the code was compiled from and by: another V8, or V8 with other flags, would refuse it. */
function fileName(path: string): string {
  const { mtimeMs, size } = statSync(path)
  const parts = [path, mtimeMs, size, process.version, process.versions.v8, process.arch, ...process.execArgv]
  return `${digest(Buffer.from(parts.join('\0'))).toString('hex', 0, 16)}.code`
}

/** Code from a file, if the file is whole. */
function readCode(file: string): Buffer | undefined {
  try {
    const bytes = readFileSync(file)
    const code = bytes.subarray(digestBytes)
    return digest(code).equals(bytes.subarray(0, digestBytes)) ? code : undefined
  } catch {
    return undefined
  }
}

/** Runs the module at `path` (absolute, CommonJS) with what `folder` holds of its code. */
export function loadWithCode(path: string, folder: string): Loaded {
  const file = join(folder, fileName(path))
  const cachedData = readCode(file)
  const source = `(function (exports, require, module, __filename, __dirname) { ${readFileSync(path, 'utf8')}\n})`
  const script = new Script(source, { filename: path, ...(cachedData && { cachedData }) })
  const module: { exports: unknown } = { exports: {} }
  const run = script.runInThisContext() as (...args: unknown[]) => void
  run.call(module.exports, module.exports, createRequire(path), module, path, dirname(path))
  const taken = cachedData !== undefined && script.cachedDataRejected === false
  return {
    exports: module.exports,
    taken,
    keep() {
      if (taken) return
      try {
        mkdirSync(folder, { recursive: true })
        const code = script.createCachedData()
        // Renamed into place, so that a reader never sees half a file.
        writeFileSync(`${file}.${process.pid}`, Buffer.concat([digest(code), code]))
        renameSync(`${file}.${process.pid}`, file)
      } catch {
        // Without it the next process compiles again.
      }
    },
  }
}
