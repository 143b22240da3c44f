// A second process that puts an interface back if this one dies without doing so: settings of a card, unlike programs and
// sockets, outlive whoever made them.
//
// It reads steps from its standard input, one JSON line each time they change, and does nothing until that ends. A line
// `[]` means that there is nothing to put back. It ignores the terminal's signals, and is in the namespace of the device.

import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { undo } from './isolate.js'
import type { Undo } from './isolate.js'

export interface Guard {
  /** What to put back from now on, the last done first. */
  set(steps: readonly Undo[]): void
  /** Ends it without its doing anything. */
  release(): void
}

/** Starts it in the namespace of the calling thread. */
export function startGuard(): Guard {
  const child: ChildProcess = spawn(process.execPath, [fileURLToPath(import.meta.url), 'guard'], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  })
  child.on('error', () => {})
  child.stdin!.on('error', () => {})
  child.unref()
  ;(child.stdin as unknown as { unref?(): void }).unref?.()
  const set = (steps: readonly Undo[]): void => void child.stdin!.write(`${JSON.stringify(steps)}\n`)
  return {
    set,
    release() {
      set([])
      child.stdin!.end()
    },
  }
}

/** The other process. */
async function guard(): Promise<void> {
  let steps: readonly Undo[] = []
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})
  for await (const line of createInterface({ input: process.stdin })) steps = JSON.parse(line) as Undo[]
  for (const step of steps)
    try {
      undo(step)
    } catch {
      // The interface has gone, or somebody was faster.
    }
}

if (process.argv[2] === 'guard' && process.argv[1] === fileURLToPath(import.meta.url)) void guard()
