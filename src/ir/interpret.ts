// The reference interpreter: the oracle that every backend, pass and strategy is compared with. It executes the IR one
// instruction after the other, exactly as ops.ts says. Functions are translated into closures once (`prepare`), so
// that long captures can be compared. It trusts no proof: an unchecked access beyond the packet, slot 0 or an endless
// loop throws InvariantError naming the instruction. Read access.ts first.

import type { Host, ReceivedPacket, Value } from './access.js'
import { evaluatorOf, valueOf } from './evaluate.js'
import { InvariantError } from './invariant.js'
import { bitsOf, opInfo } from './ops.js'
import { namesIn, printInstr } from './print.js'
import type { Block, Func, Instr, Program, Terminator } from './types.js'

/** What one execution works on. */
export interface Execution {
  /** Needed by functions that read the packet or its properties. */
  readonly packet?: ReceivedPacket
  /** Needed by functions with item.load or item.store. */
  readonly item?: Uint8Array
  /** One per parameter. */
  readonly args?: readonly Value[]
}

/** Executes a prepared function; gives its result, undefined for void. Not re-entrant. */
export type Executable = (execution: Execution) => Value | undefined

/** Translates the named function of a program for a host, and what it calls. The program must be verified. */
export function prepare(program: Program, name: string, host: Host): Executable {
  return new Machine(program, host).executable(name)
}

type Step = () => void
/** Where control goes and which phis take which values. */
interface Edge {
  readonly code: Code
  /** Pairs: register written, register read. */
  readonly moves: readonly (readonly [to: number, from: number])[]
  readonly phis: readonly Instr[]
}
interface Code {
  steps: readonly Step[]
  /** The edge taken, or undefined after return. */
  leave: () => Edge | undefined
}
type Body = (args: readonly Value[]) => Value | undefined

const noBytes = new Uint8Array(0)

/** What all functions of one prepared program share while a packet is processed. */
class Machine {
  readonly program: Program
  readonly host: Host
  packet: ReceivedPacket | undefined
  bytes: Uint8Array = noBytes
  item: Uint8Array = noBytes
  budget = 0
  private readonly bodies = new Map<string, Body | 'in progress'>()

  constructor(program: Program, host: Host) {
    this.program = program
    this.host = host
  }

  executable(name: string): Executable {
    const body = this.body(name)
    return ({ packet, item, args }) => {
      this.packet = packet
      this.bytes = packet?.bytes ?? noBytes
      this.item = item ?? noBytes
      this.budget = this.host.stepLimit ?? 1_000_000
      return body(args ?? [])
    }
  }

  body(name: string): Body {
    const known = this.bodies.get(name)
    if (known === 'in progress') throw new InvariantError(`${name} calls itself`)
    if (known) return known
    const func = this.program.functions.find(f => f.name === name)
    if (!func) throw new InvariantError(`no function ${name}`)
    this.bodies.set(name, 'in progress')
    const body = new Translation(this, func).body()
    this.bodies.set(name, body)
    return body
  }
}

/** One function as closures over its registers, one register per value. */
class Translation {
  private readonly machine: Machine
  private readonly func: Func
  private readonly registers: Value[] = []
  private readonly numbers = new Map<Instr, number>()
  private readonly codes = new Map<Block, Code>()
  private result: Value | undefined

  constructor(machine: Machine, func: Func) {
    this.machine = machine
    this.func = func
    for (const p of func.params) this.number(p)
    for (const block of func.blocks) this.codes.set(block, { steps: [], leave: () => undefined })
  }

  private number(i: Instr): number {
    let n = this.numbers.get(i)
    if (n === undefined) {
      n = this.registers.push(0) - 1
      this.numbers.set(i, n)
    }
    return n
  }

