/**
 * Why a test is skipped where the kernel, or the right to use it, is missing.
 *
 *     test('attaches', { skip: requires('bpf_link for XDP', '5.9', probe) }, () => …)
 *
 * Such a skip cannot rot: it names a feature and the first kernel that has it, and on that kernel or a newer one a
 * missing feature is a failure of its own, not a skip. Where HAIRPIN_REQUIRE_KERNEL=1, every such skip fails
 * (tools/tests.ts).
 */

import { release } from 'node:os'
import { test } from 'node:test'

/** How the reason of such a skip begins. */
export const kernelSkip = 'kernel: '

/** What a probe found: the feature is there, it is not, or this process may not use it. */
export type Probe = 'present' | 'absent' | 'forbidden'

/** Where a test runs, as far as skips depend on it. */
export interface Machine {
  readonly platform: string
  /** As `uname -r` prints it. */
  readonly release: string
}

const here: Machine = { platform: process.platform, release: release() }

/**
 * The reason to skip a test that needs `feature`, which the kernel has since version `since` (`5.9`); false if it can
 * run. Declares a failing test if the kernel is new enough and still lacks the feature.
 */
export function requires(feature: string, since: string, probe: () => Probe): string | false {
  const found = judge(feature, since, probe, here)
  if (found === undefined || 'skip' in found) return found?.skip ?? false
  test(`the kernel has ${feature}`, () => {
    throw new Error(found.failure)
  })
  return `${kernelSkip}${feature} is missing`
}

/** What `requires` decides, without its effect: nothing, a reason to skip, or a failure. */
export function judge(
  feature: string,
  since: string,
  probe: () => Probe,
  machine: Machine,
): { readonly skip: string } | { readonly failure: string } | undefined {
  if (machine.platform !== 'linux')
    return { skip: `${kernelSkip}${feature} needs Linux ${since} or newer, this is ${machine.platform}` }
  const found = probe()
  if (found === 'present') return undefined
  if (found === 'forbidden') return { skip: `${kernelSkip}${feature} needs root` }
  if (olderThan(machine.release, since))
    return { skip: `${kernelSkip}${feature} needs Linux ${since}, found ${machine.release}` }
  return { failure: `Linux has ${feature} since ${since}, but ${machine.release} lacks it` }
}

/** Compares the first two numbers of kernel versions. */
function olderThan(found: string, wanted: string): boolean {
  const [major, minor] = found.split('.').map(part => Number.parseInt(part, 10))
  const [wantedMajor, wantedMinor = 0] = wanted.split('.').map(Number)
  return major !== wantedMajor ? major < wantedMajor : minor < wantedMinor
}
