// `--strategy auto`: a look at the program and at the capture's first packets, then the strategy that suits both.

import { availableParallelism } from 'node:os'
import { openCapture } from '../../device/capture.js'
import { compiledWalkers } from '../../device/walker.js'
import { estimate } from '../../engine/estimate.js'
import { loadPackets, readingMemory } from '../../engine/packets.js'
import type { PacketStore } from '../../engine/packets.js'
import { choose } from '../../strategy/auto.js'
import type { Choice, Estimate } from '../../strategy/auto.js'
import { UsageError } from '../command.js'
import type { Flags, Io } from '../command.js'
import { captureOf, optionsOf } from '../inputs.js'
import { compileProgram, loadArtifact } from '../program.js'
import { refusal } from '../refusal.js'
import { FlowTable, flowOf } from '../traffic/flows.js'

/** Packets that are looked at: enough for loops to be optimised and for elephants to show. */
const lookedAt = 50_000

export interface Chosen extends Choice {
  readonly estimates: readonly Estimate[]
}

export async function chooseStrategy(file: string, cores: number, flags: Flags, io: Io): Promise<Chosen> {
  const path = captureOf(flags)
  if (path === '-')
    throw new UsageError(
      '--strategy auto looks at the capture first, which standard input does not allow; name a strategy',
    )
  const artifact = await loadArtifact(file, io)
  const read = readCost(path)
  const store = loadPackets(
    (memory, workspace) => openCapture(path, { memory, workspace, walkers: compiledWalkers(memory) }),
    lookedAt,
  )
  const estimates = await estimate(artifact, store, cores, read, optionsOf(flags, artifact))
  const reasons = artifact.item && artifact.steering ? undefined : await compileProgram(file, io)
  const noReplication = reasons && refusal(reasons, 'replicated')
  const noSharding = reasons && refusal(reasons, 'sharded')
  const choice = choose({
    packets: store.count,
    topFlow: topFlow(store),
    cpus: availableParallelism(),
    estimates,
    ...(noReplication !== undefined && { noReplication: afterColon(noReplication) }),
    ...(noSharding !== undefined && { noSharding: afterColon(noSharding) }),
    ...(artifact.steering && {
      fields: Object.entries(artifact.steering)
        .filter(([name, used]) => used && name !== 'symmetric')
        .map(([name]) => name),
    }),
  })
  return { ...choice, estimates }
}

/** A refusal's reason without its `x cannot be …: `. */
const afterColon = (text: string): string => text.slice(text.indexOf(': ') + 2)

/** ns per packet for reading the capture from the page cache: the fastest of some passes. */
function readCost(path: string): number {
  let cost = Infinity
  for (let pass = 0; pass < 4; pass++) {
    const { memory, slab, workspace } = readingMemory()
    const source = openCapture(path, { memory, workspace, walkers: compiledWalkers(memory) })
    const began = performance.now()
    let count = 0
    for (let end = false; !end && count < lookedAt;) {
      const batch = source.read(slab)
      count += batch.count
      end = batch.end
    }
    cost = Math.min(cost, (1e6 * (performance.now() - began)) / Math.max(count, 1))
    source.close()
  }
  return cost
}

/** Share of the packets in the largest flow, both directions together. */
function topFlow(store: PacketStore): number {
  const flows = new FlowTable()
  for (let n = 0; n < store.count; n++) {
    const { bytes } = store.packet(n)
    const { flow } = flowOf(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length), 0, bytes.length)
    if (flow !== undefined) flows.add(flow, 0)
  }
  return store.count === 0 ? 0 : flows.packets.reduce((most, n) => Math.max(most, n), 0) / store.count
}
