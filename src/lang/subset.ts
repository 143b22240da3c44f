// Refuses syntax outside the language, wherever it stands, used or not. One walk over the tree.
//
// Promises: what passes here has a lowering or a report of lowering's own; every refusal has a catalogue entry.
// Types are TypeScript's business, integers and state are lowering's.

import { diagnose } from '../diagnostics/diagnostic.js'
import type { Blanks, Diagnostic } from '../diagnostics/diagnostic.js'
import type { Rule } from '../diagnostics/catalogue.js'
import { ts } from './typescript.js'
import type { Ts } from './typescript.js'

type Report = (rule: Rule, node: Ts.Node, blanks?: Blanks) => void

/** Every place where the file leaves the language. */
export function checkSubset(file: string, source: Ts.SourceFile): Diagnostic[] {
  const found: Diagnostic[] = []
  const report: Report = (rule, node, blanks) => {
    found.push(diagnose(rule, file, { start: node.getStart(source), end: node.getEnd() }, blanks))
  }
  for (const m of source.text.matchAll(/@ts-(ignore|expect-error|nocheck)/g))
    if (inComment(source, m.index))
      found.push(
        diagnose('suppressedCheck', file, { start: m.index, end: m.index + m[0].length }, { what: m[0] }),
      )
  for (const s of source.statements) topLevel(s, report)
  const visit = (node: Ts.Node): void => {
    if (refuse(node, report)) return
    ts.forEachChild(node, visit)
  }
  ts.forEachChild(source, visit)
  return found
}

function inComment(source: Ts.SourceFile, offset: number): boolean {
  let inside = false
  const visit = (node: Ts.Node): void => {
    if (offset < node.pos || offset >= node.end) return
    if (offset >= node.getStart(source)) {
      const children = node.getChildren(source)
      if (children.length === 0) inside = true
      children.forEach(visit)
    }
  }
  visit(source)
  return !inside
}

/** Statements that may stand at the top level. */
function topLevel(s: Ts.Statement, report: Report): void {
  if (ts.isImportDeclaration(s)) {
    const clause = s.importClause
    const named = clause?.namedBindings && ts.isNamedImports(clause.namedBindings) && !clause.name
    const from = ts.isStringLiteral(s.moduleSpecifier) ? s.moduleSpecifier.text : ''
    if (from !== 'hairpin' || !named) report('foreignImport', s)
  } else if (ts.isVariableStatement(s)) {
    if (!(s.declarationList.flags & ts.NodeFlags.BlockScoped)) return
    const [first] = s.declarationList.declarations
    if (!(s.declarationList.flags & ts.NodeFlags.Const))
      report('moduleVariable', s, { name: first?.name.getText() ?? 'name' })
  } else if (
    !ts.isFunctionDeclaration(s) &&
    !ts.isTypeAliasDeclaration(s) &&
    !ts.isInterfaceDeclaration(s) &&
    !ts.isEmptyStatement(s) &&
    !ts.isExportAssignment(s) &&
    !refusedElsewhere(s)
  )
    report('moduleStatement', s)
}

const refusedElsewhere = (s: Ts.Statement): boolean =>
  ts.isClassDeclaration(s) || ts.isEnumDeclaration(s) || ts.isModuleDeclaration(s)