  body(): Body {
    for (const [block, code] of this.codes) {
      code.steps = block.instrs.filter(i => i.op !== 'phi').map(i => this.step(i, block))
      code.leave = this.leave(block)
    }
    const { machine, registers, func } = this
    const entry = this.codes.get(func.blocks[0])!
    return args => {
      if (args.length !== func.params.length)
        throw new InvariantError(`${func.name}: wrong number of arguments`)
      args.forEach((v, k) => (registers[k] = valueOf(func.params[k].type, v)))
      for (let code = entry; ;) {
        machine.budget -= code.steps.length + 1
        if (machine.budget < 0)
          throw new InvariantError(`${func.name}: step limit exceeded; an endless loop?`)
        for (const step of code.steps) step()
        const edge = code.leave()
        if (!edge) return this.result
        if (edge.moves.length) this.move(edge)
        code = edge.code
      }
    }
  }

  /** Phis of a block take their values at once. */
  private move(edge: Edge): void {
    const { registers } = this
    const values = edge.moves.map(([, from]) => registers[from])
    edge.moves.forEach(([to], k) => (registers[to] = values[k]))
    const tracer = this.machine.host.tracer
    if (tracer?.instr) edge.phis.forEach((phi, k) => tracer.instr!(phi, values[k]))
  }

  private leave(block: Block): () => Edge | undefined {
    const t = block.term
    const { registers } = this
    const edges = t.targets.map((_, k) => this.edge(block, t, k))
    const { tracer } = this.machine.host
    if (t.op === 'jump' && tracer?.jump)
      return () => {
        tracer.jump!(block)
        return edges[0]
      }
    if (t.op === 'jump') return () => edges[0]
    if (t.op === 'unreachable')
      return () => {
        throw new InvariantError(`${this.func.name}: unreachable was reached`)
      }
    if (t.op === 'return') {
      const result = t.args.length ? this.number(t.args[0]) : undefined
      return () => void (this.result = result === undefined ? undefined : registers[result])
    }
    const cond = this.number(t.cond)
    if (!tracer?.branch) return () => edges[registers[cond] ? 0 : 1]
    return () => {
      tracer.branch!(block, registers[cond] === 1)
      return edges[registers[cond] ? 0 : 1]
    }
  }

  private edge(from: Block, t: Terminator, k: number): Edge {
    const to = t.targets[k]
    let pred = to.preds.indexOf(from)
    if (k === 1 && t.targets[0] === to) pred = to.preds.indexOf(from, pred + 1)
    const phis = to.instrs.filter(i => i.op === 'phi')
    const moves = phis.map(phi => [this.number(phi), this.number(phi.args[pred])] as const)
    return { code: this.codes.get(to)!, moves, phis }
  }

  private step(i: Instr, block: Block): Step {
    const { registers } = this
    const compute = this.compute(i, block)
    const to = this.number(i)
    const trace = this.machine.host.tracer?.instr?.bind(this.machine.host.tracer)
    const isVoid = i.type === 'void'
    if (trace)
      return () => {
        const value = compute()
        registers[to] = value
        trace(i, isVoid ? undefined : value)
      }
    return isVoid ? compute : () => void (registers[to] = compute())
  }

  private compute(i: Instr, block: Block): () => Value {
    const { registers } = this
    const args = i.args.map(a => this.number(a))
    if (opInfo(i.op).fold) {
      const f = evaluatorOf(i.op, i.type, i.args[0].type, i.attrs)
      const [a, b, c] = args
      if (args.length === 1) return () => f(registers[a], 0, 0)
      if (args.length === 2) return () => f(registers[a], registers[b], 0)
      return () => f(registers[a], registers[b], registers[c])
    }
    const make = meanings[i.op]
    if (!make) throw new InvariantError(`no meaning for ${i.op}`)
    return make({
      machine: this.machine,
      i,
      value: k => registers[args[k]],
      number: k => registers[args[k]] as number,
      values: from => args.slice(from).map(n => registers[n]),
      fail: why => {
        throw new InvariantError(`${this.func.name}: ${printInstr(i, block, namesIn(this.func))}: ${why}`)
      },
    })
  }
}

/** An instruction under translation. */
interface Site {
  readonly machine: Machine
  readonly i: Instr
  /** Operand k, now. */
  value(k: number): Value
  number(k: number): number
  /** Operands from k on, now. */
  values(from: number): Value[]
  fail(why: string): never
}

