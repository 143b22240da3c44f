// hairpin as a command inside the emulated machine: started, watched by its JSON, and ended.

import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'

export type Event = { readonly event: string } & Readonly<Record<string, unknown>>

/** Longest that anything takes here: emulated processors are slow. */
const patience = 90_000

export class Command {
  readonly child: ChildProcess
  readonly events: Event[] = []
  errors = ''
  readonly #closed: Promise<unknown[]>

  constructor(...args: string[]) {
    this.child = spawn(process.execPath, ['dist/src/cli/main.js', ...args, '--json'], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, HAIRPIN_CACHE: '/app/cache' },
    })
    let text = ''
    this.child.stdout!.setEncoding('utf8').on('data', (part: string) => {
      text += part
      const lines = text.split('\n')
      text = lines.pop()!
      for (const line of lines) this.events.push(JSON.parse(line) as Event)
    })
    this.child.stderr!.setEncoding('utf8').on('data', (part: string) => (this.errors += part))
    this.#closed = once(this.child, 'close')
  }

  /** Waits for an event. */
  async until(wanted: (event: Event) => boolean): Promise<Event> {
    for (const end = performance.now() + patience; performance.now() < end; await pause(50)) {
      const found = this.events.find(wanted)
      if (found) return found
      if (this.child.exitCode !== null) break
    }
    throw new Error(`it did not come; there was ${JSON.stringify(this.events.slice(-2))} ${this.errors}`)
  }

  /** Ends it; its exit code and last event. */
  async end(
    signal: NodeJS.Signals,
  ): Promise<{ readonly code: number | null; readonly last: Event | undefined }> {
    this.child.kill(signal)
    const [code] = (await this.#closed) as [number | null]
    return { code, last: this.events.at(-1) }
  }
}
