// Chooses instructions: an expanded IR function becomes machine code over values (machine.ts).
//
// Widening costs nothing, because narrow values are zero-extended, and constants are operands. Conditions are made where
// they are used, if they can be (fused.ts). Addresses are memory.ts's and packet.ts's affair, arithmetic arithmetic.ts's.
// Loops are verified as if they had one round: what goes round is made unknown to the verifier at the loop's head, and
// may_goto bounds it. Where many paths meet, it is made to forget them too (umax.ts).

import { bitsTested } from '../../analysis/bit-tests.js'
import { dominators } from '../../analysis/dominators.js'
import type { DominatorTree } from '../../analysis/dominators.js'
import { loopDepths, loops } from '../../analysis/loops.js'
import { mostRounds } from '../../analysis/rounds.js'
import { reversePostorder } from '../../ir/order.js'
import type { Block as IrBlock, Func, Instr } from '../../ir/types.js'
import {
  alu32,
  alu64,
  call,
  callLocal,
  ja,
  jgt,
  jne,
  ldMapValue,
  ldx,
  mayGoto,
  mov32,
  mov64,
  r0,
  r1,
  stx,
} from './asm.js'
import type { Register } from './asm.js'
import {
  bitTest,
  comparison,
  isComparison,
  truth,
  writeBinary,
  writeSigned,
  writeUnary,
} from './arithmetic.js'
import { connect } from './connect.js'
import { dropUnused } from './unused.js'
import { Answers } from './fib.js'
import { fusedIn } from './fused.js'
import { itemAddress, touch } from './item.js'
import type { ItemPlace } from './item.js'
import { isValue, valuesIn } from './machine.js'
import type { Block, Condition, End, Machine, Operand, Out, Phi, Step, Value } from './machine.js'
import {
  isPresent,
  isProved,
  lookupStep,
  presence,
  presenceTest,
  redirectStep,
  targetMaps,
  valueLoad,
} from './lookup.js'
import { additionStep, countStep } from './addition.js'
import { Pointers, extents, pointerStep, stateKey, usesOf, writeLoad, writeStore } from './memory.js'
import type { Address } from './memory.js'
import {
  lengthCheck,
  packetExtents,
  packetLimit,
  packetLoad,
  packetPointer,
  packetStore,
  placeOf,
  proof,
  reaches,
} from './packet.js'
import { PacketProofs } from './packet-proofs.js'
import { PointerPhis } from './pointer-phis.js'
import { splitReturns } from './returns.js'
import { fromArea, isSectionCall } from './section-map.js'
import { counterStride, mapNames, runtime } from './target.js'
import { searchLimit, slotsPerBucket } from '../../state/format.js'
import type { KernelMap } from '../../state/kernel-map.js'
import type { ObjectPlace, Target } from './target.js'
import { stampStep, writeTime } from './time.js'
import { boundsOf, forgottenIn, largestResult } from './umax.js'
import type { Bounds, Forgotten } from './umax.js'

/** Offsets in struct xdp_md. */
const context = { data: 0, dataEnd: 4, dataMeta: 8, ingress: 12 } as const
/** How many arguments registers hold. */
export const registerArguments = 5

/** Rounds of the longest loop that a program can have, and of one of a table's functions: the displacement search. */
const longestLoop = 65_536
const tableLoop = searchLimit * slotsPerBucket

/**
 * Selects code for a function; `isMain` if it is the XDP program and has the context in r1. `item` says where a
 * history's item is, in functions that have one.
 */
export function select(func: Func, target: Target, isMain: boolean, item?: ItemPlace): Machine {
  return new Selection(func, target, isMain, item).machine()
}

