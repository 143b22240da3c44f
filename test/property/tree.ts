/**
 * Source text as a tree that can be made smaller: what the generator builds, the printer prints and the minimiser
 * takes apart. A smaller tree need not be a valid program; whoever asks compiles it.
 */

/** What operators mix: unsigned and signed numbers, unsigned and signed bigints, truth values, opaque values. */
export type Sort = 'unsigned' | 'signed' | 'wide' | 'signedWide' | 'bool' | 'opaque'

export type Part = string | Tree

export type Tree =
  | { readonly kind: 'expression'; readonly sort: Sort; readonly parts: readonly Part[] }
  | { readonly kind: 'statement'; readonly parts: readonly Part[] }
  /** Statements in braces. */
  | { readonly kind: 'block'; readonly parts: readonly Tree[] }
  /** Declarations of a module. */
  | { readonly kind: 'module'; readonly parts: readonly Tree[] }

export const expression = (sort: Sort, ...parts: readonly Part[]): Tree => ({
  kind: 'expression',
  sort,
  parts,
})
export const statement = (...parts: readonly Part[]): Tree => ({ kind: 'statement', parts })
export const block = (parts: readonly Tree[]): Tree => ({ kind: 'block', parts })
export const module = (parts: readonly Tree[]): Tree => ({ kind: 'module', parts })

/** The text, indented. */
export function print(tree: Part, indent = ''): string {
  if (typeof tree === 'string') return tree
  const { kind, parts } = tree
  if (kind === 'module') return parts.map(part => `${print(part)}\n`).join('')
  if (kind !== 'block') return parts.map(part => print(part, indent)).join('')
  const inner = `${indent}  `
  return `{\n${parts.map(part => `${inner}${print(part, inner)}\n`).join('')}${indent}}`
}

/** Number of trees in it: the measure of small. */
export const sizeOf = (tree: Part): number =>
  typeof tree === 'string' ? 0 : 1 + tree.parts.reduce((sum: number, part) => sum + sizeOf(part), 0)

const simplest: Readonly<Record<Sort, string | undefined>> = {
  unsigned: '0',
  signed: '0',
  wide: '0n',
  signedWide: '0n',
  bool: 'false',
  opaque: undefined,
}

/** All trees one step smaller, the largest steps first. */
export function* smaller(tree: Tree): Generator<Tree> {
  yield* cuts(tree)
  yield* hoists(tree)
  yield* substitutes(tree)
}

/** Without some of the statements of some block: halves first, single ones last. */
function* cuts(tree: Tree): Generator<Tree> {
  if (tree.kind === 'block' || tree.kind === 'module') {
    const { parts } = tree
    for (let size = Math.max(1, parts.length >> 1); size >= 1; size >>= 1)
      for (let from = parts.length - size; from >= 0; from -= size)
        yield { ...tree, parts: [...parts.slice(0, from), ...parts.slice(from + size)] }
  }
  yield* within(tree, cuts)
}

/** A statement gives way to what stands in one of its blocks. */
function* hoists(tree: Tree): Generator<Tree> {
  if (tree.kind === 'block')
    for (const [k, part] of tree.parts.entries())
      for (const inner of part.parts)
        if (typeof inner !== 'string' && inner.kind === 'block')
          yield { ...tree, parts: [...tree.parts.slice(0, k), ...inner.parts, ...tree.parts.slice(k + 1)] }
  yield* within(tree, hoists)
}

/** An expression gives way to a literal or to one of its operands. */
function* substitutes(tree: Tree): Generator<Tree> {
  if (tree.kind === 'expression' && tree.parts.some(part => typeof part !== 'string' || part.length > 2)) {
    const literal = simplest[tree.sort]
    if (literal !== undefined && tree.parts[0] !== literal) yield { ...tree, parts: [literal] }
    for (const part of tree.parts)
      if (typeof part !== 'string' && part.kind === 'expression' && part.sort === tree.sort) yield part
  }
  yield* within(tree, substitutes)
}

function* within(tree: Tree, variants: (part: Tree) => Generator<Tree>): Generator<Tree> {
  for (const [k, part] of tree.parts.entries())
    if (typeof part !== 'string')
      for (const variant of variants(part)) yield { ...tree, parts: tree.parts.with(k, variant) } as Tree
}
