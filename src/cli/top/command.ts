// hairpin top: what our programs in the kernel do, live. README.md beside this file is the help.

import { setTimeout } from 'node:timers/promises'
import { runningRuns } from '../../engine/running.js'
import { enableStatistics } from '../../sys/info.js'
import { namespaceId } from '../../sys/namespace.js'
import { UsageError } from '../command.js'
import type { Command, Io } from '../command.js'
import { chosen } from '../chosen.js'
import { exit } from '../exit.js'
import { integer, isSet, text } from '../flags.js'
import { withKernel } from '../kernel.js'
import { Screen } from '../screen.js'
import { sampleJson } from './json.js'
import { pageOf } from './page.js'
import { Sampler } from './sample.js'
import type { Sample } from './sample.js'

interface Options {
  /** Seconds between two looks. */
  readonly interval: number
  /** Looks after which it ends. */
  readonly count: number
  readonly time: boolean
}

export const command: Command = {
  name: 'top',
  flags: {
    interval: { type: 'string', short: 'i' },
    count: { type: 'string', short: 'n' },
    time: { type: 'boolean', short: 't' },
    json: { type: 'boolean' },
  },
  async run(flags, io) {
    const options: Options = {
      interval: intervalOf(text(flags, 'interval')),
      count: integer(flags, 'count', { least: 1, most: 1_000_000_000 }) ?? Infinity,
      time: isSet(flags, 'time'),
    }
    const sampler = withKernel(() => {
      // A name that means no program is a mistake, not an empty screen.
      const runs = runningRuns()
      for (const name of flags.positionals) chosen(name, runs)
      return new Sampler(flags.positionals)
    })
    const statistics = options.time ? withKernel(enableStatistics) : undefined
    try {
      const plain = isSet(flags, 'json') || process.stdout.isTTY !== true || process.env.TERM === 'dumb'
      return await (plain
        ? lines(sampler, options, isSet(flags, 'json'), io)
        : screen(sampler, options, io.colour))
    } finally {
      statistics?.close()
      sampler.close()
    }
  },
}

function intervalOf(given = '1'): number {
  const seconds = Number(given)
  if (/^\d+(\.\d+)?$/.test(given) && seconds >= 0.1 && seconds <= 3600) return seconds
  throw new UsageError(`--interval takes seconds from 0.1 to 3600, not ${given}`)
}

/** One page or one JSON object for each look, for pipes. */
async function lines(sampler: Sampler, options: Options, json: boolean, io: Io): Promise<number> {
  const stop = new AbortController()
  const interrupted = (): void => stop.abort()
  process.once('SIGINT', interrupted)
  process.once('SIGTERM', interrupted)
  let before: Sample | undefined
  try {
    // The first look has no rates: for people it only begins the first interval.
    const first = json || options.count === 1 ? 0 : 1
    for (let n = 0; n < options.count + first && !stop.signal.aborted; n++) {
      if (n > 0)
        await setTimeout(1000 * options.interval, undefined, { signal: stop.signal }).catch(() => undefined)
      if (stop.signal.aborted) break
      const now = withKernel(() => sampler.look())
      if (json) io.out(`${JSON.stringify(sampleJson(now, before, options.time))}\n`)
      else if (n >= first)
        io.out(`${pageOf(now, before, { ...pageOptions(options), columns: 100 }).join('\n')}\n\n`)
      before = now
    }
  } finally {
    process.removeListener('SIGINT', interrupted)
    process.removeListener('SIGTERM', interrupted)
  }
  return stop.signal.aborted ? exit.interrupted : exit.ok
}

const pageOptions = ({ interval, time }: Options, keys = '', colour = false) => ({
  interval,
  time,
  keys,
  colour,
  namespace: namespaceId(),
  clock: new Date().toTimeString().slice(0, 8),
})

/** A screen that is drawn again at every look. */
function screen(sampler: Sampler, options: Options, colour: boolean): Promise<number> {
  let before: Sample | undefined
  let now: Sample | undefined
  let looks = 0
  let paused = false
  return new Promise((resolve, reject) => {
    const page = (columns: number, keys = ''): string[] =>
      pageOf(now!, before, { ...pageOptions(options, keys, colour), columns })
    const draw = (): void => {
      if (now) terminal.draw(page(terminal.columns, paused ? 'paused; q quits' : 'space pauses, q quits'))
    }
    const end = (settle: () => void): void => {
      clearInterval(timer)
      terminal.close()
      settle()
    }
    const finish = (code: number): void =>
      end(() => {
        // What was seen last stays on the terminal.
        if (now) process.stdout.write(`${page(terminal.columns).join('\n')}\n`)
        resolve(code)
      })
    const look = (): void => {
      if (paused) return
      try {
        const next = withKernel(() => sampler.look())
        before = now
        now = next
        draw()
      } catch (error) {
        end(() => reject(error as Error))
        return
      }
      if (++looks > options.count) finish(exit.ok)
    }
    const terminal = new Screen(process.stdout, process.stdin, {
      quit: interrupted => finish(interrupted ? exit.interrupted : exit.ok),
      redraw: draw,
      key: key => {
        if (key !== ' ') return
        paused = !paused
        draw()
      },
    })
    const timer = setInterval(look, 1000 * options.interval)
    terminal.open()
    look()
  })
}
