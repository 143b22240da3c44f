// What the kernel is told about a program besides its code: its functions' types and where in the TypeScript source
// each instruction comes from. `bpftool prog dump xlated` and the verifier's log then show the program's own lines.

import type { Func } from '../../ir/types.js'
import { isLabel, slotsOf } from './asm.js'
import type { Code } from './asm.js'
import { Btf, linkage, typeName } from './btf.js'
import { registerArguments } from './select.js'

export interface Source {
  readonly file: string
  readonly text: string
  /** The packet function's name. */
  readonly name: string
}

export interface DebugInfo {
  readonly btf: Uint8Array<ArrayBuffer>
  /** Records of 8 bytes: slot, type. */
  readonly functions: Uint8Array<ArrayBuffer>
  /** Records of 16 bytes: slot, file, line's text, line and column. */
  readonly lines: Uint8Array<ArrayBuffer>
}

/** Describes compiled functions, in the order of their code. A function without source gets the program's first line. */
export function debugInfo(
  compiled: readonly { readonly name: string; readonly code: Code }[],
  functions: readonly Func[],
  source: Source,
): DebugInfo {
  const btf = new Btf()
  const texts = source.text.split('\n')
  const starts = lineStarts(source.text)
  const funcRecords: number[] = []
  const lineRecords: number[] = []
  const file = btf.string(source.file)
  let slot = 0
  for (const { name, code } of compiled) {
    const func = functions.find(f => f.name === name)!
    funcRecords.push(slot, describe(btf, func, source.name))
    let last = -1
    let first = true
    for (const item of code) {
      if (isLabel(item)) continue
      const at = item.origin?.at ?? (first ? 0 : undefined)
      const line = at === undefined ? last : lineOf(starts, at)
      if (at !== undefined && (line !== last || first)) {
        const column = Math.min(at - starts[line] + 1, 1023)
        lineRecords.push(slot, file, btf.string(texts[line].trim() || ' '), ((line + 1) << 10) | column)
      }
      last = line
      first = false
      slot += slotsOf(item)
    }
  }
  return { btf: btf.bytes(), functions: words(funcRecords), lines: words(lineRecords) }
}

/** The packet function takes the context; the others numbers, and are global, unless their arguments go through memory. */
function describe(btf: Btf, func: Func, programName: string): number {
  if (func.name === 'main') {
    const context = btf.pointer(btf.forward('xdp_md'))
    return btf.function(typeName(programName), linkage.global, btf.int(), [{ name: 'ctx', type: context }])
  }
  const wide = btf.unsigned(8)
  if (func.params.length > registerArguments) {
    const block = btf.pointer(wide)
    return btf.function(func.name, linkage.local, btf.int(), [{ name: 'arguments', type: block }])
  }
  const params = func.params.map((p, k) => ({ name: p.name ?? `p${k}`, type: wide }))
  return btf.function(func.name, linkage.global, btf.int(), params)
}

function lineStarts(text: string): number[] {
  const starts = [0]
  for (let k = 0; k < text.length; k++) if (text[k] === '\n') starts.push(k + 1)
  return starts
}

function lineOf(starts: readonly number[], at: number): number {
  let [low, high] = [0, starts.length - 1]
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if (starts[middle] <= at) low = middle
    else high = middle - 1
  }
  return low
}

function words(values: readonly number[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(new ArrayBuffer(4 * values.length))
  const view = new DataView(bytes.buffer)
  values.forEach((v, k) => view.setUint32(4 * k, v, true))
  return bytes
}
