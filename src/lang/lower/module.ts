// A module: its imports, constants, declarations and functions, and the packet function that is compiled.
//
// Module constants are evaluated in order where the packet function begins; constants stay symbolic, and what they
// compute from parameters is computed once per packet. Promises: names bind before any body is lowered, so functions
// may stand in any order.

import * as prelude from '../prelude.js'
import { scalars } from '../types.js'
import type { ScalarType } from '../types.js'
import { ts } from '../typescript.js'
import type { Ts } from '../typescript.js'
import { rootView } from '../views.js'
import { typeNames } from './builtins.js'
import { expression } from './expressions.js'
import { asDeclared, inline } from './functions.js'
import { annotated } from './annotations.js'
import type { Lowering } from './lowering.js'
import { toType } from './convert.js'
import { gather, leafTypes } from './shape.js'
import { constant, errorValue } from './value.js'
import type { Constant, Value } from './value.js'
import { bindVariable } from './variables.js'

export interface ModuleFacts {
  readonly name: string
  readonly licence?: string
}

/** Namespaces of constants, and the type that their members have. */
const namespaces: Readonly<Record<string, { readonly members: object; readonly type: ScalarType }>> = {
  Verdict: { members: prelude.Verdict, type: scalars.Verdict },
  EtherType: { members: prelude.EtherType, type: scalars.EtherType },
  IpProtocol: { members: prelude.IpProtocol, type: scalars.IpProtocol },
  Route: { members: prelude.Route, type: scalars.RouteOutcome },
}

/** Lowers the whole module into l.builder; undefined if there is no packet function. */
export function lowerModule(l: Lowering, file: Ts.SourceFile): ModuleFacts | undefined {
  for (const s of file.statements) bindNames(l, s)
  let licence: string | undefined
  for (const s of file.statements) if (ts.isVariableStatement(s)) licence = moduleConstants(l, s) ?? licence
  const main = packetFunction(l, file)
  if (!main) {
    const exported = file.statements.find(ts.isExportAssignment)
    l.report('noPacketFunction', {}, exported ?? file.endOfFileToken)
    return undefined
  }
  const name = main.name?.text ?? 'main'
  const packet: Value = { kind: 'view', view: rootView(l.context) }
  const [parameter, second] = main.parameters
  if (second) l.report('packetFunctionType', { what: 'takes one parameter' }, second)
  else if (parameter && !takesPacket(l, parameter))
    l.report('packetFunctionType', { what: 'takes a Packet' }, parameter)
  l.at(main, () => {
    const result = inline(l, main, name, [packet])
    const type = result.kind === 'constant' || result.kind === 'scalar' ? result.type : undefined
    if (type !== scalars.Verdict && result.kind !== 'error' && result.kind !== 'never')
      l.report('packetFunctionType', { what: 'returns a Verdict' }, main.name ?? main)
    const verdict =
      result.kind === 'constant' || result.kind === 'scalar' ? toType(l, result, scalars.Verdict) : undefined
    if (l.builder.here) l.builder.return([verdict ? verdict.leaves[0] : l.lost()])
  })
  for (const s of file.statements)
    if (ts.isFunctionDeclaration(s) && s.body && !l.used.has(s)) checkUnused(l, s, packet)
  return { name, ...(licence !== undefined && { licence }) }
}

function takesPacket(l: Lowering, parameter: Ts.ParameterDeclaration): boolean {
  const { type } = parameter
  if (type && ts.isTypeReferenceNode(type) && ts.isIdentifier(type.typeName))
    if (l.imports.get(type.typeName.text) === 'Packet') return true
  return l.checker().getTypeAtLocation(parameter).symbol?.name === 'Packet'
}

const has = (node: Ts.Node, kind: Ts.SyntaxKind): boolean =>
  ts.canHaveModifiers(node) && (ts.getModifiers(node)?.some(m => m.kind === kind) ?? false)

/** `export default function …`, or the function that `export default name` names. */
function packetFunction(l: Lowering, file: Ts.SourceFile): Ts.FunctionDeclaration | undefined {
  for (const s of file.statements) {
    if (ts.isFunctionDeclaration(s) && has(s, ts.SyntaxKind.DefaultKeyword)) return s
    if (!ts.isExportAssignment(s) || !ts.isIdentifier(s.expression)) continue
    const binding = l.scope.get(s.expression.text)
    if (binding?.kind === 'const' && binding.value.kind === 'function') return binding.value.node
  }
  return undefined
}

/** Lowers a function that nothing calls, with stand-ins for its arguments, for the sake of its diagnostics. */
function checkUnused(l: Lowering, node: Ts.FunctionDeclaration, packet: Value): void {
  const args: Value[] = []
  l.aside(() => {
    for (const p of node.parameters) {
      const shape = p.type && annotated(l, p.type)
      if (!shape) return
      const view = shape.kind === 'view' && shape.protocol === 'packet'
      args.push(
        view
          ? packet
          : gather(
              shape,
              leafTypes(shape).map(type => l.builder.const(type, 0)),
            ),
      )
    }
    inline(l, node, node.name?.text ?? 'function', args)
  })
}

function bindNames(l: Lowering, s: Ts.Statement): void {
  if (ts.isImportDeclaration(s)) {
    const bindings = s.importClause?.namedBindings
    if (!bindings || !ts.isNamedImports(bindings)) return
    for (const e of bindings.elements) {
      const name = (e.propertyName ?? e.name).text
      l.imports.set(e.name.text, name)
      const value = imported(name)
      if (value) l.scope.set(e.name.text, { kind: 'const', value })
    }
  } else if (ts.isFunctionDeclaration(s) && s.name) {
    l.scope.set(s.name.text, { kind: 'const', value: { kind: 'function', node: s, name: s.name.text } })
  } else if (ts.isTypeAliasDeclaration(s) || ts.isInterfaceDeclaration(s)) l.types.set(s.name.text, s)
}

/** What an export of the prelude is to the compiler; undefined for types. */
function imported(name: string): Value | undefined {
  if (Object.hasOwn(namespaces, name)) {
    const namespace = namespaces[name]
    const members = new Map<string, Constant>()
    for (const [member, value] of Object.entries(namespace.members))
      members.set(member, constant('number', BigInt(value as number), namespace.type))
    return { kind: 'members', name, members }
  }
  if (Object.hasOwn(typeNames, name)) return { kind: 'type', type: typeNames[name] }
  return Object.hasOwn(prelude, name) ? { kind: 'builtin', name } : undefined
}

/** Evaluates `const` declarations of the module; gives the licence if that is what was declared. */
function moduleConstants(l: Lowering, s: Ts.VariableStatement): string | undefined {
  let licence: string | undefined
  if (!(s.declarationList.flags & ts.NodeFlags.Const)) return undefined
  for (const d of s.declarationList.declarations)
    l.at(d, () => {
      if (ts.isIdentifier(d.name) && d.initializer && ts.isCallExpression(d.initializer))
        l.declaring = d.name.text
      let value = d.initializer ? expression(l, d.initializer) : errorValue
      l.declaring = undefined
      const shape = d.type && annotated(l, d.type)
      if (shape && value.kind !== 'list') value = asDeclared(l, value, shape)
      if (ts.isIdentifier(d.name) && d.name.text === 'licence' && has(s, ts.SyntaxKind.ExportKeyword))
        if (value.kind === 'text') licence = value.text
      bindVariable(l, d.name, value, false)
    })
  return licence
}
