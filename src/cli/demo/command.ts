// hairpin demo: port knocking with State-Compute Replication on the bundled capture. README.md is the help.
//
// Everything it says is measured or compared when it says so; if the comparison fails, it says that instead.

import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Compiled } from '../../compile.js'
import { openCapture } from '../../device/capture.js'
import { verdictNumber } from '../../device/slab.js'
import { compiledWalkers } from '../../device/walker.js'
import { loadPackets, storeSource } from '../../engine/packets.js'
import type { PacketStore } from '../../engine/packets.js'
import { plan } from '../../engine/plan.js'
import { start } from '../../engine/run.js'
import type { Input, RunResult } from '../../engine/run.js'
import { verify } from '../../engine/verify.js'
import type { Verification } from '../../engine/verify.js'
import { dumpState } from '../../state/dump.js'
import { stateMemory } from '../../state/memory.js'
import { show } from '../../state/text.js'
import { replicated } from '../../strategy/replicated.js'
import { single } from '../../strategy/single.js'
import type { Strategy } from '../../strategy/strategy.js'
import { calledAs } from '../called.js'
import { Failure, UsageError } from '../command.js'
import type { Command } from '../command.js'
import { exit } from '../exit.js'
import { isSet } from '../flags.js'
import { compileProgram } from '../program.js'
import { demoPage } from './page.js'
import type { Demonstration } from './page.js'
import { replay } from './replay.js'

const root = new URL('../../../../', import.meta.url)
const workers = 2
/** Packets of one timed run; half a dozen of them are to take about half a second. */
const timedPackets = 400_000
const rounds = 2

export const command: Command = {
  name: 'demo',
  flags: { json: { type: 'boolean' } },
  async run(flags, io) {
    if (flags.positionals.length) throw new UsageError('demo takes no arguments')
    const file = shortPath('programs/port-knocking.ts')
    const path = shortPath('programs/demo/knocking.pcap')
    const compiled = await compileProgram(file, io)
    const store = loadPackets((memory, workspace) =>
      openCapture(path, { memory, workspace, walkers: compiledWalkers(memory) }),
    )
    if (store.fault) throw new Failure(`${path}: ${store.fault.reason}`, exit.input)
    const threads = availableParallelism() >= workers
    const verification = await verify(compiled, store, {
      strategies: [single, replicated],
      cores: [workers],
      threads,
    })
    const result = await runOnce(compiled, replicated, storeSource(store))
    const demonstration: Demonstration = {
      program: compiled.artifact.name,
      file,
      path,
      lines: readFileSync(file, 'utf8').split('\n').length - 1,
      packets: store.count,
      merged: mergedIn(store),
      itemBytes: compiled.artifact.item?.itemBytes ?? 0,
      workers,
      threads,
      ...verified(verification),
      verdicts: {
        drop: result.verdicts[verdictNumber.drop].packets,
        transmit: result.verdicts[verdictNumber.transmit].packets,
      },
      ...sourcesOf(compiled, result),
      timing: threads ? await timings(compiled, store) : undefined,
    }
    io.out(isSet(flags, 'json') ? `${JSON.stringify(demonstration)}\n` : demoPage(demonstration, calledAs()))
    return demonstration.identical ? exit.ok : exit.no
  },
}

/** A file of the package as one would type it here. */
function shortPath(path: string): string {
  const full = fileURLToPath(new URL(path, root))
  const short = relative(process.cwd(), full)
  return short.length < full.length ? short : full
}

/** Packets that were put between those of the real capture: they, and no others, have these Ethernet addresses. */
function mergedIn(store: PacketStore): number {
  const mark = Buffer.from('0200000000', 'hex')
  let merged = 0
  for (let i = 0; i < store.count; i++) if (mark.equals(store.packet(i).bytes.subarray(6, 11))) merged++
  return merged
}

function verified({ exact, cases }: Verification): Pick<Demonstration, 'identical' | 'problem'> {
  const bad = cases.find(c => c.skipped !== undefined || c.divergent > 0)
  const problem = bad && `${bad.strategy}: ${bad.skipped ?? bad.first?.what}`
  return { identical: exact && bad === undefined, problem }
}

async function runOnce(compiled: Compiled, strategy: Strategy, open: Input['open']): Promise<RunResult> {
  const { artifact } = compiled
  const cores = strategy === single ? 1 : workers
  const virtual = cores > availableParallelism()
  const planned = plan(artifact, { strategy, cores, virtual, slabDataBytes: 2 ** 22 })
  if ('error' in planned) throw new Failure(planned.error, exit.program)
  return start(artifact, planned, strategy, { open })
}

/** Addresses that are open at the end. */
function sourcesOf(compiled: Compiled, { memory }: RunResult): Pick<Demonstration, 'open'> {
  const { artifact } = compiled
  const planned = plan(artifact, { strategy: replicated, cores: workers, slabDataBytes: 2 ** 22 })
  if ('error' in planned) return { open: [] }
  const [knocks] = dumpState(stateMemory(memory.buffer), planned.map.state[0], artifact.stateLayout)
  if (knocks?.kind !== 'table') return { open: [] }
  const open = knocks.entries.filter(e => Number(e.value[0]) === 3)
  return { open: open.map(e => String(show(knocks.layout.key[0], e.key[0]))) }
}

/** Rates of one worker and of two replicas, in turn; of each the best of a few runs. */
async function timings(compiled: Compiled, store: PacketStore): Promise<Demonstration['timing']> {
  const laps = Math.ceil(timedPackets / store.count)
  const mpps = { single: 0, replicated: 0 }
  for (let round = 0; round < rounds; round++)
    for (const strategy of [single, replicated]) {
      const { received, seconds } = await runOnce(compiled, strategy, replay(store, laps))
      const name = strategy.name as keyof typeof mpps
      mpps[name] = Math.max(mpps[name], received / seconds / 1e6)
    }
  return { laps, packets: laps * store.count, mpps }
}
