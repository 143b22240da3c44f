// The source as a trace needs it: which statement a place belongs to, and which expression stands exactly there.
//
// A statement owns its own text without the statements inside it: an `if` its condition, a `for` its head. Read
// steps.ts next.

import type { Span } from '../../ir/types.js'
import { ts } from '../../lang/typescript.js'
import type { Ts } from '../../lang/typescript.js'

/** A stretch of source that belongs to one statement. */
interface Part {
  readonly node: Ts.Node
  readonly owner: Ts.Statement
}

export class SourceIndex {
  readonly file: Ts.SourceFile
  private readonly parts: Part[] = []
  private readonly owners = new Map<string, Ts.Statement | undefined>()

  constructor(file: Ts.SourceFile) {
    this.file = file
    const visit = (node: Ts.Node): void => {
      if (ts.isStatement(node))
        for (const part of ownNodes(node)) this.parts.push({ node: part, owner: node })
      ts.forEachChild(node, visit)
    }
    visit(file)
  }

  /** The statement that a place belongs to: that of the smallest part around it. */
  ownerOf(span: Span): Ts.Statement | undefined {
    const key = `${span.start}:${span.end}`
    if (!this.owners.has(key)) this.owners.set(key, this.findOwner(span))
    return this.owners.get(key)
  }

  private findOwner(span: Span): Ts.Statement | undefined {
    let best: Part | undefined
    for (const part of this.parts) {
      const inside = part.node.getStart() <= span.start && span.end <= part.node.getEnd()
      if (inside && (!best || lengthOf(part.node) <= lengthOf(best.node))) best = part
    }
    return best?.owner
  }

  line(position: number): number {
    return this.file.getLineAndCharacterOfPosition(position).line + 1
  }

  /** The lines of a statement's own text: the head of one that has others inside, all of any other. */
  linesOf(statement: Ts.Statement): { readonly number: number; readonly text: string }[] {
    const end = headEnd(statement)
    const from = this.line(statement.getStart())
    const starts = this.file.getLineStarts()
    const lines: { number: number; text: string }[] = []
    for (let number = from; number <= this.line(end); number++) {
      const text = this.file.text.slice(starts[number - 1], starts[number] ?? this.file.text.length)
      lines.push({ number, text: text.replace(/[\r\n]+$/, '') })
    }
    return lines
  }
}

const lengthOf = (node: Ts.Node): number => node.getEnd() - node.getStart()

/** The parts of a statement that are its own. */
export function ownNodes(node: Ts.Statement): Ts.Node[] {
  if (ts.isIfStatement(node)) return [node.expression]
  if (ts.isForStatement(node))
    return [node.initializer, node.condition, node.incrementor].filter(n => n !== undefined)
  if (ts.isForOfStatement(node)) return [node.initializer, node.expression]
  if (ts.isSwitchStatement(node))
    return [node.expression, ...node.caseBlock.clauses.filter(ts.isCaseClause).map(c => c.expression)]
  if (ts.isBlock(node) || ts.isFunctionDeclaration(node)) return []
  return [node]
}

/** Where the text of a statement ends that is shown when it runs. */
function headEnd(node: Ts.Statement): number {
  const last = ownNodes(node).at(-1)
  if (ts.isSwitchStatement(node)) return node.expression.getEnd()
  return last?.getEnd() ?? node.getStart()
}

/** The function of the program that a node stands in; undefined at the top level. */
export function functionOf(node: Ts.Node): Ts.FunctionDeclaration | undefined {
  let at: Ts.Node | undefined = node.parent
  while (at && !ts.isFunctionDeclaration(at)) at = at.parent
  return at
}

/** The list of statements that a statement is directly in, if it is in one. */
export function listOf(node: Ts.Node): readonly Ts.Statement[] | undefined {
  const { parent } = node
  if (ts.isBlock(parent) || ts.isSourceFile(parent) || ts.isCaseOrDefaultClause(parent))
    return parent.statements
  return undefined
}

/** An expression as a label: on one line, with long literals and arguments left out. */
export function labelOf(node: Ts.Node, most = 44): string {
  const text = node.getText().replace(/\s+/g, ' ')
  if (text.length <= most) return text
  const short = text.replace(/\{[^{}]*\}/g, '{…}')
  return short.length <= most ? short : `${short.slice(0, most - 1)}…`
}
