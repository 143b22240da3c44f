// Waiting for frames that are under way, at the end of a run: in the kernel they take microseconds, or never come.

import { setTimeout } from 'node:timers/promises'

/** How long frames are waited for, in ms. */
const patience = 2000

/** Waits for a condition; false if it does not come true within two seconds. */
export async function until(done: () => boolean): Promise<boolean> {
  const end = performance.now() + patience
  while (!done()) {
    if (performance.now() > end) return false
    await setTimeout(1)
  }
  return true
}
