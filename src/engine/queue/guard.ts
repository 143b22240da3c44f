// A second process that puts an interface back if this one dies without doing so: settings of a card, unlike programs and
// sockets, outlive whoever made them.
//
// It reads steps from its standard input, one JSON line each time they change, and does nothing until that ends. A line
// `[]` means that there is nothing to put back. It ignores the terminal's signals, and is in the namespace of the device.

import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
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

/** Milliseconds after which the kernel has taken off what a process that is gone had attached. */
const programGone = 500

/** The other process. */
async function guard(): Promise<void> {
  let steps: readonly Undo[] = []
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})
  for await (const line of createInterface({ input: process.stdin })) steps = JSON.parse(line) as Undo[]
  const back = (step: Undo): void => {
    try {
      undo(step)
    } catch {
      // The interface has gone, or somebody was faster.
    }
  }
  steps.forEach(back)
  // The program of who was killed may go later than this, and a card that is set up anew then may not have its table.
  await pause(programGone)
  steps.filter(step => step.kind === 'indirection').forEach(back)
}

if (process.argv[2] === 'guard' && process.argv[1] === fileURLToPath(import.meta.url)) void guard()
