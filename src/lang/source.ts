// The front end in one screen: source text to checked, lowered IR.
//
//   check (TypeScript) -> subset (syntax we refuse) -> lower (values, state, packets) -> handles (stale entries)
//
// Promises: with no error among the diagnostics there is a program, and it passes the IR verifier; several mistakes
// are reported in one run; where TypeScript has complained, ours about the same place are left out.

import { catalogue } from '../diagnostics/catalogue.js'
import { diagnose, sortDiagnostics } from '../diagnostics/diagnostic.js'
import type { Diagnostic } from '../diagnostics/diagnostic.js'
import { lineStarts, positionAt } from '../diagnostics/lines.js'
import type { Program } from '../ir/types.js'
import type { StateObject } from '../state/declaration.js'
import { check } from './check.js'
import { staleEntries } from './handles.js'
import { Lowering } from './lower/lowering.js'
import { lowerModule } from './lower/module.js'
import { checkSubset } from './subset.js'

export interface CompiledSource {
  /** Absent if there are errors. */
  readonly program?: Program<StateObject>
  readonly diagnostics: readonly Diagnostic[]
}

/** Compiles a program's text; `file` is its name in messages. */
export function compileSource(file: string, text: string): CompiledSource {
  const checked = check(file, text)
  if (checked.malformed) return { diagnostics: sortDiagnostics(checked.diagnostics) }
  const refused = checkSubset(file, checked.sourceFile)
  const earlier = [...checked.diagnostics.filter(d => !refused.some(r => covers(r, d))), ...refused]
  const l = new Lowering(file, checked.sourceFile, checked.checker)
  const facts = lowerModule(l, checked.sourceFile)
  const func = l.builder.finish()
  const own = l.diagnostics.filter(d => !earlier.some(e => overlaps(d, e)))
  const stale = earlier.length + own.length === 0 ? staleEntries(func) : []
  const diagnostics = sortDiagnostics([
    ...earlier,
    ...own,
    ...stale.map(s =>
      diagnose('staleEntry', file, s.use, { object: s.object }, [
        { message: `this may insert into or remove from ${s.object}`, span: s.kill },
      ]),
    ),
  ])
  if (diagnostics.some(d => d.severity === 'error')) return { diagnostics }
  if (l.lostAt || !facts) {
    const at = positionAt(lineStarts(text), l.lostAt?.getStart() ?? 0)
    throw new Error(`${file}:${at.line}:${at.column}: lowering lost a value and reported nothing`)
  }
  const program: Program<StateObject> = {
    ...facts,
    file,
    source: text,
    objects: l.objects,
    settings: l.settings,
    counters: l.counters,
    functions: [func],
  }
  return { program, diagnostics }
}

/** An import from elsewhere is refused as such; that TypeScript cannot find it adds nothing. */
const covers = (r: Diagnostic, d: Diagnostic): boolean =>
  r.code === catalogue.foreignImport.code && r.span.start <= d.span.start && d.span.end <= r.span.end

const overlaps = (a: Diagnostic, b: Diagnostic): boolean =>
  a.span.start <= b.span.end && b.span.start <= a.span.end
