// Additions: to a counter of the CPU, and to a number of the state in one step that no other CPU can part (BPF's
// fetch-and-add; CPU level v3).
//
// The verifier wants to see that the number is aligned, which an offset from a table does not show: its low bits are
// cleared, though they are 0.

import type { Instr } from '../../ir/types.js'
import { alu64, atomic, fp, jgt, ldMapValue, ldx, mov64, r0, r1, stx } from './asm.js'
import { isValue, valuesIn } from './machine.js'
import type { Operand, Step, Value } from './machine.js'
import { noteAddition } from './section-map.js'
import type { ObjectPlace, Target } from './target.js'

/** Adds to a counter of this CPU, `off` bytes from `base`. */
export const countStep = (base: Value, off: number, amount: Operand): Step => ({
  uses: valuesIn([base, amount]),
  write(out) {
    const at = out.read(base, r1)
    // A spilled pointer and a spilled amount would want the same scratch register.
    const small = !isValue(amount) && amount <= 0x7fffffffn
    if (small) out.push(ldx.dw(r0, at, off), alu64.add.imm(r0, Number(amount)), stx.dw(at, off, r0))
    else {
      out.into(r0, amount)
      out.push(atomic.add('dw', at, off, r0))
    }
  },
})

/** Widths, in bytes, that the machine adds to in one step. */
export const addedWidths: readonly number[] = [4, 8]

/** dst = the number at `at` and the instruction's offset in an object, before `amount` was added to it. */
export function additionStep(
  dst: Value,
  object: ObjectPlace,
  at: Operand,
  amount: Operand,
  { attrs }: Instr,
  section: Target['section'],
): Step {
  const [width, offset] = [Number(attrs.width), Number(attrs.offset)]
  if (!addedWidths.includes(width)) throw new Error(`${width} bytes cannot be added to in one step`)
  const checking = section?.checking ?? false
  return {
    dst,
    uses: valuesIn([at, amount]),
    call: checking,
    kept: true,
    state: true,
    write(out) {
      const slots = checking ? out.area(3) : 0
      if (isValue(at)) {
        out.into(r1, at)
        out.push(alu64.and.imm(r1, -width), jgt.imm(r1, object.size - offset - width, out.trap))
        out.push(ldMapValue(r0, object.map, object.offset + offset), alu64.add.reg(r1, r0))
      } else out.push(ldMapValue(r1, object.map, object.offset + offset + Number(at)))
      out.into(r0, amount)
      if (checking) out.push(stx.dw(fp, slots, r1), stx.dw(fp, slots + 16, r0))
      out.push(atomic.fetchAdd(width === 8 ? 'dw' : 'w', r1, 0, r0))
      if (checking) {
        out.push(stx.dw(fp, slots + 8, r0))
        out.push(...noteAddition(slots, section!.cpus, out.trap), ldx.dw(r0, fp, slots + 8))
      }
      out.write(dst, r0, d => (d === r0 ? undefined : out.push(mov64.reg(d, r0))))
    },
  }
}
