/** What kernel tests ask before they run: whether this process may use BPF and make labs, and which features exist. */

import { spawnSync } from 'node:child_process'
import { SystemError, Unsupported } from '../../src/sys/failure.js'
import { createMap } from '../../src/sys/map.js'
import { requires } from '../requires.js'
import type { Probe } from '../requires.js'

/** Runs an attempt: a refusal for want of privilege is `forbidden`, any other `absent`. */
export function probe(attempt: () => void): Probe {
  try {
    attempt()
    return 'present'
  } catch (error) {
    if (error instanceof SystemError) return error.code === 'EPERM' ? 'forbidden' : 'absent'
    if (error instanceof Unsupported) return error.since === 'root' ? 'forbidden' : 'absent'
    throw error
  }
}

/** The reason to skip a test that loads maps and programs; false if it can run. */
export const withoutBpf = requires('BPF', '4.18', () =>
  probe(() => createMap({ type: 'array', name: 'probe', keySize: 4, valueSize: 4, maxEntries: 1 }).close()),
)

/** The reason to skip a test that makes a lab. */
export const withoutLab = requires('network namespaces and veth', '4.18', () => {
  if (process.geteuid?.() !== 0) return 'forbidden'
  return spawnSync('ip', ['-V']).status === 0 ? 'present' : 'absent'
})