/** Reports a node that is outside the language; true if its children need no visit. */
function refuse(node: Ts.Node, report: Report): boolean {
  const no = (rule: Rule, blanks?: Blanks, at: Ts.Node = node): true => {
    report(rule, at, blanks)
    return true
  }
  const { SyntaxKind } = ts
  switch (node.kind) {
    case SyntaxKind.ClassDeclaration:
    case SyntaxKind.ClassExpression:
    case SyntaxKind.NewExpression:
      return no('classes')
    case SyntaxKind.ArrowFunction:
    case SyntaxKind.FunctionExpression:
      return no('closures')
    case SyntaxKind.FunctionDeclaration:
      return refuseFunction(node as Ts.FunctionDeclaration, no)
    case SyntaxKind.ThrowStatement:
    case SyntaxKind.TryStatement:
      return no('exceptions')
    case SyntaxKind.WhileStatement:
    case SyntaxKind.DoStatement:
      return no('whileLoop')
    case SyntaxKind.ForInStatement:
      return no('forIn')
    case SyntaxKind.ForOfStatement:
      return (node as Ts.ForOfStatement).awaitModifier ? no('coroutines') : false
    case SyntaxKind.TemplateExpression:
    case SyntaxKind.TaggedTemplateExpression:
      return no('templates')
    case SyntaxKind.StringLiteral:
    case SyntaxKind.NoSubstitutionTemplateLiteral:
      return isTextPlace(node) ? true : no('strings')
    case SyntaxKind.StringKeyword:
      return no('strings')
    case SyntaxKind.AsExpression:
      return ts.isConstTypeReference((node as Ts.AsExpression).type) ? false : no('assertions')
    case SyntaxKind.TypeAssertionExpression:
      return no('assertions')
    case SyntaxKind.NonNullExpression:
      return no('nonNull')
    case SyntaxKind.AnyKeyword:
    case SyntaxKind.UnknownKeyword:
      return no('anyType', { type: node.getText() })
    case SyntaxKind.TypePredicate:
      return no('typePredicate')
    case SyntaxKind.RegularExpressionLiteral:
      return no('regularExpressions')
    case SyntaxKind.SpreadElement:
    case SyntaxKind.SpreadAssignment:
      return no('spreads')
    case SyntaxKind.NullKeyword:
      return no('nulls')
    case SyntaxKind.LabeledStatement:
      return no('labels')
    case SyntaxKind.EnumDeclaration:
      return no('ambient', { what: 'enum' })
    case SyntaxKind.ModuleDeclaration:
      return no('ambient', { what: 'namespace' })
    case SyntaxKind.ThisKeyword:
    case SyntaxKind.SuperKeyword:
    case SyntaxKind.MetaProperty:
      return no('thisKeyword', { what: node.getText() })
    case SyntaxKind.AwaitExpression:
    case SyntaxKind.YieldExpression:
      return no('coroutines')
    case SyntaxKind.TypeOfExpression:
    case SyntaxKind.VoidExpression:
    case SyntaxKind.DeleteExpression:
      return no('operators', { operator: node.getText().split(/\W/, 1)[0] })
    case SyntaxKind.DebuggerStatement:
    case SyntaxKind.WithStatement:
      return no('statements')
    case SyntaxKind.VariableStatement:
      return (node as Ts.VariableStatement).modifiers?.some(m => m.kind === SyntaxKind.DeclareKeyword)
        ? no('ambient', { what: 'declare' })
        : false
    case SyntaxKind.VariableDeclarationList:
      return (node as Ts.VariableDeclarationList).flags & ts.NodeFlags.BlockScoped
        ? false
        : no('varDeclaration')
    case SyntaxKind.VariableDeclaration:
      return (node as Ts.VariableDeclaration).exclamationToken ? no('definiteAssignment') : false
    case SyntaxKind.MethodDeclaration:
    case SyntaxKind.GetAccessor:
    case SyntaxKind.SetAccessor:
    case SyntaxKind.ComputedPropertyName:
      return no('computedNames')
    case SyntaxKind.PropertyAssignment:
      return ts.isNumericLiteral((node as Ts.PropertyAssignment).name) ? no('computedNames') : false
    case SyntaxKind.BindingElement:
    case SyntaxKind.Parameter:
      return (node as Ts.BindingElement).dotDotDotToken ? no('spreads') : false
    case SyntaxKind.CaseClause:
    case SyntaxKind.DefaultClause:
      for (const s of (node as Ts.CaseOrDefaultClause).statements)
        if (ts.isVariableStatement(s)) report('caseDeclaration', s)
      return false
    case SyntaxKind.BinaryExpression:
      return refuseOperator(node as Ts.BinaryExpression, no)
    default:
      return false
  }
}

type No = (rule: Rule, blanks?: Blanks, at?: Ts.Node) => true

function refuseFunction(node: Ts.FunctionDeclaration, no: No): boolean {
  if (node.parent.kind !== ts.SyntaxKind.SourceFile) return no('closures')
  if (node.asteriskToken || node.modifiers?.some(m => m.kind === ts.SyntaxKind.AsyncKeyword))
    return no('coroutines')
  if (node.modifiers?.some(m => m.kind === ts.SyntaxKind.DeclareKeyword))
    return no('ambient', { what: 'declare' })
  return node.body ? false : no('overloads')
}

function refuseOperator(node: Ts.BinaryExpression, no: No): boolean {
  const { SyntaxKind } = ts
  const operator = node.operatorToken.getText()
  switch (node.operatorToken.kind) {
    case SyntaxKind.EqualsEqualsToken:
    case SyntaxKind.ExclamationEqualsToken:
      return no('looseEquality', { operator, strict: `${operator}=` }, node.operatorToken)
    case SyntaxKind.AsteriskAsteriskToken:
    case SyntaxKind.AsteriskAsteriskEqualsToken:
    case SyntaxKind.InKeyword:
    case SyntaxKind.InstanceOfKeyword:
    case SyntaxKind.AmpersandAmpersandEqualsToken:
    case SyntaxKind.BarBarEqualsToken:
      return no('operators', { operator }, node.operatorToken)
    case SyntaxKind.CommaToken:
      return isForStep(node) ? false : no('operators', { operator }, node.operatorToken)
    default:
      return false
  }
}

function isForStep(node: Ts.Node): boolean {
  const { parent } = node
  if (ts.isForStatement(parent)) return parent.incrementor === node
  return (ts.isBinaryExpression(parent) || ts.isParenthesizedExpression(parent)) && isForStep(parent)
}

/** Text may stand in imports and types, as an argument or option of a call, and in module constants. */
function isTextPlace(node: Ts.Node): boolean {
  for (let n = node; ; n = n.parent) {
    const { parent } = n
    if (ts.isImportDeclaration(parent) || ts.isLiteralTypeNode(parent)) return true
    if (ts.isCallExpression(parent)) return parent.arguments.some(a => a === n)
    if (ts.isElementAccessExpression(parent)) return true
    if (ts.isPropertyAssignment(parent) || ts.isObjectLiteralExpression(parent)) continue
    if (ts.isVariableDeclaration(parent)) return ts.isSourceFile(parent.parent.parent.parent)
    return false
  }
}
