/** Makes a failing case small: fewer packets, fewer statements, simpler expressions, as long as it fails alike. */

import { examine } from './case.js'
import type { Case, Failure } from './case.js'
import { sizeOf, smaller } from './tree.js'

export interface Minimised {
  readonly case: Case
  readonly failure: Failure
}

/** The smallest case found within `milliseconds` that fails in the same way. */
export async function minimise(given: Case, failure: Failure, milliseconds: number): Promise<Minimised> {
  const deadline = performance.now() + milliseconds
  let best: Minimised = { case: given, failure }
  const tryCase = async (candidate: Case): Promise<boolean> => {
    const { failure: found } = await examine(candidate)
    if (found?.kind !== failure.kind) return false
    best = { case: candidate, failure: found }
    return true
  }
  for (let again = true; again;) {
    again =
      (await fewerPackets(best.case, tryCase, deadline)) ||
      (await smallerProgram(best.case, tryCase, deadline))
    if (performance.now() > deadline) break
  }
  return best
}

type Try = (candidate: Case) => Promise<boolean>

async function fewerPackets(given: Case, tryCase: Try, deadline: number): Promise<boolean> {
  let { packets } = given
  let changed = false
  for (let size = packets.length >> 1; size >= 1; size >>= 1)
    for (let from = packets.length - size; from >= 0; from -= size) {
      if (performance.now() > deadline) return changed
      const fewer = [...packets.slice(0, from), ...packets.slice(from + size)]
      if (!(await tryCase({ ...given, packets: fewer }))) continue
      packets = fewer
      changed = true
    }
  return changed
}

async function smallerProgram(given: Case, tryCase: Try, deadline: number): Promise<boolean> {
  const size = sizeOf(given.program)
  for (const program of smaller(given.program)) {
    if (performance.now() > deadline) return false
    if (sizeOf(program) <= size && (await tryCase({ ...given, program }))) return true
  }
  return false
}
