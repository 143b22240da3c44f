/**
 * Executes bytecode without a kernel and counts instructions: what a packet costs, exactly, on any machine. Maps are bytes;
 * of helpers there are those that the programs of these measurements meet on their usual way. Code is trusted.
 */

import {
  arithmetic,
  atomics,
  classes,
  helpers,
  jumps,
  modes,
  pseudo,
} from '../../src/backend/ebpf/opcodes.js'

/** A 64-bit immediate that stands for a map's value. */
export interface Reference {
  readonly slot: number
  readonly map: string
  /** Byte offset, where the instruction does not say it. */
  readonly offset?: number
}

const headroom = 256n
const stackBytes = 512n
const [contextRegion, stackRegion, packetRegion, firstMap] = [1n, 2n, 3n, 4]
const low = 0xffffffffn
/** XDP_REDIRECT. */
const redirected = 4n
const all = (1n << 64n) - 1n

const namesOf = (table: Readonly<Record<string, number>>): ReadonlyMap<number, string> =>
  new Map(Object.entries(table).map(([name, code]) => [code, name]))
const [arithmeticNames, jumpNames, helperNames] = [arithmetic, jumps, helpers].map(namesOf)

/** What a run was. */
export interface Run {
  readonly result: number
  /** Slots of the executed instructions, in order. */
  readonly trace: readonly number[]
}

export class Interpreter {
  private readonly code: DataView
  private readonly references: ReadonlyMap<number, Reference>
  private readonly maps: readonly string[]
  private readonly memory: DataView[]
  private registers: bigint[] = []
  private packetStart = 0n
  private packetEnd = 0n
  /** What the kernel's clock says. */
  time = 1n << 40n

  constructor(bytes: Uint8Array, references: readonly Reference[], values: ReadonlyMap<string, Uint8Array>) {
    this.code = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    this.references = new Map(references.map(r => [r.slot, r]))
    this.maps = [...values.keys()]
    const view = (b: Uint8Array): DataView => new DataView(b.buffer, b.byteOffset, b.length)
    const own = [0, 64, 8 * Number(stackBytes), 8192].map(n => view(new Uint8Array(n)))
    this.memory = [...own, ...[...values.values()].map(view)]
  }

  /** Runs the program on a packet. */
  run(packet: Uint8Array): Run {
    new Uint8Array(this.memory[Number(packetRegion)].buffer).set(packet, Number(headroom))
    this.packetStart = (packetRegion << 32n) + headroom
    this.packetEnd = this.packetStart + BigInt(packet.length)
    this.registers = Array<bigint>(11).fill(0n)
    this.registers[1] = contextRegion << 32n
    this.registers[10] = (stackRegion << 32n) + stackBytes
    const trace: number[] = []
    const calls: { readonly back: number; readonly kept: readonly bigint[] }[] = []
    for (let slot = 0; ;) {
      trace.push(slot)
      const code = this.code.getUint8(8 * slot)
      const kind = code & 7
      const name = kind === classes.jmp || kind === classes.jmp32 ? jumpNames.get(code & 0xf0) : undefined
      const source = this.code.getUint8(8 * slot + 1) >> 4
      const immediate = this.code.getInt32(8 * slot + 4, true)
      if (name === 'exit') {
        const caller = calls.pop()
        if (!caller) return { result: Number(this.registers[0] & low), trace }
        this.registers.splice(6, 5, ...caller.kept)
        slot = caller.back
      } else if (name === 'call' && source === pseudo.call) {
        calls.push({ back: slot + 1, kept: this.registers.slice(6) })
        this.registers[10] += stackBytes
        slot += 1 + immediate
      } else slot = this.step(slot, code, name)
    }
  }

  /** Executes one instruction; the slot of the next. */
  private step(slot: number, code: number, jump: string | undefined): number {
    const r = this.registers
    const both = this.code.getUint8(8 * slot + 1)
    const [dst, src] = [both & 15, both >> 4]
    const off = this.code.getInt16(8 * slot + 2, true)
    const imm = this.code.getInt32(8 * slot + 4, true)
    const kind = code & 7
    const operand = code & 8 ? r[src] : BigInt(imm)
    if (kind === classes.ld) {
      r[dst] = this.immediate(slot, src, imm)
      return slot + 2
    }
    if (jump === 'call') r[0] = this.help(helperNames.get(imm))
    else if (jump !== undefined) {
      const bits = kind === classes.jmp ? 64 : 32
      if (isTaken(jump, r[dst], operand, bits))
        return slot + 1 + (kind === classes.jmp32 && jump === 'ja' ? imm : off)
    } else if (kind === classes.ldx) r[dst] = this.load(r[src] + BigInt(off), widthOf(code))
    else if (kind === classes.st) this.store(r[dst] + BigInt(off), widthOf(code), BigInt(imm))
    else if (kind === classes.stx && (code & 0xe0) === modes.atomic)
      this.add(r[dst] + BigInt(off), widthOf(code), src, imm)
    else if (kind === classes.stx) this.store(r[dst] + BigInt(off), widthOf(code), r[src])
    else {
      const name = arithmeticNames.get(code & 0xf0)!
      const wide = kind === classes.alu64
      r[dst] = name === 'end' ? swapped(r[dst], imm) : calculate(name, r[dst], operand, wide ? 64 : 32, off)
    }
    return slot + 1
  }

