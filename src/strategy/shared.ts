// One state for all workers, packets sprayed round-robin, others kept out by as much as the program needs (paper §4.1).
//
// In a checking run each packet leaves evidence of when it happened: a commit number drawn while others are kept out, or
// what its addition found. verify compares the outcome with the serial run in the order that follows, which is what
// linearizable means here. Which forms are safe for a program, analysis/sharing.ts says.

import type { Loops, SharedLoop, SharingForm, Strategy } from './strategy.js'

/** Every form, the least first. */
export const sharingForms: readonly SharingForm[] = ['none', 'atomics', 'key-lock', 'program-lock']

/** Every form in words. */
export const sharingText: Readonly<Record<SharingForm, string>> = {
  none: 'nothing to keep apart',
  atomics: 'atomic additions',
  'key-lock': 'one lock for each key',
  'program-lock': 'one lock for the program',
}

const orders: Readonly<Record<SharingForm, string>> = {
  none: 'in any order',
  atomics: 'in an order that respects time and in which additions to a number find what they found',
  'key-lock': 'in the order of the commit numbers',
  'program-lock': 'in the order of the commit numbers',
}

const sharedBy = (form: SharingForm): Strategy => ({
  name: 'shared',
  ways: ['shared'],
  sharing: form,
  contract: `linearizable: equal to the serial run ${orders[form]}`,
  state: 'one',
  prepare() {},
  work({ loops, contexts, lock }, worker, slab, count, seq) {
    const run = (loops as Loops & Record<string, SharedLoop>)[`shared:${form}`]
    run(contexts[worker], slab.descriptors, count, seq, slab.commits, lock, slab.stamps)
  },
})

/** The strategy in each form. */
export const sharedForms: Readonly<Record<SharingForm, Strategy>> = {
  none: sharedBy('none'),
  atomics: sharedBy('atomics'),
  'key-lock': sharedBy('key-lock'),
  'program-lock': sharedBy('program-lock'),
}

/** In the form that every program can run in. */
export const shared = sharedForms['program-lock']
