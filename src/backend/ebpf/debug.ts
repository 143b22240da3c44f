// What the kernel is told about a program besides its code: its functions' types and where in the TypeScript source
// each instruction comes from. `bpftool prog dump xlated` and the verifier's log then show the program's own lines.

import { lineStarts, lineText, positionAt } from '../../diagnostics/lines.js'
import type { Func } from '../../ir/types.js'
import { isLabel, slotsOf } from './asm.js'
import { Btf, linkage, typeName } from './btf.js'
import type { TypeId } from './btf.js'
import type { MapDeclaration } from './maps.js'
import type { CompiledFunction } from './program.js'
import { sectionParameters } from './section-map.js'
import { registerArguments } from './select.js'

export interface Source {
  readonly file: string
  readonly text: string
  /** The packet function's name. */
  readonly name: string
  /** All functions are verified where they are called: under a lock no global function may be. */
  readonly local?: boolean
  /** The packet function is called by another and verified by itself: its result is then any number. */
  readonly apart?: boolean
}

/** What is told of the code, by slot of the whole program; types and strings are in the BTF object given. */
export interface CodeInfo {
  readonly functions: readonly { readonly slot: number; readonly type: TypeId }[]
  readonly lines: readonly LineInfo[]
}

export interface LineInfo {
  readonly slot: number
  /** Strings: the file's name and the line's text. */
  readonly file: number
  readonly text: number
  /** From 1. */
  readonly line: number
  readonly column: number
}

/**
 * Describes functions in the order of their code. The first is what the kernel calls, whether or not it is one of
 * `functions`; it has the program's name. A function without source gets the line of its table, `flows.insert` that
 * of `flows`, or of the packet function.
 */
export function codeInfo(
  btf: Btf,
  compiled: readonly Described[],
  functions: readonly Func[],
  source: Source,
): CodeInfo {
  const starts = lineStarts(source.text)
  const found: { slot: number; type: TypeId }[] = []
  const lines: LineInfo[] = []
  const file = btf.string(source.file)
  let slot = 0
  compiled.forEach(({ name, code, numbers }, k) => {
    const func = functions.find(f => f.name === name)
    found.push({
      slot,
      type: k === 0 ? describeEntry(btf, source.name) : describe(btf, name, func, source, numbers),
    })
    const start = startOf(source.text, name)
    let last = -1
    let first = true
    for (const item of code) {
      if (isLabel(item)) continue
      const at = item.origin?.at ?? (first ? start : undefined)
      const { line, column } = at === undefined ? { line: last, column: 0 } : positionAt(starts, at)
      if (at !== undefined && (line !== last || first)) {
        const text = btf.string(lineText(source.text, starts, line).trim() || ' ')
        lines.push({ slot, file, text, line, column: Math.min(column, 1023) })
      }
      last = line
      first = false
      slot += slotsOf(item)
    }
  })
  return { functions: found, lines }
}

const declarationOf = (object: string): RegExp =>
  new RegExp(`^(?:export )?const ${object.replaceAll('$', '\\$')}\\b`, 'm')

/** Where a function that was made for the program stands. */
function startOf(text: string, name: string): number {
  const [object, operation] = name.split('.')
  const declared = operation === undefined ? -1 : text.search(declarationOf(object))
  return declared >= 0 ? declared : Math.max(0, text.indexOf('export default'))
}

/** A function in bytecode, as much of it as is described. */
type Described = Pick<CompiledFunction, 'name' | 'code' | 'numbers'>

export interface DebugInfo {
  readonly btf: Uint8Array<ArrayBuffer>
  /** Records of 8 bytes: slot, type. */
  readonly functions: Uint8Array<ArrayBuffer>
  /** Records of 16 bytes: slot, file, line's text, line and column. */
  readonly lines: Uint8Array<ArrayBuffer>
  /** Types of the values of maps, in the order they were given, and that of their keys, 0 to 2^32 - 1. */
  readonly values: readonly TypeId[]
  readonly index: TypeId
}

/** The same for bpf(2), with the types of maps; see `codeInfo`. */
export function debugInfo(
  compiled: readonly Described[],
  functions: readonly Func[],
  source: Source,
  maps: readonly Pick<MapDeclaration, 'valueType'>[] = [],
): DebugInfo {
  const btf = new Btf()
  const info = codeInfo(btf, compiled, functions, source)
  const values = maps.map(m => m.valueType(btf))
  const index = btf.unsigned(4)
  return {
    btf: btf.bytes(),
    functions: words(info.functions.flatMap(f => [f.slot, f.type])),
    lines: words(info.lines.flatMap(l => [l.slot, l.file, l.text, lineWord(l)])),
    values,
    index,
  }
}

/** Line and column as line records hold them. */
export const lineWord = ({ line, column }: LineInfo): number => (line << 10) | column

/** struct xdp_md: of a function that is verified by itself, the kernel wants to see that it takes one. */
const contextType = (btf: Btf): TypeId =>
  btf.struct(
    'xdp_md',
    24,
    ['data', 'data_end', 'data_meta', 'ingress_ifindex', 'rx_queue_index', 'egress_ifindex'].map(
      (name, k) => ({ name, type: btf.unsigned(4), offset: 4 * k }),
    ),
  )

const contextOf = (btf: Btf) => [{ name: 'ctx', type: btf.pointer(btf.forward('xdp_md')) }]

const describeEntry = (btf: Btf, programName: string): TypeId =>
  btf.function(typeName(programName), linkage.global, btf.int(), contextOf(btf))

/** Whether a function that others call is verified with each of them, and not by itself. */
export const isStatic = (func: Func | undefined): boolean =>
  func === undefined || func.params.length > registerArguments

/**
 * Functions that are called take numbers and are global, unless their arguments go through memory; one that is no
 * function of the program takes the context and is verified where it is called.
 */
function describe(
  btf: Btf,
  name: string,
  func: Func | undefined,
  { local = false, apart = false }: Source,
  numbers?: readonly string[],
): TypeId {
  if (numbers) {
    const params = numbers.map(p => ({ name: p, type: btf.unsigned(8) }))
    return btf.function(name, linkage.global, btf.int(), params)
  }
  const given = sectionParameters(name)
  if (given) {
    const params = given.map(p => ({ name: p, type: btf.unsigned(8) }))
    return btf.function(name, linkage.local, btf.int(), params)
  }
  if (name === 'main' && apart) {
    const context = [{ name: 'ctx', type: btf.pointer(contextType(btf)) }]
    return btf.function(name, linkage.global, btf.int(), context)
  }
  if (func === undefined || name === 'main')
    return btf.function(name, linkage.local, btf.int(), contextOf(btf))
  const wide = btf.unsigned(8)
  if (func.params.length > registerArguments) {
    const block = btf.pointer(wide)
    return btf.function(name, linkage.local, btf.int(), [{ name: 'arguments', type: block }])
  }
  const params = func.params.map((p, k) => ({ name: p.name ?? `p${k}`, type: wide }))
  return btf.function(name, local ? linkage.local : linkage.global, btf.int(), params)
}

function words(values: readonly number[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(new ArrayBuffer(4 * values.length))
  const view = new DataView(bytes.buffer)
  values.forEach((v, k) => view.setUint32(4 * k, v, true))
  return bytes
}
