// Code as text, one instruction a line, for `--emit=bpf` and for messages: `r2 = *(u32 *)(r1 + 4)`, as bpftool writes it.

import { isLabel } from './asm.js'
import type { Code, Instruction, Item } from './asm.js'
import {
  arithmetic,
  atomics,
  classes,
  fetch,
  helpers,
  jumps,
  modes,
  pseudo,
  sizes,
  sources,
} from './opcodes.js'

/** All items, each on a line of its own. */
export const listing = (code: Code): string => code.map(line).join('\n') + '\n'

/** One item. */
export function line(item: Item): string {
  if (isLabel(item)) return `${item.label}:`
  return `  ${text(item)}`
}

const operators: Readonly<Record<string, string>> = {
  add: '+=',
  sub: '-=',
  mul: '*=',
  div: '/=',
  or: '|=',
  and: '&=',
  lsh: '<<=',
  rsh: '>>=',
  mod: '%=',
  xor: '^=',
  mov: '=',
  arsh: 's>>=',
}
const comparisons: Readonly<Record<string, string>> = {
  jeq: '==',
  jne: '!=',
  jgt: '>',
  jge: '>=',
  jlt: '<',
  jle: '<=',
  jset: '&',
  jsgt: 's>',
  jsge: 's>=',
  jslt: 's<',
  jsle: 's<=',
}

const nameIn = (table: Readonly<Record<string, number>>, value: number): string =>
  Object.entries(table).find(([, v]) => v === value)?.[0] ?? `0x${value.toString(16)}`
const register = (n: number, narrow = false): string => `${narrow ? 'w' : 'r'}${n}`
const signed = (n: number): string => (n < 0 ? `- ${-n}` : `+ ${n}`)

function text(i: Instruction): string {
  switch (i.code & 7) {
    case classes.alu:
    case classes.alu64:
      return operationText(i)
    case classes.jmp:
    case classes.jmp32:
      return jumpText(i)
    case classes.ld:
      return `${register(i.dst)} = ${immediate(i)}`
    default:
      return memoryText(i)
  }
}

function operationText(i: Instruction): string {
  const narrow = (i.code & 7) === classes.alu
  const dst = register(i.dst, narrow)
  const name = nameIn(arithmetic, i.code & 0xf0)
  if (name === 'end') return `${register(i.dst)} = be${i.imm} ${register(i.dst)}`
  if (name === 'neg') return `${dst} = -${dst}`
  const operand = i.code & sources.reg ? register(i.src, narrow) : String(i.imm)
  if (name === 'mov' && i.off !== 0) return `${dst} = (s${i.off}) ${operand}`
  const sign = i.off === 1 && (name === 'div' || name === 'mod') ? 's' : ''
  return `${dst} ${sign}${operators[name] ?? name} ${operand}`
}

function jumpText(i: Instruction): string {
  const to = i.target?.label ?? signed(i.off)
  const narrow = (i.code & 7) === classes.jmp32
  const name = nameIn(jumps, i.code & 0xf0)
  if (name === 'exit') return 'exit'
  if (name === 'ja') return `goto ${to}`
  if (name === 'jcond') return `may_goto ${to}`
  if (name === 'call') return `call ${i.src === pseudo.call ? to : nameIn(helpers, i.imm)}`
  const operand = i.code & sources.reg ? register(i.src, narrow) : String(i.imm)
  return `if ${register(i.dst, narrow)} ${comparisons[name] ?? name} ${operand} goto ${to}`
}

function immediate(i: Instruction): string {
  if (i.src === pseudo.map) return `map[${i.map ?? i.imm}]`
  if (i.src === pseudo.mapValue) return `map[${i.map ?? i.imm}][0] + ${i.high ?? 0}`
  if (i.src === pseudo.func) return `function ${i.target?.label ?? i.imm}`
  const value = (BigInt(i.high ?? 0) << 32n) | BigInt(i.imm >>> 0)
  return `0x${BigInt.asUintN(64, value).toString(16)} ll`
}

const widths: Readonly<Record<string, string>> = { b: 'u8', h: 'u16', w: 'u32', dw: 'u64' }

function memoryText(i: Instruction): string {
  const kind = i.code & 7
  const type = widths[nameIn(sizes, i.code & 0x18)]
  const base = kind === classes.ldx ? i.src : i.dst
  const place = `*(${type} *)(${register(base)} ${signed(i.off)})`
  if (kind === classes.ldx) return `${register(i.dst)} = ${place}`
  if (kind === classes.st) return `${place} = ${i.imm}`
  if ((i.code & 0xe0) !== modes.atomic) return `${place} = ${register(i.src)}`
  const name = nameIn(atomics, i.imm)
  const plain = name.startsWith('0x') ? `fetch_${nameIn(atomics, i.imm & ~fetch)}` : name
  return `lock ${plain} ${place}, ${register(i.src)}`
}
