/**
 * Which files are ours. Tests are found by their sources, never by what lies in dist/, so that what was built from a
 * file that is gone, or from another branch, does not run.
 */

import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'

/** The repository's root, seen from where this file is built to. */
export const root = resolve(import.meta.dirname, '../..')

/** Paths of all TypeScript files of ours relative to the root, in order. */
export function typeScriptFiles(): string[] {
  return ['test', 'src', 'tools', 'bench', 'programs']
    .filter(folder => existsSync(join(root, folder)))
    .flatMap(folder =>
      readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
        .map(path => `${folder}/${path.replaceAll('\\', '/')}`)
        .filter(path => path.endsWith('.ts'))
        .toSorted(),
    )
}

/** Paths of the sources of all tests: `x.test.ts` beside `x.ts`, and what spans folders in test/. */
export function testFiles(): string[] {
  return typeScriptFiles().filter(path => path.endsWith('.test.ts'))
}

/** Where a source is built to, absolute. */
export function builtFile(source: string): string {
  return join(root, 'dist', source.replace(/\.ts$/, '.js'))
}

/** Paths under version control relative to the root; undefined if this is no git checkout, or there is no git. */
export function trackedFiles(): string[] | undefined {
  try {
    const listed = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '-z'], {
      cwd: root,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    return listed.split('\0').filter(path => path !== '' && existsSync(join(root, path)))
  } catch {
    return undefined
  }
}
