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
import { askChecker } from './beside.js'
import { parseProgram, programOf, typeErrors } from './check.js'
import { staleEntries } from './handles.js'
import { Lowering } from './lower/lowering.js'
import { lowerModule } from './lower/module.js'
import { checkSubset } from './subset.js'

export interface CompiledSource {
  /** Absent if there are errors. */
  readonly program?: Program<StateObject>
  readonly diagnostics: readonly Diagnostic[]
}

/** A program on its way through the front end. */
export interface Begun {
  /** Lowered; absent if there are errors, as far as they are known yet. Its types may not have been checked. */
  readonly program?: Program<StateObject>
  /** Waits for the checker; the program is good if none of these is an error. */
  finish(): readonly Diagnostic[]
}

/** Compiles a program's text; `file` is its name in messages. */
export function compileSource(file: string, text: string): CompiledSource {
  const { program, finish } = beginSource(file, text)
  const diagnostics = finish()
  return program && !diagnostics.some(isError) ? { program, diagnostics } : { diagnostics }
}

export const isError = (d: Diagnostic): boolean => d.severity === 'error'

/** As compileSource; where a thread checks types beside (beside.ts), it goes on while the program is used. */
export function beginSource(file: string, text: string): Begun {
  const beside = askChecker(file, text)
  const parsed = parseProgram(file, text, beside !== undefined)
  const { sourceFile } = parsed
  if (parsed.malformed) return { finish: () => sortDiagnostics(parsed.diagnostics) }
  const typed = once(() => programOf(sourceFile))
  const ask = once(() => beside?.() ?? typeErrors(file, typed(), sourceFile))
  // Here the checker comes first: it sets the parents in the tree.
  if (!beside) ask()
  const refused = checkSubset(file, sourceFile)
  const l = new Lowering(file, sourceFile, () => typed().getTypeChecker())
  const facts = lowerModule(l, sourceFile)
  const func = l.builder.finish()
  const stale = once(() => staleEntries(func))
  const finish = once(() => {
    const earlier = [...ask().filter(d => !refused.some(r => covers(r, d))), ...refused]
    const own = l.diagnostics.filter(d => !earlier.some(e => overlaps(d, e)))
    const diagnostics = sortDiagnostics([
      ...earlier,
      ...own,
      ...(earlier.length + own.length === 0 ? stale() : []).map(s =>
        diagnose('staleEntry', file, s.use, { object: s.object }, [
          { message: `this may insert into or remove from ${s.object}`, span: s.kill },
        ]),
      ),
    ])
    if (!diagnostics.some(isError) && (l.lostAt || !facts)) {
      const at = positionAt(lineStarts(text), l.lostAt?.getStart() ?? 0)
      throw new Error(`${file}:${at.line}:${at.column}: lowering lost a value and reported nothing`)
    }
    return diagnostics
  })
  if (refused.length + l.diagnostics.length > 0 || l.lostAt || !facts || stale().length) return { finish }
  if (!beside && finish().some(isError)) return { finish }
  const program: Program<StateObject> = {
    ...facts,
    file,
    source: text,
    objects: l.objects,
    settings: l.settings,
    counters: l.counters,
    functions: [func],
  }
  return { program, finish }
}

/** An import from elsewhere is refused as such; that TypeScript cannot find it adds nothing. */
const covers = (r: Diagnostic, d: Diagnostic): boolean =>
  r.code === catalogue.foreignImport.code && r.span.start <= d.span.start && d.span.end <= r.span.end

const overlaps = (a: Diagnostic, b: Diagnostic): boolean =>
  a.span.start <= b.span.end && b.span.start <= a.span.end

/** What `make` makes, made when it is first asked for. */
function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined
  return () => (made ??= { value: make() }).value
}
