// The state at the end of a run, as text.

import type { Artifact } from '../../engine/artifact.js'
import type { Plan } from '../../engine/plan.js'
import type { RunResult } from '../../engine/run.js'
import { describe, dumpState, dumpToJson, mergeDumps } from '../../state/dump.js'
import type { Dump } from '../../state/dump.js'
import { stateMemory } from '../../state/memory.js'

/** The program's state: of the first replica, of all shards together, or of the one that is shared. */
export function finalState(artifact: Artifact, plan: Plan, result: RunResult): Dump[] {
  const memory = stateMemory(result.memory.buffer)
  const dumps = plan.map.state.map(at => dumpState(memory, at, artifact.stateLayout))
  return plan.strategy === 'sharded' ? mergeDumps(dumps) : dumps[0]
}

export function stateText(artifact: Artifact, plan: Plan, result: RunResult): string {
  const parts = finalState(artifact, plan, result).map(
    dump => `\n${describe(dump)}\n${JSON.stringify(dumpToJson(dump), null, 2)}`,
  )
  return `${parts.join('\n')}\n`
}
