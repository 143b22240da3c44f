// hairpin run --iface as a child in a lab, whose JSON is read while it runs and held against its schema.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Lab } from '../../src/lab/lab.js'
import { main } from '../cli/hairpin.js'
import { problemsOf } from '../schema.js'
import { root } from '../../tools/sources.js'

const schema = JSON.parse(readFileSync(join(root, 'docs/schema/run-live.json'), 'utf8')) as object

export interface Event {
  readonly event: string
  readonly received: number
  readonly sequenced: number
  readonly unaccounted: number
  readonly funnel?: number
  readonly steered?: number
  readonly sources?: string
  readonly history?: string
  readonly headerBytes?: number
  readonly message?: string
  readonly recordLost?: number
  readonly verdicts: Readonly<Record<string, number>>
  readonly state?: unknown
  readonly recovery?: {
    readonly detected: number
    readonly recovered: number
    readonly lostEverywhere: number
    readonly unrecoverable: number
  }
  readonly rebalancing?: {
    readonly epochs: number
    readonly wishes: number
    readonly migrations: number
    readonly promotions?: number
    readonly demotions?: number
    readonly spread?: number
  }
  readonly drops: Readonly<Record<string, number>>
  readonly workers: readonly { readonly packets: number; readonly last: number; readonly gaps: number }[]
}

/** Begins `hairpin run … --json` in a namespace; resolves when it has said that it started. */
export async function beginOn(lab: Lab, namespace: string, ...args: string[]) {
  const child = lab.start(namespace, [process.execPath, main, 'run', ...args, '--json'], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const events: Event[] = []
  let [text, errors] = ['', '']
  const closed = once(child, 'close')
  child.stderr!.setEncoding('utf8').on('data', (part: string) => (errors += part))
  const started = new Promise<void>((resolve, reject) => {
    child.stdout!.setEncoding('utf8').on('data', (part: string) => {
      text += part
      const lines = text.split('\n')
      text = lines.pop()!
      for (const line of lines) events.push(JSON.parse(line) as Event)
      if (events.length > 0) resolve()
    })
    child.once('close', () => reject(new Error(errors)))
  })
  await started
  return {
    child,
    events,
    errors: () => errors,
    async end(signal?: NodeJS.Signals): Promise<{ code: number | null; last: Event }> {
      if (signal) child.kill(signal)
      const [code] = (await closed) as [number | null]
      for (const event of events) assert.deepEqual(problemsOf(event, schema), [])
      return { code, last: events.at(-1)! }
    },
  }
}
