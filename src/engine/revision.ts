// Rules and settings that change while packets flow, as events of the sequence: packets before one see the old values,
// packets from it on the new ones, at every worker and for every strategy.
//
// A revision ends the slab before it. When all workers have done that slab, and have been sent the history they lack, no
// packet and no item of the old time is under way; then the values are written in place, for all workers at once. So no
// replica can see a packet with one rule and another replica its item with the other. docs/decisions/0291 says why here.

import type { Artifact } from './artifact.js'
import type { Plan } from './plan.js'

export interface Revision {
  /** Packets received before it, from 0. */
  readonly after: number
  /** Settings that change, by name; the others keep their values. */
  readonly settings?: ReadonlyMap<string, bigint>
  /** The new rules block: all rule tables, as src/state lays them out. */
  readonly rules?: Uint8Array
}

/** What is wrong with revisions of a program's run, or undefined. They must be in order. */
export function checkRevisions(artifact: Artifact, revisions: readonly Revision[]): string | undefined {
  const known = new Set(artifact.settings.map(s => s.name))
  for (const [k, { after, settings, rules }] of revisions.entries()) {
    if (!Number.isSafeInteger(after) || after < 0)
      return `a change comes after a number of packets, not ${after}`
    if (k > 0 && after < revisions[k - 1].after) return 'changes must be in the order of their packets'
    for (const name of settings?.keys() ?? [])
      if (!known.has(name))
        return `${artifact.name} has no parameter ${name}; it has ${[...known].join(', ') || 'none'}`
    if (rules && artifact.rulesLayout.objects.length === 0) return `${artifact.name} has no rule tables`
  }
  return undefined
}

/** Carries the revisions of a run out. */
export class Reviser {
  /** Revisions that have taken place. */
  done = 0
  private readonly revisions: readonly Revision[]
  private readonly plan: Plan

  constructor(plan: Plan, revisions: readonly Revision[]) {
    this.plan = plan
    this.revisions = revisions
  }

  /** How many packets a slab may have after so many, so that none of them comes after the next revision. */
  room(received: number, capacity: number): number {
    const next = this.revisions[this.done]
    return next ? Math.min(capacity, next.after - received) : capacity
  }

  /** True if a revision comes after exactly so many packets. */
  due(received: number): boolean {
    return this.revisions[this.done]?.after === received
  }

  /** Writes the new values; no worker may be running, and no history of older packets be left to replay. */
  apply(memory: WebAssembly.Memory): void {
    const { settings, rules } = this.revisions[this.done++]
    const { map, settings: declared } = this.plan
    const view = new DataView(memory.buffer)
    for (const [k, { name }] of declared.entries()) {
      const value = settings?.get(name)
      if (value !== undefined) view.setBigUint64(map.settings + 8 * k, BigInt.asUintN(64, value), true)
    }
    if (rules) new Uint8Array(memory.buffer).set(rules, map.rules)
  }
}