class Selection {
  private readonly func: Func
  private readonly target: Target
  private readonly isMain: boolean
  private readonly item: ItemPlace | undefined
  private readonly tree: DominatorTree
  private readonly straight: boolean
  private readonly isForgotten: Forgotten
  private readonly bounds: Bounds
  private readonly values = new Map<Instr, Operand>()
  private readonly fused: ReadonlySet<Instr>
  private readonly pointers: Pointers
  private readonly stateEnds: ReadonlyMap<string, number>
  private readonly packetEnds: ReadonlyMap<Instr | undefined, number>
  private readonly pointerPhis: PointerPhis
  private nextId = 0
  private steps: Step[] = []
  private here!: IrBlock
  private readonly proofs: PacketProofs
  private data?: Value
  private dataEnd?: Value
  /** Values that look-ups in maps of the kernel found. */
  private readonly found = new Map<Instr, Value>()
  private ingress?: Value
  private readonly answers: Answers
  /** The time in the packet's metadata, if that is where it comes from. */
  private stamp?: Value
  private origin: number | undefined

  constructor(func: Func, target: Target, isMain: boolean, item: ItemPlace | undefined) {
    this.func = func
    this.target = target
    this.isMain = isMain
    this.item = item
    this.tree = dominators(func)
    // Where the verifier walks code again and again, it comes first.
    this.answers = new Answers(target.fibs ?? [])
    this.straight = target.loops === 'may_goto' && item === undefined
    this.isForgotten = forgottenIn(func, this.tree, target)
    this.bounds = boundsOf(func, this.isForgotten, target.loops === 'bounded')
    this.pointers = new Pointers((a, b) => this.tree.dominates(a, b))
    this.stateEnds = extents(func.blocks, this.isForgotten)
    this.packetEnds = packetExtents(func, this.real)
    this.fused = fusedIn(reversePostorder(func), c => lengthCheck(c, this.real) !== undefined)
    this.proofs = new PacketProofs(func, {
      tree: this.tree,
      isForgotten: this.isForgotten,
      bound: this.real,
      isWritten: c => this.isWritten(c),
      isMadeAbove: (base, block) => this.pointers.isMadeAbove(`packet ${base.id}`, block),
    })
    this.pointerPhis = new PointerPhis({
      objects: target.objects,
      pointers: this.pointers,
      ends: this.stateEnds,
      isForgotten: this.isForgotten,
      verified: this.bounds.verified,
      values: this.values,
      fresh: i => this.fresh(i),
    })
  }

  private readonly real = (i: Instr): bigint => this.bounds.real.get(i) ?? 0xffffffffffffffffn

  machine(): Machine {
    const order = reversePostorder(this.func)
    const params = this.func.params.map((p, k) => {
      const v = this.fresh(p)
      if (k > 0) v.prefer = k + 1
      this.values.set(p, v)
      return v
    })
    const depths = loopDepths(this.func, this.tree)
    const blocks = new Map<IrBlock, Block>()
    for (const b of order) {
      const isHeader = b.preds.some(p => this.tree.dominates(b, p))
      const depth = depths.get(b) ?? 0
      this.here = b
      this.steps = []
      this.origin = undefined
      if (b === order[0] && this.isMain) this.entry(order)
      const phis = b.instrs.filter(i => i.op === 'phi' && i.type !== 'mem')
      const made = phis.map(i => ({ i, dst: this.phi(i, this.isForgotten(i)) }))
      this.pointerPhis.begin(phis, b)
      const budget = isHeader ? this.loopHead(b) : undefined
      for (const i of b.instrs) {
        if (i.op === 'phi') continue
        this.origin = i.span?.start ?? this.origin
        this.instr(i)
      }
      const block: Block = {
        id: b.id,
        depth,
        phis: [...made.map(({ dst }): Phi => ({ dst, args: [] })), ...(budget ? [budget] : [])],
        steps: this.steps,
        end: { kind: 'trap', targets: [] },
        preds: [],
      }
      block.end = this.end(b)
      blocks.set(b, block)
    }
    const result: Block[] = []
    for (const b of order) {
      result.push(blocks.get(b)!)
      connect(b, blocks, result, () => this.func.nextId + this.nextId++)
    }
    for (const b of order) {
      const phis = b.instrs.filter(i => i.op === 'phi' && i.type !== 'mem')
      const block = blocks.get(b)!
      phis.forEach((i, k) => {
        i.args.forEach((a, n) => {
          // An operand from a block that is never reached has no value.
          const v = a.op === 'const' ? BigInt(a.attrs.value) : (this.values.get(a) ?? 0n)
          block.phis[k].args[n] = v
          if (isValue(v)) v.like ??= block.phis[k].dst
        })
      })
      this.pointerPhis.fill(b, block)
      // Blocks that cannot be reached drop out of preds.
      const kept = b.preds.map((p, n) => (blocks.has(p) ? n : -1)).filter(n => n >= 0)
      for (const phi of block.phis) phi.args.splice(0, phi.args.length, ...kept.map(n => phi.args[n]))
      block.preds = kept.map(n => block.preds[n])
    }
    const exitsFirst = this.target.loops === 'bounded'
    const largest = largestResult(order, this.bounds)
    const machine = {
      name: this.func.name,
      params,
      largest,
      blocks: result,
      exitsFirst,
      straight: this.straight,
      kept: this.answers.slots,
    }
    return dropUnused(this.isMain ? splitReturns(machine) : machine)
  }

