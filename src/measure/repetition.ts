/**
 * The process that one repetition runs in: `repetitions.ts` starts it, sends tasks and collects what they gave.
 *
 * Compiled programs come as artifacts, traces by name, ways by the names of strategies; a trace is made once. V8 compiles
 * WebAssembly optimised at once here (--no-liftoff), so a round of warming up fills caches and nothing has to tier up.
 * A task's answer is one sample for each way: of the rounds that it took in turn, as scaling.ts makes one of them. The process ends when its parent
 * does.
 */

import { openCapture } from '../device/capture.js'
import { compiledWalkers } from '../device/walker.js'
import type { PacketStore } from '../engine/packets.js'
import { plan } from '../engine/plan.js'
import { start } from '../engine/run.js'
import { single } from '../strategy/single.js'
import { strategyWith } from '../strategy/strategies.js'
import type { Strategy } from '../strategy/strategy.js'
import { collectPieces, undisturbed } from './pieces.js'
import type { Doer } from './pieces.js'
import type { BenchmarkRecord } from './record.js'
import { leastSeconds, takeRounds } from './rounds.js'
import { measure, project } from './scaling.js'
import type { Subject, Way } from './scaling.js'
import { workClock } from './thread-clock.js'
import { standardTrace, traceStore } from './traces.js'
import type { TraceName } from './traces.js'

/** A standard trace, made with seed 1. */
export interface TraceKey {
  readonly name: TraceName
  readonly packets: number
}

/** A way as it travels between processes. */
export interface NamedWay extends Omit<Way, 'strategy'> {
  readonly strategy: Pick<Strategy, 'name' | 'history' | 'sharing' | 'recovery'>
}

export type Task = { readonly rounds: number; readonly subject: Subject } & (
  | { readonly kind: 'project' | 'measure'; readonly trace: TraceKey; readonly ways: readonly NamedWay[] }
  /** Captures, read from their files by one worker. */
  | { readonly kind: 'captures'; readonly paths: readonly string[] }
)

/** What a way gave in one process, by quantity, and each worker's busy share. */
export interface Repetition {
  readonly quantities: Readonly<Record<string, number>>
  readonly shares: readonly number[]
}

export type Answer =
  | {
      readonly ways: readonly Repetition[]
      /** Rounds that counted, and what others disturbed of them and before. */
      readonly rounds: number
      readonly disturbed: BenchmarkRecord['disturbed']
    }
  | { readonly error: string }

const stores = new Map<string, PacketStore>()

function storeOf({ name, packets }: TraceKey): PacketStore {
  const key = `${packets} ${name}`
  let store = stores.get(key)
  if (store === undefined) {
    store = traceStore(name, { seed: 1, ...standardTrace(name, packets) }, packets)
    // One at a time: a trace may take a hundred megabytes.
    stores.clear()
    stores.set(key, store)
  }
  return store
}

const wayOf = ({ strategy, ...way }: NamedWay): Way => ({
  ...way,
  strategy: strategyWith(strategy.name, strategy)!,
})

async function perform(task: Task): Promise<Answer> {
  const { subject, rounds } = task
  if (task.kind === 'captures') return captures(subject, task.paths, rounds)
  const [store, ways] = [storeOf(task.trace), task.ways.map(wayOf)]
  if (task.kind === 'measure') {
    const { mpps, ...rest } = await measure(subject, store, ways, rounds, leastSeconds, workClock())
    return { ...rest, ways: mpps.map(rate => ({ quantities: { mpps: rate }, shares: [] })) }
  }
  const found = await project(subject, store, ways, {
    rounds,
    clock: workClock(),
    warmup: 1,
    seconds: leastSeconds,
  })
  return {
    ...found,
    ways: found.ways.map(({ shares, ...quantities }) => ({ quantities, shares })),
  }
}

/** Nanoseconds a packet that reading and that the program take. */
async function captures(subject: Subject, paths: readonly string[], rounds: number): Promise<Answer> {
  const planned = plan(subject.artifact, { strategy: single, cores: 1, virtual: true, wholeSlabs: true })
  if ('error' in planned) throw new Error(planned.error)
  const clock = workClock()
  const held = new WebAssembly.Module(subject.artifact.wasm)
  const { samples, disturbed } = await takeRounds(
    paths.map(path => async () => {
      const open = (memory: WebAssembly.Memory, workspace: number) =>
        openCapture(path, { memory, workspace, walkers: compiledWalkers(memory) })
      const { worked, pieces } = collectPieces()
      const { received } = await start(subject.artifact, planned, single, { open, clock, worked })
      if (received === 0) throw new Error(`nothing could be read from ${path}`)
      return { received, pieces }
    }),
    { rounds, warmup: 1, repeats: rounds, seconds: leastSeconds },
  )
  if (WebAssembly.Module.exports(held).length === 0) throw new Error('a module without loops')
  return {
    ways: samples.map(list => {
      const per = (who: Doer): number =>
        (1e6 *
          undisturbed(
            list.map(s => s.pieces),
            who,
          )) /
        list[0].received
      return { quantities: { receive: per('reader'), compute: per(0) }, shares: [] }
    }),
    rounds: samples[0].length,
    disturbed,
  }
}

process.on('disconnect', () => process.exit())
// Ctrl-C on a terminal goes to all processes of a command; the first one decides.
process.on('SIGINT', () => {})
process.on('message', (task: Task) => {
  perform(task)
    .catch((error: unknown): Answer => ({ error: error instanceof Error ? error.message : String(error) }))
    .then(answer => process.send?.(answer))
})