const text = (site: Site, attr: string): string => String(site.i.attrs[attr])
const number = (site: Site, attr: string): number => Number(site.i.attrs[attr])

function received(site: Site): ReceivedPacket {
  return site.machine.packet ?? site.fail('there is no packet')
}

/** `width` (1, 2 or 4) bytes at `at`, little-endian. */
function word(bytes: Uint8Array, at: number, width: number): number {
  let v = 0
  for (let k = width - 1; k >= 0; k--) v = v * 256 + bytes[at + k]
  return v
}
function littleEndian(bytes: Uint8Array, at: number, width: number): Value {
  return width < 8
    ? word(bytes, at, width)
    : (BigInt(word(bytes, at + 4, 4)) << 32n) | BigInt(word(bytes, at, 4))
}

function writeLittleEndian(bytes: Uint8Array, at: number, width: number, value: Value): void {
  let v = BigInt(value)
  for (let k = 0; k < width; k++, v >>= 8n) bytes[at + k] = Number(v & 0xffn)
}

/** Reads at an address that must lie inside; if `total`, what lies outside, wholly or in part, is 0. */
function reader(site: Site, bytes: () => Uint8Array, at: () => number, total: boolean): () => Value {
  const width = number(site, 'width')
  const zero = valueOf(site.i.type, 0)
  return () => {
    const [from, address] = [bytes(), at()]
    if (address + width <= from.length) return littleEndian(from, address, width)
    return total ? zero : site.fail(`${width} bytes at ${address} of ${from.length}`)
  }
}

function writer(site: Site, bytes: () => Uint8Array, at: () => number, value: number): () => Value {
  const width = number(site, 'width')
  return () => {
    const [to, address] = [bytes(), at()]
    if (address + width > to.length) site.fail(`${width} bytes at ${address} of ${to.length}`)
    writeLittleEndian(to, address, width, site.value(value))
    return 0
  }
}

/** A void operation; its closure's value is never looked at. */
const effect = (act: () => void): (() => Value) => {
  return () => {
    act()
    return 0
  }
}

