/** What the house tests read: our modules, their header comments and the modules they import. */

import { readFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import ts from 'typescript'
import { root, typeScriptFiles } from '../../tools/sources.js'

export interface Source {
  /** Path relative to the root. */
  readonly path: string
  readonly text: string
  readonly lines: number
  /** The comment that the file begins with; empty if it begins with something else. */
  readonly header: string
  /** Modules of ours it imports, by the path of their source; types too. */
  readonly imports: readonly string[]
  /** Names of packages it imports. */
  readonly packages: readonly string[]
}

/** A file that is a test, or only serves tests. */
export const isTest = (path: string): boolean => path.endsWith('.test.ts') || path.startsWith('test/')

/** The folder whose rules apply: `backend` for all backends, the file's name for a file directly in src/. */
export function folderOf(path: string): string | undefined {
  return /^src\/([^/]+)/.exec(path)?.[1]
}

function read(path: string): Source {
  const text = readFileSync(join(root, path), 'utf8')
  const names = ts.preProcessFile(text, true, true).importedFiles.map(({ fileName }) => fileName)
  const local = names.filter(name => name.startsWith('.'))
  return {
    path,
    text,
    lines: text.split('\n').length - (text.endsWith('\n') ? 1 : 0),
    header: /^(?:\/\/.*\n)+|^\/\*[^]*?\*\//.exec(text.replace(/^#!.*\n/, ''))?.[0] ?? '',
    imports: local.map(name => posix.join(posix.dirname(path), name).replace(/\.js$/, '.ts')),
    packages: names.filter(name => !name.startsWith('.')),
  }
}

/** All TypeScript of ours. */
export const sources: readonly Source[] = typeScriptFiles().map(read)

/** Modules of the product and the tools, without tests. */
export const modules: readonly Source[] = sources.filter(({ path }) => !isTest(path))
