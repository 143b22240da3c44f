// A packet's time: from the kernel's clocks, or from the packet's metadata. What the choices mean stands in target.ts.

import { alu64, call, ja, jge, jgt, jne, ldMapValue, ldx, mov64, r0, r1 } from './asm.js'
import type { Out, Step, Value } from './machine.js'
import { mapNames, runtime } from './target.js'
import type { Clock } from './target.js'

/** stamp = the first 8 bytes of the metadata; 0 if it is shorter. */
export function stampStep(stamp: Value, metadata: Value, data: Value): Step {
  return {
    dst: stamp,
    uses: [metadata, data],
    write(out) {
      const [absent, end] = [out.label(), out.label()]
      const from = out.read(metadata, r0)
      if (from !== r0) out.push(mov64.reg(r0, from))
      out.push(alu64.add.imm(r0, 8), jgt.reg(r0, out.read(data, r1), absent))
      out.write(stamp, r0, d => out.push(ldx.dw(d, out.read(metadata, r0), 0)))
      out.push(ja(end), absent)
      out.write(stamp, r0, d => out.push(mov64.imm(d, 0)))
      out.push(end)
    },
  }
}

/** r0 = nanoseconds since the run's start; r1 to r5 are lost. */
export function writeTime(out: Out, clock: Clock, stamp: Value | undefined): void {
  const stamped = out.label()
  if (stamp) {
    out.into(r0, stamp)
    out.push(jne.imm(r0, 0, stamped))
  }
  out.push(call(clock === 'coarse' ? 'ktime_get_coarse_ns' : 'ktime_get_ns'), stamped)
  out.push(ldMapValue(r1, mapNames.runtime, runtime.start), ldx.dw(r1, r1, 0))
  // A clock of ticks, or somebody else's stamp, can be behind the start.
  if (clock !== 'exact') {
    const begun = out.label()
    out.push(jge.reg(r0, r1, begun), mov64.reg(r0, r1), begun)
  }
  out.push(alu64.sub.reg(r0, r1))
}
