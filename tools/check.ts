/**
 * `npm test`: formatting, lint, programs' types, then every test, in one summary.
 *
 *     npm test                          everything
 *     npm test -- wasm state/table      only test files whose path contains one of the words
 *     npm test -- --name 'port'         only tests whose name matches the expression
 *     npm test -- --only lint           one step: lint, types or test
 *
 * Every step runs even when an earlier one failed, and the tests come last, so that the closing lines are theirs.
 * With HAIRPIN_REQUIRE_KERNEL=1 a test that was skipped for want of the kernel or of a privilege counts as failed.
 * Exit status: 0 everything passed, 1 something failed, 2 usage.
 */

import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { root, testFiles } from './sources.js'
import { runTests } from './tests.js'

const steps = ['lint', 'types', 'test'] as const

/** Runs a package's command in the repository's root; true if it succeeded. */
function tool(name: string, ...args: string[]): boolean {
  const { status, error } = spawnSync(join(root, 'node_modules/.bin', name), args, {
    cwd: root,
    stdio: 'inherit',
  })
  if (error) console.error(`${name}: ${error.message}`)
  return status === 0
}

/** Tells what failed; keeps quiet about what passed. */
function step(name: string, passed: boolean): boolean {
  if (!passed) console.log(`✖ ${name}\n`)
  return passed
}

function lint(): boolean {
  const cache = ['--cache', '--cache-location', 'dist/.prettier']
  const formatted = tool('prettier', '--check', '--log-level', 'warn', ...cache, '.')
  const clean = tool('oxlint', '--quiet')
  return [
    step('formatting: `npm run format` mends it', formatted),
    step('lint: oxlint’s findings stand above', clean),
  ].every(Boolean)
}

/** The build has checked our own sources; programs are checked as an author's editor does. */
function types(): boolean {
  const project = 'programs/tsconfig.json'
  return !existsSync(join(root, project)) || step('types of programs/', tool('tsc', '-p', project))
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    options: { only: { type: 'string' }, name: { type: 'string' } },
    allowPositionals: true,
  })
  if (values.only !== undefined && !steps.some(s => s === values.only)) {
    console.error(`--only takes ${steps.join(', ')}, not ${values.only}`)
    return 2
  }
  const narrowed = positionals.length > 0 || values.name !== undefined
  const wanted = (name: string): boolean => (values.only ?? (narrowed ? 'test' : name)) === name
  const files = testFiles().filter(
    file => positionals.length === 0 || positionals.some(word => file.includes(word)),
  )
  if (wanted('test') && files.length === 0) {
    console.error(`no test file has ${positionals.join(' or ')} in its path`)
    return 2
  }
  const results: boolean[] = []
  if (wanted('lint')) results.push(lint())
  if (wanted('types')) results.push(types())
  if (wanted('test')) results.push(await runTests(files, values.name))
  return results.every(Boolean) ? 0 : 1
}

try {
  process.exitCode = await main()
} catch (error) {
  if (!(error instanceof TypeError)) throw error
  console.error(`npm test: ${error.message}`)
  process.exitCode = 2
}
