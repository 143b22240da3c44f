// The checked program as an indented tree: what TypeScript makes of it, with the type of every expression.

import { check } from '../../lang/check.js'
import { ts } from '../../lang/typescript.js'
import type { Ts } from '../../lang/typescript.js'

/** One node a line: its kind, its name or literal, its type, and where it stands. */
export function syntaxTree(file: string, text: string): string {
  const { sourceFile, checker } = check(file, text)
  const lines: string[] = []
  const visit = (node: Ts.Node, depth: number): void => {
    const { FirstPunctuation, LastPunctuation, EndOfFileToken } = ts.SyntaxKind
    const mark = node.kind >= FirstPunctuation && node.kind <= LastPunctuation
    if (mark || node.kind === EndOfFileToken) return
    const { line, character } = sourceFile.getLineAndCharacterOfPosition(node.getStart())
    const words = [ts.SyntaxKind[node.kind], own(node), typeOf(node, checker)]
    const head = '  '.repeat(depth) + words.filter(w => w !== '').join(' ')
    lines.push(`${head.padEnd(72)}  ${line + 1}:${character + 1}`)
    ts.forEachChild(node, child => visit(child, depth + 1))
  }
  ts.forEachChild(sourceFile, node => visit(node, 0))
  return `${lines.join('\n')}\n`
}

/** What a node itself says: a name, a literal, an operator. */
function own(node: Ts.Node): string {
  if (ts.isIdentifier(node)) return node.text
  if (ts.isLiteralExpression(node)) return node.getText()
  if (ts.isBinaryExpression(node)) return node.operatorToken.getText()
  if (ts.isPrefixUnaryExpression(node) || ts.isPostfixUnaryExpression(node))
    return ts.tokenToString(node.operator) ?? ''
  if (ts.isPropertyAccessExpression(node)) return `.${node.name.text}`
  return ''
}

function typeOf(node: Ts.Node, checker: Ts.TypeChecker): string {
  if (!ts.isExpression(node) || ts.isLiteralExpression(node)) return ''
  const text = checker.typeToString(checker.getTypeAtLocation(node))
  return text.length <= 40 ? `: ${text}` : ''
}
