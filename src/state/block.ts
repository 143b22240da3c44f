// A whole state block: every replicated object of a program, wired up.
//
// Tables that release numbers find their pool here, and an empty pool its expiring tables. Read table.ts and pool.ts
// for what the objects do.

import { StateArray, clearArray } from './array.js'
import { nanosecondsIn } from './declaration.js'
import type { TimeUnit } from './declaration.js'
import type { StateLayout } from './layout.js'
import type { StateMemory } from './memory.js'
import { Pool, clearPool } from './pool.js'
import { Table, clearTable } from './table.js'

/** The 32-bit clock of a table at a packet's timestamp (ns since the run's start). */
export const clockAt = (timestamp: bigint, unit: TimeUnit): number =>
  Number(BigInt.asUintN(32, timestamp / BigInt(nanosecondsIn[unit])))

/** Writes a fresh state block at `base`: empty tables, zero arrays, full pools. `seed` is the hash's. */
export function clearBlock(memory: StateMemory, base: number, layout: StateLayout, seed: bigint): void {
  for (const object of layout.objects) {
    const at = base + object.offset
    if (object.kind === 'table') clearTable(memory, at, object, seed)
    else if (object.kind === 'array') clearArray(memory, at, object)
    else clearPool(memory, at, object)
  }
}

/** The objects of a state block, by name. Asking for one that is not there, or is of another kind, is our bug. */
export class StateBlock {
  readonly memory: StateMemory
  readonly base: number
  readonly layout: StateLayout
  private readonly objects = new Map<string, Table | StateArray | Pool>()

  constructor(memory: StateMemory, base: number, layout: StateLayout) {
    this.memory = memory
    this.base = base
    this.layout = layout
    for (const object of layout.objects) {
      const at = base + object.offset
      if (object.kind === 'array') this.objects.set(object.name, new StateArray(memory, at, object))
      else if (object.kind === 'pool') this.objects.set(object.name, new Pool(memory, at, object))
      else {
        const pool = object.release?.pool
        const release = pool === undefined ? undefined : (number: number) => this.pool(pool).give(number)
        this.objects.set(object.name, new Table(memory, at, object, release))
      }
    }
  }

  table(name: string): Table {
    return this.object(name, Table)
  }

  array(name: string): StateArray {
    return this.object(name, StateArray)
  }

  pool(name: string): Pool {
    return this.object(name, Pool)
  }

  /** Takes a number from a pool; an empty one first has its expiring tables swept at this packet's timestamp. */
  take(name: string, timestamp: bigint): number {
    const tables = this.pool(name).layout.releasedBy.map(other => this.table(other))
    return this.takeAt(
      name,
      tables.map(({ layout }) => clockAt(timestamp, layout.expire?.unit ?? 'ms')),
    )
  }

  /** The same with the clocks of the tables that release into the pool, in declared order. */
  takeAt(name: string, clocks: readonly number[]): number {
    const pool = this.pool(name)
    if (pool.available === 0) pool.layout.releasedBy.forEach((other, i) => this.table(other).sweep(clocks[i]))
    return pool.take()
  }

  private object<T>(name: string, type: new (...args: never[]) => T): T {
    const found = this.objects.get(name)
    if (!(found instanceof type)) throw new Error(`no ${type.name} named ${name} in this state block`)
    return found
  }
}
