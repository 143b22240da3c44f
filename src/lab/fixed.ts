// Programs of one verdict, for the ends of cables that get packets back.
//
// A veth takes what the program at its other end transmits only while it has an XDP program itself. These are attached
// to the device, not to a process, and go with it.

import { Unsupported } from '../sys/failure.js'
import { exit, instructionBytes, moveImmediate } from '../sys/instruction.js'
import { findInterface } from '../sys/interfaces.js'
import { loadProgram } from '../sys/program.js'
import { attachUntilGone } from '../sys/xdp.js'
import type { FixedVerdict } from './description.js'

const numbers: Readonly<Record<FixedVerdict, number>> = { drop: 1, pass: 2 }

/** Attaches one natively to a device of this namespace. */
export function attachFixed(device: string, verdict: FixedVerdict): void {
  const found = findInterface(device)
  if (found === undefined) throw new Unsupported(`a program on ${device}`, 'the device', 'none of that name')
  const program = loadProgram({
    type: 'xdp',
    name: `lab_${verdict}`,
    instructions: instructionBytes([moveImmediate(0, numbers[verdict]), exit]),
    licence: 'Apache-2.0',
  })
  try {
    attachUntilGone(program, found.index, 'native')
  } finally {
    program.close()
  }
}