  /** Shows the verifier that the loop ends. Where rounds are counted, the count as of here. */
  private loopHead(header: IrBlock): Phi | undefined {
    if (this.target.loops === 'may_goto') {
      this.step({ uses: [], write: out => out.push(mayGoto(out.trap)) })
      return undefined
    }
    const loop = loops(this.func, this.tree).find(l => l.header === header)!
    const dominates = (a: IrBlock, b: IrBlock): boolean => this.tree.dominates(a, b)
    const most = mostRounds(loop, longestLoop, dominates) ?? (this.isMain ? longestLoop : tableLoop)
    const rounds = this.fresh()
    const next = { ...this.fresh(), like: rounds }
    rounds.like = next
    this.step({
      dst: next,
      uses: [rounds],
      kept: true,
      write: out =>
        out.write(next, r0, d => {
          out.into(d, rounds)
          out.push(jgt.imm(d, most, out.trap), alu64.add.imm(d, 1))
        }),
    })
    return { dst: rounds, args: header.preds.map(p => (dominates(header, p) ? next : 0n)) }
  }

  private fresh(i?: Instr): Value {
    return { id: this.nextId++, ...(i?.name !== undefined && { name: i.name }) }
  }

  private step(step: Step): void {
    this.steps.push(this.origin === undefined ? step : { ...step, origin: this.origin })
  }

  private operand(i: Instr): Operand {
    if (i.op === 'const') return BigInt(i.attrs.value)
    const v = this.values.get(i)
    if (v === undefined) throw new Error(`${this.func.name}: %${i.id} (${i.op}) has no value yet`)
    return v
  }

  /** Gives `i` a value of its own, made by one step. */
  private define(
    i: Instr,
    operands: readonly Operand[],
    write: (out: Out, dst: Value) => void,
    isCall = false,
  ): void {
    const dst = this.fresh(i)
    this.values.set(i, dst)
    const [first] = operands
    if (first !== undefined && isValue(first)) dst.like = first
    this.step({ dst, uses: valuesIn(operands), ...(isCall && { call: true }), write: out => write(out, dst) })
  }

  /** Says of a value that what it was read from stays as it is. */
  private readsAgain(i: Instr, address: Address, width: number): void {
    const value = this.operand(i)
    if ('pointer' in address && isValue(value)) value.again = { ...address, width }
  }

