/** The programs of programs/, compiled, with the rules that lie beside them. For tests that run all of them. */

import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { root } from '../tools/sources.js'
import { compile } from '../src/compile.js'
import type { CompileOptions, Compiled } from '../src/compile.js'
import type { RulesDecl } from '../src/state/declaration.js'
import type { RulesLayout } from '../src/state/layout.js'
import { buildRules } from '../src/state/rules.js'
import type { RuleRow } from '../src/state/rules.js'
import { describeProblem, readRules } from '../src/state/rules-file.js'

const folder = join(root, 'programs')

/** Names of all programs, without `.ts`. */
export const programNames: readonly string[] = readdirSync(folder)
  .filter(file => file.endsWith('.ts'))
  .map(file => basename(file, '.ts'))
  .toSorted()

/** Those whose answers in the kernel are their own: the router's would be the machine's routes. */
export const trialNames: readonly string[] = programNames.filter(
  name => !/\bfib\(/.test(readFileSync(join(folder, `${name}.ts`), 'utf8')),
)

export interface BundledProgram extends Compiled {
  /** The rules block, if the program has rule tables. */
  readonly rules?: Uint8Array
}

/** Compiles a program; throws what it has to say if it does not compile. */
export function bundledProgram(name: string, options: CompileOptions = {}): BundledProgram {
  const path = join(folder, `${name}.ts`)
  const { compiled, diagnostics } = compile(path, readFileSync(path, 'utf8'), { hybrid: true, ...options })
  if (!compiled) throw new Error(diagnostics.map(d => `${d.code}: ${d.message}`).join('\n'))
  const { rules, rulesLayout } = compiled.artifact
  return rules.length === 0 ? compiled : { ...compiled, rules: bundledRules(rulesLayout, rules) }
}

/** Rule tables are filled from the file of their name in programs/rules/, or left empty. */
function bundledRules(layout: RulesLayout, tables: readonly RulesDecl[]): Uint8Array {
  const rows: Record<string, readonly RuleRow[]> = {}
  for (const declaration of tables)
    for (const format of ['csv', 'json'] as const) {
      const file = join(folder, 'rules', `${declaration.name}.${format}`)
      if (!existsSync(file)) continue
      const read = readRules(readFileSync(file, 'utf8'), format, declaration)
      if (read.problems.length) throw new Error(read.problems.map(p => describeProblem(file, p)).join('\n'))
      rows[declaration.name] = read.rows
    }
  const built = buildRules(layout, rows)
  if (!built.ok) throw new Error(`${built.table}: ${built.message}`)
  return built.bytes
}
