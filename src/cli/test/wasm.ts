// A run of the WebAssembly program for a test: every packet as it was left, the state at the end, and how long it took.

import { faultText } from '../../device/fault.js'
import { descriptor, descriptorBytes } from '../../device/slab.js'
import type { Artifact } from '../../engine/artifact.js'
import { WorkerFailure } from '../../engine/crew.js'
import type { Plan } from '../../engine/plan.js'
import { start } from '../../engine/run.js'
import type { Collect, Input, RunResult } from '../../engine/run.js'
import { Failure } from '../command.js'
import { exit } from '../exit.js'
import { strategyOf } from '../inputs.js'

/** Told of every packet, in order, numbered from 0; `bytes` are valid during the call. */
export type OnPacket = (index: number, verdict: number, bytes: Uint8Array) => void

/** Runs to the end of the source on one worker. */
export async function runWasm(
  artifact: Artifact,
  planned: Plan,
  rules: Uint8Array | undefined,
  open: Input['open'],
  onPacket?: OnPacket,
): Promise<RunResult> {
  const collect: Collect = (slab, count, firstSequence, { buffer }) => {
    const view = new DataView(buffer)
    for (let i = 0; i < count; i++) {
      const d = slab.descriptors + i * descriptorBytes
      const at = view.getUint32(d + descriptor.address, true)
      const bytes = new Uint8Array(buffer, at, view.getUint32(d + descriptor.length, true))
      onPacket!(Number(firstSequence) - 1 + i, view.getUint32(d + descriptor.verdict, true), bytes)
    }
  }
  const input: Input = { open, ...(onPacket && { collect }) }
  const result = await start(artifact, planned, strategyOf('single'), input, rules).catch(
    (error: unknown) => {
      throw error instanceof WorkerFailure ? new Failure(error.message, exit.failure) : error
    },
  )
  if (result.source.fault) throw new Failure(faultText(result.source.fault), exit.input)
  return result
}

/** Nanoseconds of a packet in compiled code. */
export const wasmTime = ({ workers, received }: RunResult): number =>
  (1e6 * workers[0].busyMilliseconds) / Math.max(received, 1)
