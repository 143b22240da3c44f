/** What kernel tests ask before they run: whether this process may use BPF and make labs, and which features exist. */

import { spawnSync } from 'node:child_process'
import { up } from '../../src/lab/lab.js'
import { openXdpSocket } from '../../src/sys/af-xdp.js'
import { SystemError, Unsupported } from '../../src/sys/failure.js'
import { describeFeature, hasFeature } from '../../src/sys/features.js'
import type { Feature } from '../../src/sys/features.js'
import { programIds } from '../../src/sys/info.js'
import { exit, instructionBytes, moveImmediate } from '../../src/sys/instruction.js'
import { loadProgram } from '../../src/sys/program.js'
import { kernelSkip, requires } from '../requires.js'
import type { Probe } from '../requires.js'

/** Runs an attempt: a refusal for want of privilege is `forbidden`, any other `absent`. */
function probe(attempt: () => boolean): Probe {
  try {
    return attempt() ? 'present' : 'absent'
  } catch (error) {
    if (error instanceof SystemError) return error.code === 'EPERM' ? 'forbidden' : 'absent'
    if (error instanceof Unsupported) return /root|capability/.test(error.since) ? 'forbidden' : 'absent'
    throw error
  }
}

/** The reason to skip a test that loads maps and programs, and looks at those of others; false if it can run. */
export const withoutBpf = requires('BPF', '4.18', () =>
  probe(() => {
    const instructions = instructionBytes([moveImmediate(0, 1), exit])
    loadProgram({ type: 'xdp', name: 'probe', instructions, licence: 'GPL' }).close()
    return [...programIds()].length >= 0
  }),
)

/** The reason to skip a test that makes a lab and runs BPF programs in it. */
export const withoutLab =
  withoutBpf ||
  (spawnSync('ip', ['-V']).status === 0
    ? requires('network namespaces and veth', '4.18', () => probe(tryLab))
    : `${kernelSkip}labs need the command ip (iproute2)`)

function tryLab(): boolean {
  const ends = [
    { namespace: 'probe', device: 'a' },
    { namespace: 'probe', device: 'b' },
  ] as const
  up({ namespaces: { probe: {} }, pairs: [{ ends }] }).down()
  return true
}

/** The reason to skip a test that makes a lab and needs a feature besides. */
export function without(feature: Feature): string | false {
  const { text, since } = describeFeature(feature)
  return withoutLab || requires(text, since, () => probe(() => hasFeature(feature)))
}

/** The reason to skip a test of AF_XDP in a lab, by live frames. */
export const withoutAfXdp =
  without('liveFrames') ||
  requires('AF_XDP', '4.18', () =>
    probe(() => {
      openXdpSocket().close()
      return true
    }),
  )
