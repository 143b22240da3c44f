// How much code the bundled programs become: the same on every machine, so a ceiling and no measurement. A change that
// makes code larger shows here; one that makes it smaller lowers the number.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Func } from '../src/ir/types.js'
import { bundledProgram, programNames } from './programs.js'

interface Ceiling {
  /** Bytes of the module with all loops. New ways of running add loops, so there is some room. */
  readonly module: number
  /** Bytes of the module for one worker. */
  readonly single: number
  /** Instructions of the functions when they go to a backend, constants and phis not counted. */
  readonly main: number
  readonly extract: number
  readonly advance: number
  readonly steer: number
}

const ceilings: Readonly<Record<string, Ceiling>> = {
  'busy-forwarder': { module: 8_500, single: 950, main: 36, extract: 14, advance: 14, steer: 0 },
  'connection-tracker': { module: 99_000, single: 13_050, main: 658, extract: 126, advance: 700, steer: 336 },
  'ddos-mitigator': { module: 21_500, single: 3_300, main: 102, extract: 25, advance: 74, steer: 111 },
  'dns-flood': { module: 23_500, single: 5_500, main: 148, extract: 61, advance: 90, steer: 110 },
  forwarder: { module: 9_500, single: 600, main: 15, extract: 0, advance: 0, steer: 336 },
  'heavy-hitter': { module: 31_000, single: 4_200, main: 161, extract: 62, advance: 113, steer: 336 },
  'key-value-cache': { module: 45_500, single: 7_950, main: 385, extract: 73, advance: 197, steer: 0 },
  'port-knocking': { module: 24_000, single: 3_900, main: 127, extract: 54, advance: 90, steer: 111 },
  'prefix-forwarder': { module: 24_000, single: 2_700, main: 261, extract: 0, advance: 0, steer: 336 },
  router: { module: 25_000, single: 3_100, main: 297, extract: 0, advance: 0, steer: 336 },
  'source-nat': { module: 59_000, single: 12_150, main: 702, extract: 54, advance: 368, steer: 0 },
  'token-bucket': { module: 30_500, single: 6_000, main: 175, extract: 64, advance: 138, steer: 336 },
}

const sizeOf = (func: Func | undefined): number =>
  func?.blocks.flatMap(b => b.instrs.filter(i => i.op !== 'const' && i.op !== 'phi')).length ?? 0

test('every program has a ceiling', () => {
  assert.deepEqual(Object.keys(ceilings).toSorted(), [...programNames])
})

for (const name of programNames)
  test(`${name}: code is below its ceilings`, () => {
    const { artifact, batch } = bundledProgram(name, { hybrid: false })
    const found: Ceiling = {
      module: artifact.wasm.length,
      single: bundledProgram(name, { ways: [] }).artifact.wasm.length,
      main: sizeOf(batch.main),
      extract: sizeOf(batch.slice?.extract),
      advance: sizeOf(batch.slice?.advance),
      steer: sizeOf(batch.steer),
    }
    for (const what of Object.keys(found) as (keyof Ceiling)[])
      assert.ok(found[what] <= ceilings[name][what], `${what}: ${found[what]} > ${ceilings[name][what]}`)
  })