  /** What the program needs of its context, while r1 holds it. */
  private entry(order: readonly IrBlock[]): void {
    const all = order.flatMap(b => b.instrs)
    const uses = (name: string): boolean => all.some(i => i.op === 'input' && i.attrs.name === name)
    const fromContext = (off: number, prefer: Register): Value => {
      const dst = { ...this.fresh(), prefer }
      this.step({ dst, uses: [], write: out => out.write(dst, r0, d => out.push(ldx.w(d, r1, off))) })
      return dst
    }
    if (all.some(i => this.answers.fibOf(i))) this.step(this.answers.hold(this.fresh()))
    const touches = all.some(i => i.op === 'load' || i.op === 'store')
    if (touches || uses('length')) {
      this.data = fromContext(context.data, 2)
      this.dataEnd = fromContext(context.dataEnd, 3)
    }
    if (this.target.inputs === 'kernel' && uses('device')) this.ingress = fromContext(context.ingress, 4)
    if (this.target.inputs === 'kernel' && this.target.clock === 'metadata' && uses('timestamp')) {
      this.data ??= fromContext(context.data, 2)
      const metadata = fromContext(context.dataMeta, 5)
      this.stamp = this.fresh()
      this.step(stampStep(this.stamp, metadata, this.data))
    }
    if (uses('sequence') && this.target.inputs !== 'frame' && !this.target.section)
      this.step({
        uses: [],
        write: out =>
          out.push(
            ldMapValue(r1, mapNames.runtime, runtime.sequence),
            ldx.dw(r0, r1, 0),
            alu64.add.imm(r0, 1),
            stx.dw(r1, 0, r0),
          ),
      })
  }

  /** A pointer to this CPU's counters, made where it is first needed: most packets count nothing. */
  private counters(): Value {
    const { cpus, counters } = this.target
    const known = this.pointers.get(mapNames.counters, this.here)
    if (known) return known
    const stride = counterStride(counters.length)
    const dst = this.fresh()
    this.pointers.add(mapNames.counters, { block: this.here, value: dst, ahead: 0 })
    const write = (out: Out): void => {
      out.push(call('smp_processor_id'))
      out.write(dst, r1, d => {
        out.push(jgt.imm(r0, cpus - 1, out.trap), alu64.mul.imm(r0, stride))
        out.push(ldMapValue(d, mapNames.counters), alu64.add.reg(d, r0))
      })
    }
    if (cpus === 1)
      this.step({
        dst,
        uses: [],
        write: out => out.write(dst, r0, d => out.push(ldMapValue(d, mapNames.counters))),
      })
    else this.step({ dst, uses: [], call: true, write })
    return dst
  }

  /** A phi's result; if it is to be `forgotten`, combined with a zero that the verifier does not know. */
  private phi(i: Instr, forgotten: boolean): Value {
    const dst = this.fresh(i)
    if (!forgotten) {
      this.values.set(i, dst)
      return dst
    }
    const unknown = this.fresh(i)
    unknown.like = dst
    this.values.set(i, unknown)
    const xor = i.type === 'i64' ? alu64.xor : alu32.xor
    this.step({
      dst: unknown,
      uses: [dst],
      write: out =>
        out.write(unknown, r0, d => {
          out.into(d, dst)
          out.push(ldMapValue(r1, mapNames.runtime, runtime.zero), ldx.dw(r1, r1, 0), xor.reg(d, r1))
        }),
    })
    return dst
  }

