// The attached programs that a word on the command line means: an interface, a pin, a program's name or its number.

import { seenPrograms } from '../engine/kernel/attached.js'
import type { SeenProgram } from '../engine/kernel/attached.js'
import type { RunningRun } from '../engine/running.js'
import { Failure } from './command.js'
import { exit } from './exit.js'
import { hint } from './nearest.js'

/** Whether the word means this program. */
export const isCalled = ({ devices, pins, description, programId }: SeenProgram, word: string): boolean =>
  devices.some(d => d.name === word) ||
  pins.includes(word) ||
  description.name === word ||
  String(programId) === word

/** Whether the word means this run in user space: one of its interfaces, or its program. */
export const isRunCalled = ({ interfaces, program }: RunningRun, word: string): boolean =>
  interfaces.includes(word) || program === word

/**
 * Programs called so; without a word, all. A word that means none of them, and none of the runs, ends the command
 * with what there is.
 */
export function chosen(word: string | undefined, runs: readonly RunningRun[] = []): SeenProgram[] {
  const all = seenPrograms()
  if (word === undefined) return all
  const found = all.filter(p => isCalled(p, word))
  if (found.length > 0 || runs.some(r => isRunCalled(r, word))) return found
  const known = [
    ...new Set([
      ...all.flatMap(p => [...p.devices.map(d => d.name), ...p.pins, p.description.name]),
      ...runs.flatMap(r => [...r.interfaces, r.program]),
    ]),
  ]
  throw new Failure(
    `no program of hairpin is on or called ${word}; there is ${known.join(', ') || 'none'}.${hint(word, known)}`,
    exit.no,
  )
}

/** The one program called so; of several the command wants to know which. */
export function onlyOne(word: string): SeenProgram {
  const [first, ...others] = chosen(word)
  if (others.length === 0) return first
  const which = [first, ...others].map(p => `${p.programId}${p.devices.map(d => ` (${d.name})`).join('')}`)
  throw new Failure(
    `several programs are called ${word}: name one by its number: ${which.join(', ')}`,
    exit.usage,
  )
}

/** Where it is, for a heading. */
export const placeText = ({ devices, elsewhere }: SeenProgram): string =>
  [...devices.map(d => d.name), ...(elsewhere > 0 ? ['another namespace'] : [])].join(', ') || 'no interface'
