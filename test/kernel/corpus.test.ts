/** Every program in the kernel on the beginning of every Ethernet capture; `npm run corpus:kernel` takes all of it. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { capturesMissing } from '../../src/device/development.js'
import type { PacketStore } from '../../src/engine/packets.js'
import { Serial } from '../../src/engine/serial.js'
import { bundledProgram, trialNames } from '../programs.js'
import { agree } from './agree.js'
import type { Subject } from './agree.js'
import { ethernetFrames } from './corpus.js'
import type { Frames } from './corpus.js'
import { withoutPrograms } from './machine.js'
import { withoutLab } from './probes.js'
import { amongRoutes, forwardable } from './routes.js'

/** Frames of each capture. */
const most = 4

let read: Frames | undefined
const frames = (): Frames => (read ??= ethernetFrames(most))

for (const name of trialNames)
  test(
    `${name}: the beginning of every Ethernet capture`,
    { skip: capturesMissing || withoutPrograms },
    () => {
      const { store, captures } = frames()
      assert.ok(captures > 400 && store.count > 1000, `${store.count} frames of ${captures} captures`)
      agree(bundledProgram(name), store, 1n)
    },
  )

test(
  'router: the same in a namespace with routes of every kind, which the interpreter has as rules',
  { skip: capturesMissing || withoutPrograms || withoutLab },
  () => {
    const store = forwardable(frames().store)
    amongRoutes(bundledProgram('router'), subject => {
      agree(subject, store, 1n)
      const outcomes = countersOf(subject, store)
      assert.ok(
        [...outcomes.values()].every(n => n > 0n),
        `every outcome is there: ${[...outcomes].map(String).join(' ')}`,
      )
    })
  },
)

/** What the interpreter counts. */
function countersOf(subject: Subject, store: PacketStore): ReadonlyMap<string, bigint> {
  const { stateLayout, rulesLayout } = subject.artifact
  const options = { stateLayout, rulesLayout, seed: 1n, ...(subject.rules && { rules: subject.rules }) }
  const serial = new Serial(subject.program, options)
  for (let k = 0; k < store.count; k++) serial.process(store.packet(k))
  return serial.counters
}
