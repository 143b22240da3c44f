// Values as people write them: by the type that TypeScript gives an expression, or by the declaration of a field.

import type { Value } from '../../ir/access.js'
import { ts } from '../../lang/typescript.js'
import type { Ts } from '../../lang/typescript.js'
import { scalarNamed } from '../../lang/types.js'
import { leavesOf } from '../../state/declaration.js'
import type { FieldDecl } from '../../state/declaration.js'
import type { FieldValue } from '../../state/field.js'
import { show } from '../../state/text.js'
import { etherTypes } from '../../wire/ethernet.js'
import { ipProtocols } from '../../wire/ipv4.js'

const verdicts = ['aborted', 'drop', 'pass', 'transmit', 'redirect']

/** A verdict word. */
export const verdictName = (word: number): string =>
  (word & 0xff) === 4 ? `redirect(${word >>> 8})` : (verdicts[word & 0xff] ?? `unknown ${word}`)

/** The name of an expression's type: a scalar's, `boolean`, or anything else for what is no scalar. */
export function typeName(node: Ts.Node, checker: Ts.TypeChecker): string {
  if (ts.isParenthesizedExpression(node)) return typeName(node.expression, checker)
  const type = checker.getNonNullableType(checker.getTypeAtLocation(node))
  if (type.flags & ts.TypeFlags.BooleanLike) return 'boolean'
  const mark = markOf(type, checker)
  if (mark !== undefined) return mark
  const inner = plainNumber(type) ? computedFrom(node, checker) : undefined
  return inner === undefined ? checker.typeToString(type) : typeName(inner, checker)
}

const plainNumber = (type: Ts.Type): boolean =>
  (type.isUnion() ? type.types : [type]).every(
    t => (t.flags & (ts.TypeFlags.NumberLike | ts.TypeFlags.BigIntLike)) !== 0,
  )

/** The scalar that the marks of lang/scalars.ts say a type is. */
function markOf(type: Ts.Type, checker: Ts.TypeChecker): string | undefined {
  for (const part of type.isUnion() ? type.types : [type]) {
    const marks = (name: string): string[] => {
      const found = checker.getPropertiesOfType(part).find(p => p.name.startsWith(`__@${name}@`))
      const mark = found && checker.getNonNullableType(checker.getTypeOfSymbol(found))
      const parts = mark?.isUnion() ? mark.types : mark ? [mark] : []
      return parts.flatMap(t => (t.isLiteral() ? String(t.value) : []))
    }
    const [kind] = marks('kind')
    const fits = marks('fits')
    if (kind === 'Bytes') return `Bytes<${fits[0]}>`
    if (kind !== undefined) return kind
    const widest = ['i64', 'u64', 'i32', 'u32', 'u16', 'u8'].find(name => fits.includes(name))
    if (widest !== undefined) return widest
  }
  return undefined
}

/** For a plain number: the expression from which it has its sign. */
function computedFrom(node: Ts.Node, checker: Ts.TypeChecker): Ts.Node | undefined {
  if (ts.isBinaryExpression(node)) return node.left
  if (ts.isConditionalExpression(node)) return node.whenTrue
  if (ts.isPrefixUnaryExpression(node)) return node.operand
  if (!ts.isIdentifier(node)) return undefined
  const declaration = checker.getSymbolAtLocation(node)?.valueDeclaration
  const fresh = declaration && ts.isVariableDeclaration(declaration) && declaration.initializer
  return fresh || undefined
}

/** A register's value as one of the named type. */
export function scalarText(type: string, value: Value, bits: number): string {
  const number = BigInt(value)
  if (type === 'boolean' || type === 'bool') return number === 0n ? 'false' : 'true'
  if (type === 'Verdict') return verdictName(Number(number))
  if (type === 'IpProtocol') return named(ipProtocols, Number(number), String(number))
  if (type === 'EtherType')
    return named(etherTypes, Number(number), `0x${number.toString(16).padStart(4, '0')}`)
  const scalar = scalarNamed(type)
  if (scalar?.display === 'ipv4' || scalar?.display === 'mac') {
    const field = { name: '', type: scalar.field, bytes: scalar.bits / 8, display: scalar.display }
    return String(show(field, scalar.bits > 32 ? number : Number(number)))
  }
  return String(scalar?.signed ? BigInt.asIntN(bits, number) : number)
}

function named(table: Readonly<Record<string, number>>, value: number, plain: string): string {
  const found = Object.entries(table).find(([, v]) => v === value)
  return found ? `${plain} (${found[0]})` : plain
}

/** A field of state from the registers that hold its leaves; undefined if they are not all there. */
export function fieldText(field: FieldDecl, leaves: readonly (Value | undefined)[]): string | undefined {
  const parts = leavesOf(field)
  if (parts.some((_, i) => leaves[i] === undefined)) return undefined
  let value: FieldValue
  if (field.type === 'ipv6' || field.type === 'bytes') {
    const hex = parts.map((p, i) =>
      BigInt(leaves[i]!)
        .toString(16)
        .padStart(2 * p.width, '0'),
    )
    value = new Uint8Array(Buffer.from(hex.join(''), 'hex'))
  } else {
    const raw = BigInt.asUintN(8 * field.bytes, BigInt(leaves[0]!))
    const signed = field.type.startsWith('i') ? BigInt.asIntN(8 * field.bytes, raw) : raw
    value = field.type === 'bool' ? raw !== 0n : field.bytes === 8 ? signed : Number(signed)
  }
  return String(show(field, value))
}
