/**
 * Every program in the kernel on every frame that a test run takes, of every Ethernet capture: `npm run corpus:kernel`.
 * Needs root and the development captures.
 *
 *     --program NAME  only this one
 *
 * Verdict, packet, state and counters are those of the interpreter. Exit status 1 where they are not. The router runs in a
 * namespace whose routes the interpreter has as rules.
 */

import { parseArgs } from 'node:util'
import { capturesMissing } from '../../src/device/development.js'
import { bundledProgram, programNames, trialNames } from '../programs.js'
import { agree } from './agree.js'
import { ethernetFrames } from './corpus.js'
import { withoutPrograms } from './machine.js'
import { withoutLab } from './probes.js'
import { amongRoutes, forwardable } from './routes.js'

const { values } = parseArgs({ options: { program: { type: 'string' } } })
const missing = capturesMissing || withoutPrograms || withoutLab
if (missing) throw new Error(missing)

const { store, captures, left, origin } = ethernetFrames()
console.log(`${store.count} frames of ${captures} Ethernet captures`)
for (const [reason, n] of left) console.log(`  left out: ${n} packets: ${reason}`)
for (const name of programNames.filter(n => values.program === undefined || n === values.program)) {
  const began = performance.now()
  const seconds = (): string => `${((performance.now() - began) / 1000).toFixed(1)} s`
  try {
    const program = bundledProgram(name)
    if (trialNames.includes(name)) agree(program, store, 1n)
    else amongRoutes(program, subject => agree(subject, forwardable(store), 1n))
    console.log(`${name}: equal (${seconds()})`)
  } catch (error) {
    const { message } = error as Error
    const packet = /of packet (\d+)/.exec(message)?.[1]
    console.log(
      `${name}: ${message.split('\n')[0]}${packet === undefined ? '' : ` (${origin(Number(packet))})`}`,
    )
    process.exitCode = 1
  }
}
