// What the compiler finds out about the bundled programs: the size of their metadata against the paper's Table 1, how
// many workers that serves, how they can be sharded, what sharing their state takes.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { maxWorkers } from '../src/analysis/capacity.js'
import { analyseSharding } from '../src/analysis/sharding.js'
import { analyseSharing } from '../src/analysis/sharing.js'
import { shapesOf } from '../src/analysis/shapes.js'
import { isSlice, sliceState } from '../src/analysis/slice.js'
import { copyOf } from '../src/transform/expand/rewrite.js'
import { factsOf } from '../src/transform/expand/facts.js'
import { optimise } from '../src/transform/optimise.js'
import { bundledProgram, programNames } from './programs.js'

interface Expected {
  readonly bytes: number
  /** The paper's Table 1, in bytes, where it has the program, and the size of its frames. */
  readonly paper?: { readonly bytes: number; readonly frame: 192 | 256; readonly workers: number }
  /** `s d sp dp` for the fields, `=` in front if symmetric; empty if it cannot be sharded. */
  readonly sharding: string
  readonly sharing: string
}

const anything = 's d sp dp'
const expected: Readonly<Record<string, Expected>> = {
  'busy-forwarder': { bytes: 4, sharding: '', sharing: 'program-lock' },
  'connection-tracker': {
    bytes: 29,
    paper: { bytes: 30, frame: 256, workers: 7 },
    sharding: '= s d sp dp',
    sharing: 'key-lock',
  },
  'ddos-mitigator': {
    bytes: 4,
    paper: { bytes: 4, frame: 192, workers: 14 },
    sharding: 's',
    sharing: 'atomics',
  },
  'dns-flood': { bytes: 12, sharding: 's', sharing: 'key-lock' },
  forwarder: { bytes: 0, sharding: anything, sharing: 'none' },
  'heavy-hitter': {
    bytes: 15,
    paper: { bytes: 18, frame: 192, workers: 7 },
    sharding: anything,
    sharing: 'atomics',
  },
  'key-value-cache': { bytes: 49, sharding: '', sharing: 'key-lock' },
  'port-knocking': {
    bytes: 5,
    paper: { bytes: 8, frame: 192, workers: 14 },
    sharding: 's',
    sharing: 'key-lock',
  },
  'prefix-forwarder': { bytes: 0, sharding: anything, sharing: 'none' },
  router: { bytes: 0, sharding: anything, sharing: 'none' },
  'source-nat': { bytes: 11, sharding: '', sharing: 'program-lock' },
  'token-bucket': {
    bytes: 17,
    paper: { bytes: 18, frame: 192, workers: 7 },
    sharding: anything,
    sharing: 'key-lock',
  },
}

const short = { source: 's', destination: 'd', sourcePort: 'sp', destinationPort: 'dp' } as const

for (const name of programNames) {
  const want = expected[name]
  test(`metadata of ${name}`, () => {
    assert.ok(want, 'a new program needs a row here')
    const { program } = bundledProgram(name)
    const shapes = shapesOf(program.objects)
    const source = program.functions.find(f => f.name === 'main')!
    const main = copyOf(source)
    const facts = factsOf(program.objects)
    optimise(main, { facts })
    const slice = sliceState(main, { shapes, facts })
    if (!isSlice(slice)) throw new Error(slice.reason)
    const { item } = slice
    const fields = item.fields.map(f => `${f.name}: ${f.bits} bits, ${f.reason}`).join('\n')
    assert.equal(item.bytes, want.bytes, fields)
    assert.equal(item.headerBits, 1)
    for (const f of item.fields) assert.ok(f.name && f.reason && f.bits > 0, JSON.stringify(f))
    if (want.paper) {
      const over = item.bits - 8 * want.paper.bytes
      assert.ok(over <= 0, `${over} bits do not fit:\n${fields}`)
      assert.ok(maxWorkers(want.paper.frame, item.bytes) >= want.paper.workers)
    }
    const sharding = analyseSharding(source, shapes)
    const text = sharding.fields.map(f => short[f]).join(' ')
    assert.equal(sharding.symmetric ? `= ${text}` : text, want.sharding, sharding.reason)
    assert.equal(sharding.possible, text !== '')
    assert.equal(sharding.reason === undefined, sharding.possible)
    assert.equal(analyseSharing(main, shapes).kind, want.sharing)
  })
}
