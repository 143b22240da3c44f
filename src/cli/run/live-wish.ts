// What was asked of a live run in the kernel, and what has begun.

import type { LoadOptions } from '../../engine/kernel/load.js'
import type { LiveRun } from '../../engine/live/figures.js'
import { defaultLiveEpoch } from '../../engine/live/bucket-control.js'
import { defaultQueueSize } from '../../engine/live/spray.js'
import { UsageError } from '../command.js'
import type { Flags } from '../command.js'
import { integer, text } from '../flags.js'
import { hint } from '../nearest.js'
import type { Expanded } from '../program.js'
import type { Started } from './live-report.js'

export const liveStrategies = ['single', 'shared', 'sharded', 'rebalanced', 'hybrid', 'replicated'] as const
export type LiveStrategy = (typeof liveStrategies)[number]

export interface Wish {
  readonly expanded: Expanded
  readonly strategy: LiveStrategy
  /** Interfaces, which are there. */
  readonly names: readonly string[]
  readonly cores: number
  readonly mode: 'native' | 'generic'
  /** The others; each kind of run reads what is its own. */
  readonly flags: Flags
  readonly common: Pick<LoadOptions, 'settings' | 'seed' | 'rows' | 'rules'>
}

export interface Begun {
  readonly run: LiveRun
  readonly started: Started
}

/** What there is to say of every run. */
export const startedAs = (run: LiveRun, wish: Wish) => ({
  program: wish.expanded.artifact.name,
  strategy: wish.strategy,
  interfaces: wish.names,
  mode: run.attachments[0].mode,
})

export const queueSizeOf = (flags: Flags): number =>
  integer(flags, 'queue', { least: 32, most: 16_384 }) ?? defaultQueueSize

export function modeOf(flags: Flags): 'native' | 'generic' {
  const given = text(flags, 'mode') ?? 'native'
  if (given === 'native' || given === 'generic') return given
  throw new UsageError(`--mode takes native or generic, not ${given}.${hint(given, ['native', 'generic'])}`)
}

/** Milliseconds between two looks at the load: `--epoch 100ms`. */
export function epochOf(flags: Flags): number {
  const given = text(flags, 'epoch')
  if (given === undefined) return defaultLiveEpoch
  const match = /^([1-9]\d{0,5})ms$/.exec(given)
  if (!match)
    throw new UsageError(`--epoch takes milliseconds on live packets, 1ms to 999999ms, not ${given}`)
  return Number(match[1])
}