  private instr(i: Instr): void {
    if (i.op === 'const' || this.fused.has(i)) return
    if (i.type === 'mem' && i.op !== 'store') return
    const [a, b] = i.args
    switch (i.op) {
      case 'zext':
        return void this.values.set(i, this.operand(a))
      case 'trunc':
        return this.trunc(i, a)
      case 'input':
        return this.input(i)
      case 'setting':
        return this.fixedLoad(i, mapNames.settings, 8 * this.target.settings.indexOf(String(i.attrs.name)))
      case 'load':
        return this.packetLoad(i)
      case 'store':
        return this.packetStore(i)
      case 'item.load': {
        const address = itemAddress(this.item, i)
        const width = Number(i.attrs.width)
        this.define(i, usesOf(address), (out, dst) => writeLoad(out, dst, width, address))
        return this.readsAgain(i, address, width)
      }
      case 'item.store': {
        const address = itemAddress(this.item, i)
        const value = this.operand(a)
        return this.step({
          uses: valuesIn([...usesOf(address), value]),
          write: out => writeStore(out, value, Number(i.attrs.width), address),
        })
      }
      case 'state.load': {
        const address = this.stateAddress(i)
        if (this.item?.touches.has(i)) return this.step(touch(address))
        const dst = this.fresh(i)
        this.values.set(i, dst)
        return this.step({
          dst,
          uses: usesOf(address),
          state: true,
          write: out => writeLoad(out, dst, Number(i.attrs.width), address),
        })
      }
      case 'state.store': {
        const address = this.stateAddress(i)
        const value = this.operand(b)
        return this.step({
          uses: valuesIn([...usesOf(address), value]),
          state: true,
          write: out => writeStore(out, value, Number(i.attrs.width), address),
        })
      }
      case 'state.add': {
        const dst = this.fresh(i)
        this.values.set(i, dst)
        const object = this.target.objects.get(String(i.attrs.object))!
        return this.step(additionStep(dst, object, this.operand(a), this.operand(b), i, this.target.section))
      }
      case 'count':
        return this.countStep(i)
      case 'call':
        return this.call(i)
      case 'rules.lookup':
        return this.lookup(i)
      case 'rules.load': {
        const dst = this.fresh(i)
        this.values.set(i, dst)
        if (this.answers.has(a)) return this.step(this.answers.read(dst, i))
        const pointer = this.found.get(a)
        if (!pointer) throw new Error(`${this.func.name}: a rule is read that was not looked up`)
        return this.step(valueLoad(dst, pointer, i, this.table(i), isProved(a, this.here, this.tree)))
      }
      case 'rules.redirect': {
        const dst = this.fresh(i)
        this.values.set(i, dst)
        const map = targetMaps(this.target.tables).indexOf(this.table(i))
        return this.step(redirectStep(dst, map, this.operand(a), BigInt(b.attrs.value)))
      }
      case 'select':
        return this.select(i)
      case 'not':
      case 'sext':
      case 'bswap16':
      case 'bswap32':
      case 'bswap64': {
        const x = this.operand(a)
        return this.define(i, [x], (out, dst) => writeUnary(out, i.op, dst, x, this.target.cpu))
      }
      case 'divs':
      case 'rems': {
        const [x, y] = [this.operand(a), this.operand(b)]
        return this.define(i, [x, y], (out, dst) => writeSigned(out, i, dst, x, y, this.target.cpu))
      }
      default:
        return this.arithmetic(i)
    }
  }

  private arithmetic(i: Instr): void {
    if (isComparison(i.op)) {
      const condition = this.condition(i)
      return this.define(i, condition.uses, (out, dst) => {
        // The operands may share the register of the result: it is written only after they were compared.
        const [yes, end] = [out.label(), out.label()]
        condition.jump(out, yes, true)
        out.write(dst, r0, d => out.push(mov64.imm(d, 0)))
        out.push(ja(end))
        out.push(yes)
        out.write(dst, r0, d => out.push(mov64.imm(d, 1)))
        out.push(end)
      })
    }
    const [x, y] = i.args.map(a => this.operand(a))
    this.define(i, [x, y], (out, dst) => {
      if (!writeBinary(out, i, dst, x, y))
        throw new Error(`${i.op} cannot be lowered; was the function expanded?`)
    })
  }

  private trunc(i: Instr, a: Instr): void {
    const x = this.operand(a)
    if (!isValue(x)) return void this.values.set(i, x & 0xffffffffn)
    if ((this.bounds.verified.get(a) ?? 0xffffffffffffffffn) <= 0xffffffffn) return void this.values.set(i, x)
    this.define(i, [x], (out, dst) => out.write(dst, r0, d => out.push(mov32.reg(d, out.read(x, r0)))))
  }

