// The stages of a compilation as text.

import { isSlice } from '../../analysis/slice.js'
import { isLabel, slotsOf } from '../../backend/ebpf/asm.js'
import { line } from '../../backend/ebpf/listing.js'
import { printModule } from '../../backend/wasm/wat.js'
import { moduleOf } from '../../compile.js'
import type { Compiled } from '../../compile.js'
import { lineStarts, lineText, positionAt } from '../../diagnostics/lines.js'
import { bytecodeOf } from '../../engine/kernel/load.js'
import { objectCpus } from '../../engine/kernel/object.js'
import { printFunction } from '../../ir/print.js'
import type { Func } from '../../ir/types.js'
import { factsOf } from '../../transform/expand/facts.js'
import { copyOf } from '../../transform/expand/rewrite.js'
import { optimise } from '../../transform/optimise.js'
import { metadataOf, obstacleOf } from '../check/metadata.js'
import { syntaxTree } from './syntax.js'

/** What `--emit` takes, and what it prints. */
export const stages: Readonly<Record<string, (compiled: Compiled) => string>> = {
  ast: ({ program }) => syntaxTree(program.file, program.source),
  ir: intermediate,
  slice,
  expanded,
  wat: compiled => printModule(moduleOf(compiled)),
  bpf: bytecode,
}

const section = (title: string, text: string): string => `; ${title}\n${text}\n`
const sizeOf = (func: Func): string => {
  const instructions = func.blocks.reduce((n, b) => n + b.instrs.length, 0)
  return `${instructions} instructions in ${func.blocks.length} ${func.blocks.length === 1 ? 'block' : 'blocks'}`
}

/** The packet function before and after optimisation. */
function intermediate({ program }: Compiled): string {
  const front = program.functions.find(f => f.name === 'main')!
  const optimised = copyOf(front)
  optimise(optimised, { facts: factsOf(program.objects) })
  return [
    section(`as the front end makes it: ${sizeOf(front)}`, printFunction(front)),
    section(`optimised: ${sizeOf(optimised)}`, printFunction(optimised)),
  ].join('\n')
}

/** What goes into an item, the function that makes one, and the function that applies it. */
function slice(compiled: Compiled): string {
  const { slice: found } = compiled
  if (!isSlice(found)) {
    const { reason, line, column } = obstacleOf(compiled)!
    const place = line === undefined ? '' : `${compiled.program.file}:${line}:${column}: `
    return section('the program cannot be replicated', `; ${place}${reason}`)
  }
  const { bytes, bits, headerBits, fields } = metadataOf(compiled)!
  const cut = fields.map(
    f => `;   ${String(f.offset).padStart(4)}  ${String(f.bits).padStart(4)}  ${f.name}: ${f.reason}`,
  )
  return [
    section(
      `the item: ${bytes} bytes, ${bits} bits used, ${headerBits} header bit`,
      [';   from  bits  field: what state needs it for', ...cut].join('\n'),
    ),
    section(`extract, packet to item: ${sizeOf(found.extract)}`, printFunction(found.extract)),
    section(`advance, item to state: ${sizeOf(found.advance)}`, printFunction(found.advance)),
  ].join('\n')
}

/** All functions with operations on state as operations on memory: what the backends lower. */
function expanded({ batch }: Compiled): string {
  const { callees, main, slice: parts, steer } = batch
  const all = [main, parts?.extract, parts?.advance, steer, ...callees].filter(f => f !== undefined)
  return all.map(f => section(`${f.name}: ${sizeOf(f)}`, printFunction(f))).join('\n')
}

/** The bytecode of an object, with the lines it comes from. */
function bytecode(compiled: Compiled): string {
  const { artifact, program } = compiled
  const rulesBytes = artifact.rules.length ? artifact.rulesLayout.size : 0
  const { functions } = bytecodeOf(compiled, rulesBytes, { cpus: objectCpus })
  const starts = lineStarts(program.source)
  return functions
    .map(({ name, code }) => {
      let last = -1
      const lines = code.flatMap(item => {
        const at = isLabel(item) ? undefined : item.origin?.at
        const number = at === undefined ? last : positionAt(starts, at).line
        const source =
          number === last ? [] : [`; ${number}: ${lineText(program.source, starts, number).trim()}`]
        last = number
        return [...source, line(item)]
      })
      const slots = code.reduce((sum, item) => sum + slotsOf(item), 0)
      return section(`${name}: ${slots} instructions`, lines.join('\n'))
    })
    .join('\n')
}
