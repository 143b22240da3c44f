// Executes the part of a program's bytecode that comes before it touches state, on one packet, without a kernel: enough
// to count on the code itself what a packet costs there. Stops where a table's address is loaded, at calls of the
// program's own functions and at the end. Memory is one flat buffer; maps but the settings are all zeros.

import { isLabel } from '../../src/backend/ebpf/asm.js'
import type { Code, Instruction } from '../../src/backend/ebpf/asm.js'
import { arithmetic, classes, jumps, modes, pseudo } from '../../src/backend/ebpf/opcodes.js'
import { mapNames } from '../../src/backend/ebpf/target.js'

const at = { context: 0x100, stack: 0x8000, settings: 0x9000, zeros: 0xa000, packet: 0xb000 } as const
const kindOf = (table: Readonly<Record<string, number>>, code: number): string =>
  Object.keys(table).find(name => table[name] === (code & 0xf0))!

/** What was executed. */
export interface Parsed {
  readonly instructions: number
  /** Comparisons of a register with the packet's end. */
  readonly endComparisons: number
}

/** Runs a packet function from its first instruction on. `settings`: 8 bytes each, as in the map. */
export function parseOnly(code: Code, packet: Uint8Array, settings: readonly bigint[]): Parsed {
  const memory = new DataView(new ArrayBuffer(0x10000))
  new Uint8Array(memory.buffer).set(packet, at.packet)
  settings.forEach((s, k) => memory.setBigUint64(at.settings + 8 * k, s, true))
  const end = BigInt(at.packet + packet.length)
  memory.setUint32(at.context, at.packet, true)
  memory.setUint32(at.context + 4, Number(end), true)
  const places = new Map(code.flatMap((item, k) => (isLabel(item) ? [[item.label, k] as const] : [])))
  const registers = Array<bigint>(11).fill(0n)
  registers[1] = BigInt(at.context)
  registers[10] = BigInt(at.stack)
  let [instructions, endComparisons] = [0, 0]
  for (let k = 0; k < code.length; k++) {
    const item = code[k]
    if (isLabel(item)) continue
    instructions++
    const i: Instruction = item
    const kind = i.code & 7
    const isRegister = (i.code & 8) !== 0
    const operand = isRegister ? registers[i.src] : BigInt(i.imm)
    if (kind === classes.ld) {
      const isTable = i.src === pseudo.mapValue && !i.map!.startsWith('.')
      if (isTable || i.src === pseudo.map) break
      const map = i.map === mapNames.settings ? at.settings : at.zeros
      const value = (BigInt(i.high!) << 32n) | BigInt(i.imm >>> 0)
      registers[i.dst] = i.map === undefined ? value : BigInt(map + i.high!)
    } else if (kind === classes.ldx) registers[i.dst] = load(memory, Number(registers[i.src]) + i.off, i.code)
    else if (kind === classes.st || kind === classes.stx) {
      if ((i.code & 0xe0) === modes.atomic) break
      const value = kind === classes.st ? BigInt(i.imm) : registers[i.src]
      store(memory, Number(registers[i.dst]) + i.off, i.code, value)
    } else if (kind === classes.alu || kind === classes.alu64)
      registers[i.dst] = calculate(i, registers[i.dst], operand, kind === classes.alu64 ? 64 : 32)
    else {
      const name = kindOf(jumps, i.code)
      if (name === 'exit' || (name === 'call' && i.src === pseudo.call)) break
      if (name === 'call') {
        registers[0] = 0n
        continue
      }
      if (isRegister && (registers[i.src] === end || registers[i.dst] === end)) endComparisons++
      if (taken(name, registers[i.dst], operand, kind === classes.jmp ? 64 : 32))
        k = places.get(i.target!.label)!
    }
  }
  return { instructions, endComparisons }
}

const widthOf = (code: number): number => [4, 2, 1, 8][(code >> 3) & 3]

function load(memory: DataView, address: number, code: number): bigint {
  let value = 0n
  for (let k = widthOf(code) - 1; k >= 0; k--) value = (value << 8n) | BigInt(memory.getUint8(address + k))
  return value
}

function store(memory: DataView, address: number, code: number, value: bigint): void {
  for (let k = 0; k < widthOf(code); k++)
    memory.setUint8(address + k, Number((value >> BigInt(8 * k)) & 0xffn))
}

function calculate({ code, imm }: Instruction, a: bigint, b: bigint, bits: 32 | 64): bigint {
  const [x, y] = [BigInt.asUintN(bits, a), BigInt.asUintN(bits, b)]
  const count = y % BigInt(bits)
  const result: Readonly<Record<string, () => bigint>> = {
    add: () => x + y,
    sub: () => x - y,
    mul: () => x * y,
    div: () => (y === 0n ? 0n : x / y),
    mod: () => (y === 0n ? x : x % y),
    or: () => x | y,
    and: () => x & y,
    xor: () => x ^ y,
    lsh: () => x << count,
    rsh: () => x >> count,
    arsh: () => BigInt.asIntN(bits, x) >> count,
    neg: () => -x,
    mov: () => y,
    end: () => swapped(a, imm),
  }
  const name = kindOf(arithmetic, code)
  return BigInt.asUintN(name === 'end' ? 64 : bits, result[name]())
}

function swapped(value: bigint, bits: number): bigint {
  let result = 0n
  for (let k = 0; k < bits; k += 8) result = (result << 8n) | ((value >> BigInt(k)) & 0xffn)
  return result
}

function taken(name: string, a: bigint, b: bigint, bits: 32 | 64): boolean {
  const [x, y] = [BigInt.asUintN(bits, a), BigInt.asUintN(bits, b)]
  const [sx, sy] = [BigInt.asIntN(bits, x), BigInt.asIntN(bits, y)]
  const result: Readonly<Record<string, boolean>> = {
    ja: true,
    jeq: x === y,
    jne: x !== y,
    jgt: x > y,
    jge: x >= y,
    jlt: x < y,
    jle: x <= y,
    jset: (x & y) !== 0n,
    jsgt: sx > sy,
    jsge: sx >= sy,
    jslt: sx < sy,
    jsle: sx <= sy,
    jcond: false,
  }
  return result[name]
}