/** Operations that do more than compute. Everything with `fold` in the op table is missing here. */
const meanings: Readonly<Record<string, (site: Site) => () => Value>> = {
  const: site => {
    const value = valueOf(site.i.type, BigInt(site.i.attrs.value))
    return () => value
  },
  input: site => {
    const name = text(site, 'name')
    const seed = valueOf('i64', site.machine.host.seed ?? 0n)
    if (name === 'seed') return () => seed
    if (name === 'length') return () => received(site).bytes.length
    return () =>
      valueOf(site.i.type, received(site)[name as 'timestamp' | 'sequence' | 'device' | 'originalLength'])
  },
  setting: site => {
    const name = text(site, 'name')
    const declared = site.machine.program.settings.find(s => s.name === name)
    const { settings } = site.machine.host
    const value = (): bigint | undefined => settings?.get(name) ?? declared?.default
    if (value() === undefined) return site.fail(`no setting ${name}`)
    // Looked at each time: settings may change between two packets.
    return () => valueOf(site.i.type, BigInt.asUintN(bitsOf(site.i.type), value()!))
  },
  packet: () => () => 0,
  load: site => {
    const offset = number(site, 'offset')
    return reader(
      site,
      () => site.machine.bytes,
      () => site.number(1) + offset,
      site.i.attrs.checked === true,
    )
  },
  store: site => {
    const offset = number(site, 'offset')
    return writer(
      site,
      () => site.machine.bytes,
      () => site.number(1) + offset,
      2,
    )
  },
  'table.find': site => {
    const table = site.machine.host.state.table(text(site, 'object'))
    return () => table.find(site.values(0))
  },
  'table.insert': site => {
    const table = site.machine.host.state.table(text(site, 'object'))
    return () => table.insert(site.values(0))
  },
  'table.remove': site => {
    const table = site.machine.host.state.table(text(site, 'object'))
    return effect(() => table.remove(slot(site)))
  },
  'table.touch': site => {
    const table = site.machine.host.state.table(text(site, 'object'))
    return effect(() => table.touch(slot(site), site.values(1)))
  },
  'table.load': site => {
    const table = site.machine.host.state.table(text(site, 'object'))
    const [field, part] = [text(site, 'field'), number(site, 'part')]
    return () => valueOf(site.i.type, table.load(slot(site), field, part))
  },
  'table.store': site => {
    const table = site.machine.host.state.table(text(site, 'object'))
    const [field, part] = [text(site, 'field'), number(site, 'part')]
    return effect(() => table.store(slot(site), field, part, site.value(1)))
  },
  'array.load': site => {
    const array = site.machine.host.state.array(text(site, 'object'))
    const [field, part] = [text(site, 'field'), number(site, 'part')]
    return () => valueOf(site.i.type, array.load(site.number(0), field, part))
  },
  'array.store': site => {
    const array = site.machine.host.state.array(text(site, 'object'))
    const [field, part] = [text(site, 'field'), number(site, 'part')]
    return effect(() => array.store(site.number(0), field, part, site.value(1)))
  },
  'pool.take': site => {
    const pool = site.machine.host.state.pool(text(site, 'object'))
    return () => pool.take(site.values(0).map(Number))
  },
  'pool.give': site => {
    const pool = site.machine.host.state.pool(text(site, 'object'))
    return effect(() => pool.give(site.number(0)))
  },
  'rules.lookup': site => {
    const rules = site.machine.host.state.rules(text(site, 'object'))
    return () => rules.lookup(site.values(0))
  },
  'rules.redirect': site => {
    const rules = site.machine.host.state.rules(text(site, 'object'))
    return () => {
      const entry = rules.lookup([site.value(0)])
      return entry === 0 ? site.number(1) : ((Number(rules.load(entry, 'device', 0)) << 8) | 4) >>> 0
    }
  },
  'rules.load': site => {
    const rules = site.machine.host.state.rules(text(site, 'object'))
    const [field, part] = [text(site, 'field'), number(site, 'part')]
    return () => valueOf(site.i.type, rules.load(slot(site), field, part))
  },
  count: site => {
    const { host } = site.machine
    const counter = text(site, 'counter')
    return effect(() => host.count?.(counter, site.value(0) as bigint))
  },
  'item.load': site => {
    const offset = number(site, 'offset')
    return reader(
      site,
      () => site.machine.item,
      () => offset,
      false,
    )
  },
  'item.store': site => {
    const offset = number(site, 'offset')
    return writer(
      site,
      () => site.machine.item,
      () => offset,
      0,
    )
  },
  'state.load': site => {
    const raw = site.machine.host.state.raw(text(site, 'object'))
    const [offset, width] = [number(site, 'offset'), number(site, 'width')]
    return () => valueOf(site.i.type, raw.load(site.number(0) + offset, width))
  },
  'state.store': site => {
    const raw = site.machine.host.state.raw(text(site, 'object'))
    const [offset, width] = [number(site, 'offset'), number(site, 'width')]
    return effect(() => raw.store(site.number(0) + offset, width, site.value(1)))
  },
  'state.add': site => {
    const raw = site.machine.host.state.raw(text(site, 'object'))
    const [offset, width] = [number(site, 'offset'), number(site, 'width')]
    return () => {
      const at = site.number(0) + offset
      const before = raw.load(at, width)
      raw.store(at, width, BigInt.asUintN(64, BigInt(before) + BigInt(site.value(1))))
      return valueOf(site.i.type, before)
    }
  },
  call: site => {
    const body = site.machine.body(text(site, 'callee'))
    return () => body(site.values(0)) ?? 0
  },
}

function slot(site: Site): number {
  return site.number(0) || site.fail('slot 0')
}

/** True if the interpreter can execute an operation (param and phi need no execution). */
export const hasMeaning = (op: string): boolean =>
  op === 'param' || op === 'phi' || opInfo(op).fold !== undefined || Object.hasOwn(meanings, op)
