// Runs a CommonJS package with V8's compiled code from an earlier process beside it.
//
// TypeScript is nine megabytes of source; compiling the functions that a check runs through takes longer than running
// them. V8 can hand out what it has compiled, lazily compiled functions included, and take it back in another process
// of the same version and flags. Promises: the package behaves the same with and without; a file that is missing,
// foreign or damaged counts as none (V8 trusts what it is given, so a digest stands before it); nothing is written
// unless `keep` is called.

import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { cachedDataVersionTag } from 'node:v8'
import { Script } from 'node:vm'

export interface Loaded {
  readonly exports: unknown
  /** Whether compiled code was there and V8 took it. */
  readonly taken: boolean
  /**
   * Writes what is compiled by now, if nothing was taken, or less than `times` (default 1) were kept under this label:
   * what one kind of work has compiled is added to what others have. Does nothing where the folder cannot be written.
   */
  keep(label?: string, times?: number): void
}

const digest = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest()
const digestBytes = 32

/** What a file holds behind its digest: code, labels as JSON, and the length of those in four bytes. */
interface Kept {
  readonly code: Buffer
  readonly labels: readonly string[]
}

function pack({ code, labels }: Kept): Buffer {
  const text = Buffer.from(JSON.stringify(labels))
  const length = Buffer.alloc(4)
  length.writeUInt32LE(text.length)
  const rest = Buffer.concat([code, text, length])
  return Buffer.concat([digest(rest), rest])
}

/** Of a file whose digest is right. */
function unpack(rest: Buffer): Kept {
  const end = rest.length - 4
  const start = end - rest.readUInt32LE(end)
  return { code: rest.subarray(0, start), labels: JSON.parse(rest.toString('utf8', start, end)) as string[] }
}

/** What the code was compiled from and by: another V8, or V8 with other flags, would refuse it. */
function fileName(path: string): string {
  const { mtimeMs, size } = statSync(path)
  const parts: (string | number)[] = [path, mtimeMs, size, process.version, process.versions.v8, process.arch]
  parts.push(cachedDataVersionTag(), process.env.NODE_OPTIONS ?? '', ...process.execArgv)
  return `${digest(Buffer.from(parts.join('\0'))).toString('hex', 0, 16)}.code`
}

/** What a file holds, if the file is whole. */
function readKept(file: string): Kept | undefined {
  try {
    const bytes = readFileSync(file)
    const rest = bytes.subarray(digestBytes)
    return digest(rest).equals(bytes.subarray(0, digestBytes)) ? unpack(rest) : undefined
  } catch {
    return undefined
  }
}

/** Whether a folder holds code of the module at `path` that a process like this one has left there. */
export const hasCode = (path: string, folder: string): boolean => existsSync(join(folder, fileName(path)))

/**
 * Runs the module at `path` (absolute, CommonJS) with what `folder` holds of its code, or else `built`, which is never
 * written to. Without `folder` nothing is kept.
 */
export function loadWithCode(path: string, folder: string | undefined, built?: string): Loaded {
  const name = fileName(path)
  const file = folder === undefined ? undefined : join(folder, name)
  const kept = (file && readKept(file)) || (built === undefined ? undefined : readKept(join(built, name)))
  const cachedData = kept?.code
  const source = `(function (exports, require, module, __filename, __dirname) { ${readFileSync(path, 'utf8')}\n})`
  const script = new Script(source, { filename: path, ...(cachedData && { cachedData }) })
  const module: { exports: unknown } = { exports: {} }
  const run = script.runInThisContext() as (...args: unknown[]) => void
  run.call(module.exports, module.exports, createRequire(path), module, path, dirname(path))
  const taken = cachedData !== undefined && script.cachedDataRejected === false
  return {
    exports: module.exports,
    taken,
    keep(label = '', times = 1) {
      if (folder === undefined || file === undefined) return
      const labels = taken && kept ? kept.labels : []
      if (labels.filter(l => l === label).length >= times) return
      try {
        mkdirSync(folder, { recursive: true })
        const bytes = pack({ code: script.createCachedData(), labels: [...labels, label] })
        // Renamed into place, so that a reader never sees half a file.
        writeFileSync(`${file}.${process.pid}`, bytes)
        renameSync(`${file}.${process.pid}`, file)
      } catch {
        // Without it the next process compiles again.
      }
    },
  }
}
