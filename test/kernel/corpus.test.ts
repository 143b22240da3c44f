/** Every program in the kernel on the beginning of every Ethernet capture; `npm run corpus:kernel` takes all of it. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { capturesMissing } from '../../src/device/development.js'
import { bundledProgram, trialNames } from '../programs.js'
import { agree } from './agree.js'
import { ethernetFrames } from './corpus.js'
import type { Frames } from './corpus.js'
import { withoutPrograms } from './machine.js'

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