  private select(i: Instr): void {
    const [c, a, b] = i.args
    const condition = this.condition(c)
    const [x, y] = [this.operand(a), this.operand(b)]
    const dst = this.fresh(i)
    this.values.set(i, dst)
    this.step({
      dst,
      uses: valuesIn([...condition.uses, x, y]),
      ...(!isValue(x) && !isValue(y) && { choice: { condition, yes: x, no: y } }),
      // One jump less, where an operand is in place, has the verifier remember less and walk half as much again.
      write: out => {
        const [yes, end] = [out.label(), out.label()]
        condition.jump(out, yes, true)
        out.write(dst, r0, d => out.into(d, y))
        out.push(ja(end))
        out.push(yes)
        out.write(dst, r0, d => out.into(d, x))
        out.push(end)
      },
    })
  }

  private call(i: Instr): void {
    const operands = i.args.map(a => this.operand(a))
    const callee = { label: String(i.attrs.callee) }
    const mayLeave = isSectionCall(callee.label)
    const write = (out: Out, dst?: Value): void => {
      out.arguments(operands)
      out.push(callLocal(callee))
      if (mayLeave) out.push(jne.imm(r0, 0, out.trap))
      if (dst) out.write(dst, r0, d => (d === r0 ? undefined : out.push(mov64.reg(d, r0))))
    }
    operands.forEach((o, k) => {
      if (isValue(o) && k > 0 && operands.length <= registerArguments) o.prefer ??= k + 1
    })
    if (i.type === 'void') this.step({ uses: valuesIn(operands), call: true, write: out => write(out) })
    else {
      const dst = this.fresh(i)
      this.values.set(i, dst)
      this.step({ dst, uses: valuesIn(operands), call: true, write: out => write(out, dst) })
    }
  }

  /** The map that a rule table is. */
  private table(i: Instr): KernelMap {
    const found = this.target.tables.find(t => t.name === i.attrs.object)
    if (!found) throw new Error(`${String(i.attrs.object)} is no map; was the function expanded?`)
    return found
  }

  private lookup(i: Instr): void {
    const operands = i.args.map(a => this.operand(a))
    const fib = this.answers.fibOf(i)
    if (fib) {
      this.step(this.answers.ask(i, fib, operands))
      return void this.values.set(i, 1n)
    }
    const pointer = this.fresh()
    this.found.set(i, pointer)
    this.step(lookupStep(pointer, this.table(i), operands))
    const entry = this.fresh(i)
    this.values.set(i, entry)
    this.step(presence(entry, pointer))
  }

  private countStep(i: Instr): void {
    const off = 8 * this.target.counters.indexOf(String(i.attrs.counter))
    const amount = this.operand(i.args[0])
    this.step(countStep(this.counters(), off, amount))
  }

  private input(i: Instr): void {
    const name = String(i.attrs.name)
    switch (name) {
      case 'length':
        return this.length(i)
      case 'sequence':
        if (this.target.section?.numbers) return this.fromArea(i, 'sequence')
        if (this.item?.sequence) return void this.values.set(i, this.item.sequence)
        return this.fixedLoad(i, mapNames.runtime, runtime.sequence)
      case 'seed':
        return this.fixedLoad(i, mapNames.runtime, runtime.seed)
      case 'device':
        if (this.ingress) return void this.values.set(i, this.ingress)
        return this.fixedLoad(i, mapNames.runtime, runtime.device)
      case 'originalLength':
        if (this.target.inputs === 'kernel') return this.length(i)
        return this.fixedLoad(i, mapNames.runtime, runtime.originalLength)
      case 'timestamp':
        if (this.target.inputs !== 'kernel') return this.fixedLoad(i, mapNames.runtime, runtime.timestamp)
        if (this.target.section?.time) return this.fromArea(i, 'time')
        return this.define(
          i,
          this.stamp ? [this.stamp] : [],
          (out, dst) => {
            writeTime(out, this.target.clock ?? 'exact', this.stamp)
            out.write(dst, r0, d => (d === r0 ? undefined : out.push(mov64.reg(d, r0))))
          },
          true,
        )
      default:
        throw new Error(`there is no input ${name}`)
    }
  }

