// Has a script go over arrays by index instead of by iterator, where TypeScript says that they are arrays. In Node 20 an
// iterator costs a call and an object for every step, until V8 optimises the loop, and a compile is over before that: a
// third of the memory that it takes was such objects.
//
// Promises: what runs is the same, as long as the types are right. Maps, sets and whatever else is not an array, and patterns
// with a rest, stay as they are. bundle.ts uses it.

import ts from 'typescript'

/** Works on sources, before anything else: only their nodes have types. */
export function byIndex(checker: ts.TypeChecker): ts.TransformerFactory<ts.SourceFile> {
  const isArray = (node: ts.Node): boolean => {
    const type = checker.getTypeAtLocation(node)
    return (type.flags & (ts.TypeFlags.Any | ts.TypeFlags.Never)) === 0 && checker.isArrayLikeType(type)
  }
  return context => {
    const { factory } = context
    const visitInner = (node: ts.Node): ts.Node => ts.visitEachChild(node, visit, context)
    const visit = (node: ts.Node): ts.Node => {
      if (ts.isForOfStatement(node)) return loop(node)
      if (ts.isArrayBindingPattern(node) && node.elements.every(isPlain) && isArray(node))
        return pattern(visitInner(node) as ts.ArrayBindingPattern)
      if (isAssignment(node) && node.left.elements.every(isTarget) && isArray(node.right))
        return assignment(visitInner(node) as Assignment)
      return visitInner(node)
    }

    /** `for (const x of list)`, and `for (const [k, x] of list.entries())`. */
    const loop = (node: ts.ForOfStatement): ts.Node => {
      const { initializer, expression, awaitModifier } = node
      if (awaitModifier || !ts.isVariableDeclarationList(initializer)) return visitInner(node)
      const listed = entriesOf(expression)
      const pair = initializer.declarations[0].name
      const isPair =
        ts.isArrayBindingPattern(pair) && pair.elements.length === 2 && pair.elements.every(isPlain)
      const hasEntries = listed !== undefined && isPair && isArray(listed)
      if (!hasEntries && !isArray(expression)) return visitInner(node)
      const seen = visitInner(node) as ts.ForOfStatement & { initializer: ts.VariableDeclarationList }
      const [list, at] = [factory.createUniqueName('list'), factory.createUniqueName('at')]
      const element = factory.createElementAccessExpression(list, at)
      const names = hasEntries ? elementsOf(seen.initializer.declarations[0].name) : []
      const declarations = hasEntries
        ? names.map(({ name }, k) => declared(name, k === 0 ? at : element))
        : [declared(seen.initializer.declarations[0].name, element)]
      const from = hasEntries ? (entriesOf(seen.expression) as ts.Expression) : seen.expression
      const { statement } = seen
      return factory.createForStatement(
        factory.createVariableDeclarationList(
          [declared(list, from), declared(at, factory.createNumericLiteral(0))],
          ts.NodeFlags.Let,
        ),
        factory.createLessThan(at, factory.createPropertyAccessExpression(list, 'length')),
        factory.createPostfixIncrement(at),
        factory.createBlock([
          factory.createVariableStatement(
            undefined,
            factory.createVariableDeclarationList(declarations, seen.initializer.flags),
          ),
          ...(ts.isBlock(statement) ? statement.statements : [statement]),
        ]),
      )
    }

    const declared = (name: ts.BindingName, value: ts.Expression): ts.VariableDeclaration =>
      factory.createVariableDeclaration(name, undefined, undefined, value)

    /** `[a, b]` as `{ 0: a, 1: b }`. */
    const pattern = ({ elements }: ts.ArrayBindingPattern): ts.ObjectBindingPattern =>
      factory.createObjectBindingPattern(
        elements.flatMap((e, k) =>
          ts.isBindingElement(e)
            ? [
                factory.createBindingElement(
                  undefined,
                  factory.createNumericLiteral(k),
                  e.name,
                  e.initializer,
                ),
              ]
            : [],
        ),
      )

    const assignment = ({ left, right }: Assignment): ts.Expression =>
      factory.createParenthesizedExpression(
        factory.createAssignment(
          factory.createObjectLiteralExpression(
            left.elements.flatMap((e, k) =>
              ts.isOmittedExpression(e)
                ? []
                : [factory.createPropertyAssignment(factory.createNumericLiteral(k), e)],
            ),
          ),
          right,
        ),
      )

    return file => ts.visitEachChild(file, visit, context)
  }
}

/** The elements of a pair, which may have become properties. */
const elementsOf = (name: ts.BindingName): ts.BindingElement[] =>
  ts.isIdentifier(name) ? [] : [...name.elements].filter(e => ts.isBindingElement(e))

/** `list` of `list.entries()`. */
function entriesOf(node: ts.Expression): ts.Expression | undefined {
  if (!ts.isCallExpression(node) || !ts.isPropertyAccessExpression(node.expression)) return undefined
  return node.expression.name.text === 'entries' && node.arguments.length === 0
    ? node.expression.expression
    : undefined
}

const isPlain = (e: ts.ArrayBindingElement): boolean => ts.isOmittedExpression(e) || !e.dotDotDotToken

type Assignment = ts.BinaryExpression & { readonly left: ts.ArrayLiteralExpression }

const isAssignment = (node: ts.Node): node is Assignment =>
  ts.isBinaryExpression(node) &&
  node.operatorToken.kind === ts.SyntaxKind.EqualsToken &&
  ts.isArrayLiteralExpression(node.left)

const isTarget = (e: ts.Expression): boolean =>
  ts.isOmittedExpression(e) ||
  ts.isIdentifier(e) ||
  ts.isPropertyAccessExpression(e) ||
  ts.isElementAccessExpression(e)
