// Routes of the kernel: `bpf_fib_lookup` (Linux 4.18; the MTU it answers, 5.13) in place of a look-up in a rule table.
//
// A struct bpf_fib_lookup stands on the program's stack from the look-up to the last read of its answer, with the
// helper's result behind it. Offsets and numbers: include/uapi/linux/bpf.h. Read state/routes.ts first.

import type { Instr } from '../../ir/types.js'
import type { Fib } from '../../state/kernel-map.js'
import { routeOutcomes } from '../../state/routes.js'
import { alu64, be16, be32, be64, call, fp, jle, ldx, mov64, r0, r1, r2, r3, r4, st, stx } from './asm.js'
import { valuesIn } from './machine.js'
import type { Code, Operand, Out, Step, Value } from './machine.js'

/** Offsets in struct bpf_fib_lookup, and of what we keep behind it. */
const at = {
  family: 0,
  /** u16, host order: the packet's length, and the MTU in the answer. */
  length: 6,
  /** u32, host order: the ingress device, and the egress device in the answer. */
  device: 8,
  /** IPv4: the TOS byte. IPv6: the flow information, in network order. */
  service: 12,
  source: 16,
  destination: 32,
  sourceMac: 52,
  nextHopMac: 58,
  outcome: 64,
} as const
const structBytes = 64
/** Slots of the stack that an answer takes. */
const answerSlots = (structBytes + 8) / 8

/** Address families of Linux. */
const families = { 4: 2, 6: 10 } as const
/** Offset in struct xdp_md. */
const ingressDevice = 12
/** The largest outcome that has a number of its own. */
const lastOutcome = routeOutcomes.NoSource

/** The answers that a function asks for. */
export class Answers {
  private readonly fibs: readonly Fib[]
  /** First slot of each look-up's answer. */
  private readonly first = new Map<Instr, number>()
  private context?: Value

  constructor(fibs: readonly Fib[]) {
    this.fibs = fibs
  }

  /** Slots of the stack that all of them take. */
  get slots(): number {
    return answerSlots * this.first.size
  }

  /** The routes that an instruction asks. */
  fibOf({ op, attrs }: Instr): Fib | undefined {
    return op === 'rules.lookup' ? this.fibs.find(f => f.name === attrs.object) : undefined
  }

  /** Keeps the program's context, which is in r1 where it begins: the helper wants it. */
  hold(context: Value): Step {
    this.context = context
    const write = (out: Out): void => out.write(context, r0, d => out.push(mov64.reg(d, r1)))
    return { dst: context, uses: [], write }
  }

  ask(lookup: Instr, fib: Fib, operands: readonly Operand[]): Step {
    const first = this.slots
    this.first.set(lookup, first)
    return askStep(fib, this.context!, operands, first)
  }

  has(lookup: Instr): boolean {
    return this.first.has(lookup)
  }

  /** dst = a field of the answer to the first operand. */
  read(dst: Value, load: Instr): Step {
    return answerStep(dst, load, this.first.get(load.args[0])!)
  }
}

/** Asks. `operands`: leaves of destination and source, then length and DSCP; the answer begins at slot `first`. */
function askStep(fib: Fib, context: Value, operands: readonly Operand[], first: number): Step {
  const leaves = fib.family === 6 ? 2 : 1
  const addresses = { destination: operands.slice(0, leaves), source: operands.slice(leaves, 2 * leaves) }
  const [length, dscp] = operands.slice(2 * leaves)
  return {
    uses: valuesIn([context, ...operands]),
    call: true,
    kept: true,
    write(out) {
      const base = out.kept(first, answerSlots)
      for (let k = 0; k < structBytes; k += 8) out.push(st.dw(fp, base + k, 0))
      out.push(st.b(fp, base + at.family, families[fib.family]))
      out.into(r0, length)
      out.push(stx.h(fp, base + at.length, r0))
      for (const side of ['source', 'destination'] as const)
        addresses[side].forEach((leaf, k) => {
          out.into(r0, leaf)
          out.push(fib.family === 6 ? be64(r0) : be32(r0))
          out.push(
            fib.family === 6 ? stx.dw(fp, base + at[side] + 8 * k, r0) : stx.w(fp, base + at[side], r0),
          )
        })
      out.into(r0, dscp)
      if (fib.family === 6) out.push(alu64.lsh.imm(r0, 22), be32(r0), stx.w(fp, base + at.service, r0))
      else out.push(alu64.lsh.imm(r0, 2), stx.b(fp, base + at.service, r0))
      out.into(r1, context)
      out.push(ldx.w(r0, r1, ingressDevice), stx.w(fp, base + at.device, r0))
      out.push(mov64.reg(r2, fp), alu64.add.imm(r2, base), mov64.imm(r3, structBytes), mov64.imm(r4, 0))
      // A negative number is an error: unsigned, it is above all outcomes.
      const known = out.label()
      out.push(
        call('fib_lookup'),
        jle.imm(r0, lastOutcome, known),
        mov64.imm(r0, routeOutcomes.Failed),
        known,
      )
      out.push(stx.dw(fp, base + at.outcome, r0))
    },
  }
}

/** dst = a field of the answer at slot `first`. */
function answerStep(dst: Value, i: Instr, first: number): Step {
  return {
    dst,
    uses: [],
    write: out =>
      out.write(dst, r0, d => out.push(...fieldCode(String(i.attrs.field), d, out.kept(first, answerSlots)))),
  }
}

function fieldCode(field: string, d: number, from: number): Code {
  switch (field) {
    case 'outcome':
      return [ldx.dw(d, fp, from + at.outcome)]
    case 'device':
      return [ldx.w(d, fp, from + at.device)]
    case 'mtu':
      return [ldx.h(d, fp, from + at.length)]
    case 'source':
      // Four bytes and two: the verifier wants every access to the stack aligned.
      return macCode(d, from + at.sourceMac, 4)
    case 'nextHop':
      return macCode(d, from + at.nextHopMac, 2)
    default:
      throw new Error(`an answer has no field ${field}`)
  }
}

/** d = the six bytes at `from`, read as one number in network order; the first piece has so many. */
function macCode(d: number, from: number, piece: 2 | 4): Code {
  const first = piece === 4 ? [ldx.w(d, fp, from), be32(d)] : [ldx.h(d, fp, from), be16(d)]
  // r1 belongs to whoever writes an instruction.
  const rest = piece === 4 ? [ldx.h(r1, fp, from + 4), be16(r1)] : [ldx.w(r1, fp, from + 2), be32(r1)]
  return [...first, ...rest, alu64.lsh.imm(d, piece === 4 ? 16 : 32), alu64.or.reg(d, r1)]
}
