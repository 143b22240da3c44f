// The public entry of the package: what `import … from 'hairpin'` means for programs and for tools.

import type { Queue, QueueOptions } from './engine/queue/api.js'

export * from './lang/prelude.js'
export type * from './engine/queue/api.js'

/**
 * Opens one receive queue of an interface in user space, until it is closed or the process ends; all other queues, and
 * sending, stay with the kernel. Linux, root. docs/af-xdp.md has the rules. Rejects with the reason where it cannot be.
 */
export async function openQueue(device: string, queue: number, options?: QueueOptions): Promise<Queue> {
  const { openQueue: open } = await import('./engine/queue/open.js')
  return open(device, queue, options)
}

/** Version of this package; the same string as package.json's. */
export const version = '0.1.0'
