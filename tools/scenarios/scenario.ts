/** What a scenario is before it becomes files. */

import type { Frame } from './frames.js'

/** What shall become of a packet: a verdict, or redirect with the device's number. */
export type Expected = 'drop' | 'pass' | 'transmit' | `redirect ${number}`

/** Seconds since the first packet, the packet, what shall become of it, and why, in a few words. */
export type Step = readonly [seconds: number, frame: Frame, verdict: Expected, why?: string]

export interface Scenario {
  /** Name of the folder: program, then the case. */
  readonly name: string
  readonly program: string
  /** What the case shows, in a sentence. */
  readonly about: string
  readonly set?: Readonly<Record<string, number | string>>
  readonly table?: Readonly<Record<string, string>>
  /** Changes of the program's text, each of which must fit exactly once: sizes that are no parameters. */
  readonly edits?: readonly (readonly [from: string, to: string])[]
  readonly steps: readonly Step[]
  /** Counters that are not 0. */
  readonly counters: Readonly<Record<string, number>>
}