  private immediate(slot: number, kind: number, imm: number): bigint {
    const high = this.code.getInt32(8 * slot + 12, true)
    const reference = this.references.get(slot)
    if (!reference) return BigInt.asUintN(64, (BigInt(high) << 32n) | (BigInt(imm) & low))
    const region = BigInt(firstMap + this.maps.indexOf(reference.map))
    return (region << 32n) + BigInt(reference.offset ?? (kind === pseudo.mapValue ? high : 0))
  }

  private help(name: string | undefined): bigint {
    const [, first, second] = this.registers
    switch (name) {
      case 'ktime_get_ns':
      case 'ktime_get_coarse_ns':
        return this.time
      case 'smp_processor_id':
        return 0n
      case 'map_lookup_elem':
        // Of an array: the map's address is that of its first value.
        return first + 8n * this.load(second, 4)
      case 'xdp_adjust_head':
        this.packetStart += BigInt.asIntN(32, second)
        return 0n
      case 'redirect_map':
        return redirected
      default:
        throw new Error(`there is no helper ${name ?? 'of that number'} here`)
    }
  }

  private place(address: bigint): [DataView, number] {
    return [this.memory[Number(address >> 32n)], Number(address & low)]
  }

  private load(address: bigint, width: number): bigint {
    if (address >> 32n === contextRegion)
      // Data, its end, its metadata, the device that it came by, and the receive queue.
      return [this.packetStart, this.packetEnd, this.packetStart, 1n, 0n][Number(address & low) / 4]
    const [view, at] = this.place(address)
    if (width === 8) return view.getBigUint64(at, true)
    return BigInt(
      width === 4 ? view.getUint32(at, true) : width === 2 ? view.getUint16(at, true) : view.getUint8(at),
    )
  }

  private store(address: bigint, width: number, value: bigint): void {
    const [view, at] = this.place(address)
    if (width === 8) view.setBigUint64(at, BigInt.asUintN(64, value), true)
    else if (width === 4) view.setUint32(at, Number(value & low), true)
    else if (width === 2) view.setUint16(at, Number(value & 0xffffn), true)
    else view.setUint8(at, Number(value & 0xffn))
  }

  private add(address: bigint, width: number, src: number, operation: number): void {
    if ((operation & ~1) !== atomics.add) throw new Error('only additions are atomic here')
    const before = this.load(address, width)
    this.store(address, width, before + this.registers[src])
    if (operation & 1) this.registers[src] = before
  }
}

const widthOf = (code: number): number => [4, 2, 1, 8][(code >> 3) & 3]

function calculate(name: string, a: bigint, b: bigint, bits: 32 | 64, off: number): bigint {
  const [x, y] = [BigInt.asUintN(bits, a), BigInt.asUintN(bits, b)]
  const [sx, sy] = [BigInt.asIntN(bits, x), BigInt.asIntN(bits, y)]
  const count = y % BigInt(bits)
  const signed = off === 1
  const result = ((): bigint => {
    switch (name) {
      case 'add':
        return x + y
      case 'sub':
        return x - y
      case 'mul':
        return x * y
      case 'div':
        return y === 0n ? 0n : signed ? sx / sy : x / y
      case 'mod':
        return y === 0n ? x : signed ? sx % sy : x % y
      case 'or':
        return x | y
      case 'and':
        return x & y
      case 'xor':
        return x ^ y
      case 'lsh':
        return x << count
      case 'rsh':
        return x >> count
      case 'arsh':
        return sx >> count
      case 'neg':
        return -x
      case 'mov':
        return off === 0 ? y : BigInt.asIntN(off, y)
      default:
        throw new Error(`there is no operation ${name} here`)
    }
  })()
  return BigInt.asUintN(bits, result)
}

function swapped(value: bigint, bits: number): bigint {
  let result = 0n
  for (let k = 0; k < bits; k += 8) result = (result << 8n) | ((value >> BigInt(k)) & 0xffn)
  return result & all
}

function isTaken(name: string, a: bigint, b: bigint, bits: 32 | 64): boolean {
  const [x, y] = [BigInt.asUintN(bits, a), BigInt.asUintN(bits, b)]
  const [sx, sy] = [BigInt.asIntN(bits, x), BigInt.asIntN(bits, y)]
  switch (name) {
    case 'ja':
      return true
    case 'jeq':
      return x === y
    case 'jne':
      return x !== y
    case 'jgt':
      return x > y
    case 'jge':
      return x >= y
    case 'jlt':
      return x < y
    case 'jle':
      return x <= y
    case 'jset':
      return (x & y) !== 0n
    case 'jsgt':
      return sx > sy
    case 'jsge':
      return sx >= sy
    case 'jslt':
      return sx < sy
    case 'jsle':
      return sx <= sy
    // may_goto, whose budget is never spent here.
    case 'jcond':
      return false
    default:
      throw new Error(`there is no jump ${name} here`)
  }
}
