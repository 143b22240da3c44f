/**
 * The name section, written and read: what traces, profiles and the text format call the module, its functions,
 * their locals and the globals. Empty names are left out; reading ignores subsections it does not know, as the
 * format demands.
 *
 * Source: WebAssembly Core Specification 2.0, section 7.4.1, and the extended name section proposal.
 */
import type { Module } from './module.js'
import type { Reader } from './reader.js'
import type { Writer } from './writer.js'

const MODULE = 0
const FUNCTIONS = 1
const LOCALS = 2
const GLOBALS = 7

export interface Names {
  module: string
  readonly functions: Map<number, string>
  /** By function index, then local index. */
  readonly locals: Map<number, Map<number, string>>
  readonly globals: Map<number, string>
}

export function hasNames(module: Module): boolean {
  return (
    module.name !== '' ||
    module.globals.some(global => global.name !== '') ||
    module.functions.some(func => func.name !== '' || func.locals.some(local => local.name !== ''))
  )
}

/** The content of the custom section, with its title. */
export function writeNames(out: Writer, module: Module): void {
  const functions = module.functionIndexSpace()
  out.name('name')
  if (module.name !== '') subsection(out, MODULE, () => out.name(module.name))
  const named = numbered(functions.map(func => func.name))
  if (named.length > 0) subsection(out, FUNCTIONS, () => writeMap(out, named))
  const locals = functions
    .map((func, index) => ({ index, names: numbered(func.locals.map(local => local.name)) }))
    .filter(({ names }) => names.length > 0)
  if (locals.length > 0) {
    subsection(out, LOCALS, () => {
      out.u32(locals.length)
      for (const { index, names } of locals) {
        out.u32(index)
        writeMap(out, names)
      }
    })
  }
  const globals = numbered(module.globalIndexSpace().map(global => global.name))
  if (globals.length > 0) subsection(out, GLOBALS, () => writeMap(out, globals))
}

/** Reads what follows the title, to the end of the reader. */
export function readNames(from: Reader): Names {
  const names: Names = { module: '', functions: new Map(), locals: new Map(), globals: new Map() }
  while (!from.done) {
    const kind = from.byte()
    const inner = from.sized()
    if (kind === MODULE) names.module = inner.name()
    else if (kind === FUNCTIONS) readMap(inner, names.functions)
    else if (kind === GLOBALS) readMap(inner, names.globals)
    else if (kind === LOCALS) {
      for (let left = inner.u32(); left > 0; left--) names.locals.set(inner.u32(), readMap(inner, new Map()))
    }
  }
  return names
}

function numbered(names: readonly string[]): [number, string][] {
  return [...names.entries()].filter(([, name]) => name !== '')
}

function subsection(out: Writer, kind: number, write: () => void): void {
  out.byte(kind)
  const start = out.open()
  write()
  out.close(start)
}

function writeMap(out: Writer, names: readonly (readonly [number, string])[]): void {
  out.u32(names.length)
  for (const [index, name] of names) {
    out.u32(index)
    out.name(name)
  }
}

function readMap(from: Reader, into: Map<number, string>): Map<number, string> {
  for (let left = from.u32(); left > 0; left--) into.set(from.u32(), from.name())
  return into
}
