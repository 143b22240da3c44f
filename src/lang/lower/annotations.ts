// Type annotations to shapes: what a store to something declared so has to convert to.
//
// An annotation that says nothing about widths (an entry, `typeof x`) gives undefined: the value keeps its
// own shape, and TypeScript has checked it.

import { ts } from '../typescript.js'
import type { Ts } from '../typescript.js'
import { viewTypes } from '../members.js'
import type { ViewName } from '../members.js'
import { bytesType, scalars } from '../types.js'
import type { ScalarType } from '../types.js'
import type { Lowering } from './lowering.js'
import type { RecordShape, ScalarShape, Shape } from './shape.js'

const preludeTypes: Readonly<Record<string, ScalarType>> = {
  ...scalars,
  ipv4: scalars.Ipv4Address,
  ipv6: scalars.Ipv6Address,
  mac: scalars.MacAddress,
  port: scalars.Port,
}

/** Views by the name of their interface. */
const viewNames = new Map(Object.entries(viewTypes).map(([name, { view }]) => [view, name as ViewName]))

/** The shape that an annotation demands, or undefined if it demands none. */
export function annotated(l: Lowering, node: Ts.TypeNode): Shape | undefined {
  switch (node.kind) {
    case ts.SyntaxKind.NumberKeyword:
      return { kind: 'scalar', type: scalars.u32 }
    case ts.SyntaxKind.BigIntKeyword:
      return { kind: 'scalar', type: scalars.u64 }
    case ts.SyntaxKind.BooleanKeyword:
      return { kind: 'scalar', type: scalars.bool }
    default:
  }
  if (ts.isParenthesizedTypeNode(node)) return annotated(l, node.type)
  if (ts.isTypeReferenceNode(node) && ts.isIdentifier(node.typeName))
    return reference(l, node, node.typeName.text)
  if (ts.isUnionTypeNode(node)) return union(l, node)
  if (ts.isTypeLiteralNode(node)) return members(l, node.members)
  if (ts.isLiteralTypeNode(node)) return literal(node.literal)
  return undefined
}

function reference(l: Lowering, node: Ts.TypeReferenceNode, name: string): Shape | undefined {
  const local = l.types.get(name)
  if (local) return ts.isTypeAliasDeclaration(local) ? annotated(l, local.type) : members(l, local.members)
  if (name === 'Readonly' && node.typeArguments?.length === 1) return annotated(l, node.typeArguments[0])
  const imported = l.imports.get(name)
  if (imported === undefined) return undefined
  if (imported === 'Bytes') {
    const [size] = node.typeArguments ?? []
    const n = size && ts.isLiteralTypeNode(size) ? Number(size.literal.getText()) : NaN
    return Number.isInteger(n) && n > 0 ? { kind: 'scalar', type: bytesType(n) } : undefined
  }
  if (Object.hasOwn(preludeTypes, imported)) return { kind: 'scalar', type: preludeTypes[imported] }
  const protocol = viewNames.get(imported)
  return protocol && { kind: 'view', protocol }
}

const isUndefined = (t: Ts.TypeNode): boolean => t.kind === ts.SyntaxKind.UndefinedKeyword

function union(l: Lowering, node: Ts.UnionTypeNode): Shape | undefined {
  const others = node.types.filter(t => !isUndefined(t)).map(t => annotated(l, t))
  const [first] = others
  if (!first) return undefined
  const scalar = first.kind === 'scalar' && others.every(o => o?.kind === 'scalar' && o.type === first.type)
  if (!scalar && others.length > 1) return undefined
  if (others.length === node.types.length) return first
  if (first.kind === 'view') return first
  return first.kind === 'scalar' || first.kind === 'record' ? { kind: 'optional', of: first } : undefined
}

function members(l: Lowering, list: readonly Ts.TypeElement[]): RecordShape | undefined {
  const fields: [string, Shape][] = []
  for (const m of list) {
    if (!ts.isPropertySignature(m) || !m.type || !ts.isIdentifier(m.name)) return undefined
    const shape = annotated(l, m.type)
    if (!shape) return undefined
    const optional = m.questionToken && shape.kind !== 'optional'
    fields.push([m.name.text, optional ? { kind: 'optional', of: shape as ScalarShape } : shape])
  }
  return { kind: 'record', fields }
}

/** `0 | 1 | 2` is number. */
function literal(node: Ts.LiteralTypeNode['literal']): Shape | undefined {
  if (ts.isNumericLiteral(node) || ts.isPrefixUnaryExpression(node))
    return { kind: 'scalar', type: scalars.u32 }
  if (ts.isBigIntLiteral(node)) return { kind: 'scalar', type: scalars.u64 }
  if (node.kind === ts.SyntaxKind.TrueKeyword || node.kind === ts.SyntaxKind.FalseKeyword)
    return { kind: 'scalar', type: scalars.bool }
  return undefined
}
