import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openCapture } from '../src/device/capture.js'
import { capturesMissing, indexedCaptures } from '../src/device/development.js'
import { observe } from '../src/engine/observe.js'
import type { Observed } from '../src/engine/observe.js'
import { PacketStore, loadPackets } from '../src/engine/packets.js'
import { verify } from '../src/engine/verify.js'
import { diffStates } from '../src/state/diff.js'
import { stateMemory } from '../src/state/memory.js'
import { allStrategies, strategies } from '../src/strategy/strategies.js'
import type { Strategy } from '../src/strategy/strategy.js'
import { bundledProgram, programNames } from './programs.js'

/** Packets from the beginning of each capture that the interpreter gets to see too. */
const sampled = 40
const second = 1_000_000_000n
/** Longer gaps are shortened to this in the sample. */
const longestGap = 60n * second

interface Corpus {
  /** All packets of all captures, one capture after the other. */
  readonly all: PacketStore
  /**
   * The first few of each. Some captures span decades; here time passes more slowly, so that no table's clock wraps:
   * behind that, an entry that nothing has swept reads as fresh, and how much is swept depends on a shard's packets.
   */
  readonly sample: PacketStore
  /** The capture that packet n of `all` comes from. */
  readonly origin: (n: number) => string
}

function readCorpus(): Corpus {
  const all = new PacketStore('every development capture')
  const sample = new PacketStore('the beginning of every development capture')
  const ends: { readonly file: string; readonly end: number }[] = []
  let start = 0n
  let sampleTime = 0n
  for (const { path, file } of indexedCaptures()) {
    const store = loadPackets((memory, workspace) => openCapture(path, { memory, workspace }))
    let last = start
    sampleTime += second
    for (let n = 0; n < store.count; n++) {
      const { bytes, originalLength, timestamp, device } = store.packet(n)
      const gap = start + timestamp - last
      last += gap
      all.add(bytes, originalLength, last, device)
      if (n >= sampled) continue
      sampleTime += gap < longestGap ? gap : longestGap
      sample.add(bytes, originalLength, sampleTime, device)
    }
    start = last + second
    ends.push({ file, end: all.count })
  }
  return { all, sample, origin: n => ends.find(({ end }) => n < end)?.file ?? 'none' }
}

let read: Corpus | undefined
const corpus = (): Corpus => (read ??= readCorpus())

/** Every packet is accounted for, once. */
function conserved({ result }: Observed, count: number): void {
  assert.equal(result.received, count)
  assert.equal(
    result.verdicts.reduce((sum, { packets }) => sum + packets, 0),
    count,
  )
  assert.equal(result.verdicts[0].packets, 0, 'aborted')
}

function same(a: Observed, b: Observed, origin: Corpus['origin']): void {
  const differs = a.verdicts.findIndex((v, n) => v !== b.verdicts[n] || a.digests[n] !== b.digests[n])
  assert.equal(differs, -1, `packet ${differs} of the corpus, from ${origin(differs)}`)
  assert.deepEqual(a.result.counters, b.result.counters)
}

for (const name of programNames)
  test(`${name}: every packet of every capture, one worker and three`, { skip: capturesMissing }, async t => {
    const { artifact, rules } = bundledProgram(name)
    const { all, origin } = corpus()
    const run = async (strategy: Strategy, cores: number): Promise<Observed> => {
      const found = await observe(artifact, all, {
        strategy,
        cores,
        virtual: true,
        ...(rules && { rules }),
      })
      if ('error' in found) return assert.fail(found.error)
      conserved(found, all.count)
      return found
    }
    const alone = await run(strategies.single!, 1)
    if (!artifact.item) return t.skip(`${artifact.name} cannot be replicated`)
    const three = await run(strategies.replicated!, 3)
    same(alone, three, origin)
    const memory = stateMemory(alone.result.memory.buffer)
    const replicas = stateMemory(three.result.memory.buffer)
    for (const base of three.blocks) {
      const { equal, differences } = diffStates(
        { memory, base: alone.blocks[0] },
        { memory: replicas, base },
        artifact.stateLayout,
        3,
      )
      assert.ok(equal, JSON.stringify(differences))
    }
  })

for (const name of programNames)
  test(
    `${name}: the beginning of every capture, every strategy against the interpreter`,
    {
      skip: capturesMissing,
    },
    async () => {
      const { rules, ...subject } = bundledProgram(name)
      const { cases } = await verify(subject, corpus().sample, {
        strategies: allStrategies.filter(s => s.history !== 'value'),
        cores: [3],
        slabPackets: 1000,
        ...(rules && { rules }),
      })
      for (const { strategy, first } of cases) assert.equal(first, undefined, strategy)
    },
  )