  /** What the function before this one has left for the packet (section.ts). */
  private fromArea(i: Instr, what: 'time' | 'sequence'): void {
    const { cpus } = this.target.section!
    const code = (out: Out, d: Register): void => out.push(...fromArea(what, d, cpus, out.trap))
    this.define(i, [], (out, dst) => out.write(dst, r0, d => code(out, d)), true)
  }

  /** The length as a number; where it is only compared with what is loaded, nothing. */
  private length(i: Instr): void {
    const [data, end] = [this.data!, this.dataEnd!]
    const isUsed = this.usedAsNumber(i)
    if (!isUsed) return
    this.define(i, [end, data], (out, dst) =>
      out.write(dst, r0, d => {
        const start = out.read(data, r1)
        if (d === start) {
          out.into(r0, end)
          out.push(alu64.sub.reg(r0, start), mov64.reg(d, r0))
        } else {
          out.into(d, end)
          out.push(alu64.sub.reg(d, start))
        }
      }),
    )
  }

  private usedAsNumber(i: Instr): boolean {
    for (const b of this.func.blocks) {
      for (const x of b.instrs) if (x.args.includes(i) && !this.isPointerCheck(x)) return true
      if (b.term.op === 'return' && b.term.args.includes(i)) return true
    }
    return false
  }

  /** Whether a comparison is written as one of a packet pointer with data_end. */
  private isPointerCheck(x: Instr): boolean {
    if (!isComparison(x.op)) return false
    const check = lengthCheck(x, this.real)
    if (!check) return false
    return check.place.base === undefined || this.packetEnds.has(check.place.base)
  }

  /** Whether a branch compares for itself instead of testing a value that was made before. */
  private isWritten(cond: Instr): boolean {
    return this.fused.has(cond) && (cond.op !== 'not' || this.isWritten(cond.args[0]))
  }

  private fixedLoad(i: Instr, map: string, at: number): void {
    const width = i.type === 'i64' ? 8 : 4
    this.define(i, [], (out, dst) => writeLoad(out, dst, width, { map, at }))
  }

  private condition(c: Instr): Condition {
    if (c.op === 'not' && this.fused.has(c)) {
      const inner = this.condition(c.args[0])
      return { uses: inner.uses, jump: (out, to, sense) => inner.jump(out, to, !sense) }
    }
    const value = this.values.get(c)
    if (value !== undefined) return truth(value)
    if (c.op === 'const') return truth(BigInt(c.attrs.value))
    const pointer = this.found.get(c.args[0])
    const sense = pointer && presenceTest(c, c.args[0])
    if (pointer && sense !== undefined) return isPresent(pointer, sense)
    const check = lengthCheck(c, this.real)
    if (check && this.isPointerCheck(c))
      return reaches(this.packetPointer(check.place.base), check.place.offset, this.dataEnd!, check.sense)
    const bits = bitsTested(c)
    const tested = bits?.by.every(i => this.fused.has(i)) ? this.operand(bits.value) : 0n
    if (bits && isValue(tested)) return bitTest(tested, bits.mask, bits.set)
    return comparison(c, this.operand(c.args[0]), this.operand(c.args[1]), this.target.cpu)
  }

  private end(b: IrBlock): End {
    const t = b.term
    this.origin = t.span?.start ?? this.origin
    if (t.op === 'jump') return { kind: 'jump', targets: [undefined as unknown as Block] }
    if (t.op === 'return')
      return { kind: 'return', ...(t.args[0] && { result: this.operand(t.args[0]) }), targets: [] }
    if (t.op === 'unreachable') return { kind: 'trap', targets: [] }
    const none = undefined as unknown as Block
    return { kind: 'branch', condition: this.condition(t.cond), targets: [none, none] }
  }

