// Updates that an attached program's tables refuse, told once a look with the line of their declaration: a full table is
// silent otherwise, and the program's logic goes wrong.

import type { Occupancy } from '../../engine/kernel/reading.js'
import { lineOf } from '../check/state.js'
import { grouped } from '../grid.js'

export interface Warning {
  readonly table: string
  /** Updates refused, or numbers asked for in vain, since the last look. */
  readonly refused: number
  readonly count: number
  readonly capacity: number
  readonly file: string
  readonly line: number | undefined
  readonly text: string
}

const refusedBy = (o: Occupancy): number => (o.kind === 'pool' ? o.exhausted : o.failures)

export class Watch {
  readonly #file: string
  readonly #source: string
  readonly #before = new Map<string, number>()

  constructor(file: string, source: string) {
    this.#file = file
    this.#source = source
  }

  /** What was refused since the call before; at the first, since the program was loaded. */
  look(occupancies: readonly Occupancy[]): Warning[] {
    return occupancies.flatMap(o => {
      // The program counts in 32 bits.
      const refused = (refusedBy(o) - (this.#before.get(o.name) ?? 0)) >>> 0
      this.#before.set(o.name, refusedBy(o))
      if (refused === 0) return []
      const line = lineOf(o.name, this.#source)
      const { name: table, count, capacity } = o
      const place = `${this.#file}${line === undefined ? '' : `:${line}`}`
      const fill = `${grouped(count)} of ${grouped(capacity)}`
      const what =
        o.kind === 'pool'
          ? `pool ${table} has no number left (${fill} taken): ${grouped(refused)} were asked for in vain; widen its range`
          : count < capacity
            ? `table ${table} (${fill} entries) refused ${grouped(refused)} updates, because their keys crowd; give it a larger capacity`
            : `table ${table} is full (${fill} entries): ${grouped(refused)} updates are lost; give it a larger capacity, evict or expire`
      return [{ table, refused, count, capacity, file: this.#file, line, text: `${place}: warning: ${what}` }]
    })
  }
}
