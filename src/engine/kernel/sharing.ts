// How CPUs that share one state are kept apart: the least that is safe for the program, in the forms that the kernel has.
//
// What the program allows is the analysis' affair (analysis/sharing.ts); here it is what only the kernel's forms ask
// for. Read backend/ebpf/section.ts and locked.ts first.

import { addedWidths } from '../../backend/ebpf/addition.js'
import { mayRepeat } from '../../backend/ebpf/section.js'
import { readsInput } from '../../ir/inputs.js'
import type { KernelForm } from './form.js'
import type { Loadable } from './load.js'

/** What CPUs that share one state are kept apart with, the least first. */
export const kernelSharings = ['none', 'atomics', 'key-lock', 'program-lock'] as const
export type KernelSharing = (typeof kernelSharings)[number]

/** Forms in which packets of several CPUs are in the state at once. */
export const isSection = (sharing: KernelSharing): sharing is 'atomics' | 'key-lock' =>
  sharing === 'atomics' || sharing === 'key-lock'

/** Why a form is not safe for the program in the kernel; undefined if it is. */
export function whyNotShared(
  { artifact, kernel }: Loadable,
  sharing: KernelSharing,
  { loops, cpu }: Pick<KernelForm, 'loops' | 'cpu'>,
): string | undefined {
  if (sharing === 'program-lock') return undefined
  if (!artifact.sharing.forms.includes(sharing)) return 'what it does to its state is not safe so'
  if (!isSection(sharing))
    return readsInput(kernel.main, 'sequence')
      ? 'it asks for packet numbers (random() and evict: oldest do too), which one lock gives out'
      : undefined
  const main = kernel.shared?.get(sharing)
  if (!main) return 'it was not compiled for it'
  if (loops === 'bounded' || cpu === 'v2') return 'waiting in the kernel needs Linux 6.9 (may_goto)'
  const adds = main.blocks.flatMap(b => b.instrs.filter(i => i.op === 'state.add'))
  if (adds.some(i => !addedWidths.includes(Number(i.attrs.width))))
    return 'the kernel adds to numbers of 4 and 8 bytes in one step, not to smaller ones'
  if (sharing === 'key-lock' && readsInput(main, 'timestamp') && !mayRepeat(main))
    return 'it changes or counts something before it comes to its key, so it cannot begin again with a later time'
  return undefined
}

/** The least that is safe. */
export const kernelSharing = (subject: Loadable, form: Pick<KernelForm, 'loops' | 'cpu'>): KernelSharing =>
  kernelSharings.find(s => whyNotShared(subject, s, form) === undefined)!