  private stateAddress(i: Instr): Address {
    const name = String(i.attrs.object)
    const place = this.target.objects.get(name)
    if (!place) throw new Error(`there is no object ${name}`)
    const offset = Number(i.attrs.offset)
    const at = this.operand(i.args[0])
    if (!isValue(at)) {
      const fixed = Number(at) + offset
      const inside = fixed + Number(i.attrs.width) <= place.size
      return { map: place.map, at: place.offset + (inside ? fixed : 0) }
    }
    const key = stateKey(i)
    const known = this.pointers.find(key, this.here)
    if (known) return { pointer: known.value, off: offset + known.ahead }
    const end = this.stateEnds.get(key)!
    return { pointer: this.makePointer(key, i.args[0], at, place, end), off: offset }
  }

  private makePointer(key: string, base: Instr, at: Value, place: ObjectPlace, end: number): Value {
    const bound = this.bounds.verified.get(base) ?? 0xffffffffffffffffn
    const dst = this.fresh()
    this.step(pointerStep(dst, at, place, end, bound + BigInt(end) <= BigInt(place.size)))
    this.pointers.add(key, { block: this.here, value: dst, ahead: 0 })
    return dst
  }

  private packetPointer(base: Instr | undefined): Value {
    if (!base) return this.data!
    const at = this.operand(base)
    if (!isValue(at)) throw new Error('a constant offset is no base')
    const key = `packet ${base.id}`
    const known = this.pointers.get(key, this.here)
    if (known) return known
    const end = this.packetEnds.get(base) ?? 0
    const limit = packetLimit - Math.min(end, packetLimit)
    const bound = this.bounds.verified.get(base) ?? 0xffffffffffffffffn
    const dst = this.fresh(base)
    const isSmall = bound <= BigInt(limit)
    const [start, more] = (isSmall ? this.partsOf(base) : undefined) ?? [this.data!, at]
    this.step(packetPointer(dst, start, more, isSmall ? undefined : limit))
    this.pointers.add(key, { block: this.here, value: dst, ahead: 0 })
    return dst
  }

  /** An offset's sum with one of its operands as a pointer that is there already. */
  private partsOf({ op, args }: Instr): [Value, Value] | undefined {
    if (op !== 'add') return undefined
    for (const [a, b] of [args, args.toReversed()]) {
      const known = this.pointers.get(`packet ${a.id}`, this.here)
      const more = this.values.get(b)
      if (known && more !== undefined && isValue(more)) return [known, more]
    }
    return undefined
  }

  /** Pointer and offset of a packet access, and data_end if nothing has proved it. */
  private packetPlace(i: Instr): { pointer: Value; off: number; end?: Value } | undefined {
    const width = Number(i.attrs.width)
    const place = placeOf(i.args[1], this.real)
    const off = place.offset + Number(i.attrs.offset)
    if (off + width > 0x7fff) return undefined
    const pointer = this.packetPointer(place.base)
    if (this.proofs.knows(this.here, place.base, off + width)) return { pointer, off }
    if (i.attrs.checked === true) return { pointer, off, end: this.dataEnd! }
    const base = place.base
    const end = this.proofs.reach({ block: this.here, access: i, place: { base, offset: off + width } })
    this.step(proof(pointer, end, this.dataEnd!))
    this.proofs.learn(this.here, { base, offset: end })
    return { pointer, off }
  }

  private packetLoad(i: Instr): void {
    const at = this.packetPlace(i)
    if (!at) return void this.values.set(i, 0n)
    const dst = this.fresh(i)
    this.values.set(i, dst)
    this.step(packetLoad(dst, at.pointer, at.off, Number(i.attrs.width), at.end))
  }

  private packetStore(i: Instr): void {
    const at = this.packetPlace(i)
    if (!at) return
    this.step(packetStore(at.pointer, at.off, Number(i.attrs.width), this.operand(i.args[2]), at.end))
  }
}
