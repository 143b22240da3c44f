/**
 * Runs test files with node's own runner, two at a time, and says what happened: failures in full as they come, then
 * every note and every skip with its reason, then the runner's closing lines.
 *
 * Counted as failures besides what the runner counts: a file without a test, and, where HAIRPIN_REQUIRE_KERNEL=1, a
 * test skipped for want of the kernel (marked by test/requires.ts).
 */

import { relative } from 'node:path'
import { run } from 'node:test'
import { inspect } from 'node:util'
import { kernelSkip } from '../test/requires.js'
import { builtFile, root } from './sources.js'

const concurrency = 2
/** For one file; a test that needs longer is no test but a measurement. */
const fileTimeout = 300_000

/** What the runner's pass and fail events carry, as far as we look. */
interface Outcome {
  readonly name: string
  readonly file?: string
  readonly skip?: boolean | string
  readonly todo?: boolean | string
  readonly details: {
    readonly type?: string
    readonly duration_ms: number
    readonly error?: Error & { readonly failureType?: string }
  }
}

const failureOfChildren = 'subtestsFailed'
const notSelected = 'test name does not match pattern'

/** Runs the tests of these sources; `name` selects by test name. True if nothing failed. */
export async function runTests(sources: readonly string[], name?: string): Promise<boolean> {
  process.env['NODE_OPTIONS'] = `${process.env['NODE_OPTIONS'] ?? ''} --enable-source-maps`
  const began = performance.now()
  const summary = new Summary()
  const stream = run({
    files: sources.map(builtFile),
    concurrency,
    timeout: fileTimeout,
    ...(name === undefined ? {} : { testNamePatterns: new RegExp(name) }),
  })
  for await (const { type, data } of stream) {
    if (type === 'test:pass') summary.passed(data)
    else if (type === 'test:fail') summary.failed(data)
    else if (type === 'test:diagnostic' && data.file !== undefined) summary.noted(data.file, data.message)
    else if (type === 'test:stdout' || type === 'test:stderr') summary.printed(data.file, data.message)
  }
  summary.close(performance.now() - began)
  return summary.good
}

/** Collects outcomes; prints failures as they come and the rest at the end. */
class Summary {
  readonly #counts = { tests: 0, suites: 0, pass: 0, fail: 0, cancelled: 0, skipped: 0, todo: 0 }
  readonly #skips: string[] = []
  readonly #notes: string[] = []
  /** What each file printed: shown if the file itself fails, because only there it says why. */
  readonly #output = new Map<string, string>()
  readonly #requireKernel = process.env['HAIRPIN_REQUIRE_KERNEL'] === '1'

  get good(): boolean {
    return this.#counts.fail + this.#counts.cancelled === 0
  }

  passed(outcome: Outcome): void {
    const { name, skip, todo, details } = outcome
    if (skip === notSelected) return
    if (details.type === 'suite') this.#counts.suites++
    else this.#counts.tests++
    if (skip !== undefined && skip !== false) this.#skipped(outcome, typeof skip === 'string' ? skip : '')
    else if (details.type === 'suite') return
    else if (todo !== undefined && todo !== false) this.#counts.todo++
    else if (isFile(name)) this.#report(outcome, 'the file has no test')
    else this.#counts.pass++
  }

  #skipped(outcome: Outcome, reason: string): void {
    if (this.#requireKernel && reason.startsWith(kernelSkip))
      this.#report(outcome, `skipped, but HAIRPIN_REQUIRE_KERNEL=1: ${reason}`)
    else {
      this.#counts.skipped++
      this.#skips.push(`${sourceOf(outcome.file)}: ${outcome.name}: ${reason || 'no reason given'}`)
    }
  }

  failed(outcome: Outcome): void {
    const { details, name } = outcome
    const { error } = details
    const kind = error?.failureType
    if (details.type === 'suite') this.#counts.suites++
    else this.#counts.tests++
    if (kind === failureOfChildren) {
      if (details.type !== 'suite') this.#counts.fail++
      return
    }
    const cause = error?.cause ?? error
    const text = inspect(cause, { depth: 4, colors: process.stdout.hasColors?.() ?? false })
    const output = isFile(name) ? (this.#output.get(outcome.file ?? name) ?? '') : ''
    const cancelled = kind === 'testTimeoutFailure' || kind === 'cancelledByParent'
    this.#report(outcome, output === '' ? text : `${text}\n${output.trimEnd()}`, cancelled)
  }

  noted(file: string, text: string): void {
    this.#notes.push(`${sourceOf(file)}: ${text}`)
  }

  printed(file: string | undefined, text: string): void {
    if (file !== undefined) this.#output.set(file, (this.#output.get(file) ?? '') + text)
  }

  #report({ name, file, details }: Outcome, text: string, cancelled = false): void {
    this.#counts[cancelled ? 'cancelled' : 'fail']++
    const title = isFile(name) ? '' : `: ${name}`
    const where = sourceOf(file ?? (isFile(name) ? name : undefined))
    console.log(`✖ ${where}${title} (${Math.round(details.duration_ms)} ms)`)
    console.log(`  ${text.replaceAll('\n', '\n  ')}\n`)
  }

  close(milliseconds: number): void {
    for (const [title, lines] of [
      ['notes', this.#notes],
      ['skipped', this.#skips],
    ] as const)
      if (lines.length) console.log(`${title}:\n${lines.map(line => `  ${line}`).join('\n')}\n`)
    for (const [what, count] of Object.entries(this.#counts)) console.log(`# ${what} ${count}`)
    console.log(`# duration_ms ${milliseconds.toFixed(3)}`)
  }
}

/** The runner reports a file as a test of its own when it fails as a whole, or has none. */
const isFile = (name: string): boolean => name.endsWith('.test.js')

/** The source that a built test comes from, relative to the root. */
const sourceOf = (built: string | undefined): string =>
  built === undefined
    ? 'unknown file'
    : relative(root, built)
        .replace(/^dist\//, '')
        .replace(/\.js$/, '.ts')
