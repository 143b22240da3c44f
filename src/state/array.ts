// Reference implementation of arrays and cells: elements one behind the other, total in their index.

import type { ArrayLayout } from './layout.js'
import { readField, writeField } from './field.js'
import type { FieldValue } from './field.js'
import type { StateMemory } from './memory.js'

/** Writes an array of zeros. */
export function clearArray(memory: StateMemory, base: number, layout: ArrayLayout): void {
  memory.bytes.fill(0, base, base + layout.size)
}

export class StateArray {
  readonly memory: StateMemory
  /** Of the object's first byte. */
  readonly base: number
  readonly layout: ArrayLayout

  constructor(memory: StateMemory, base: number, layout: ArrayLayout) {
    this.memory = memory
    this.base = base
    this.layout = layout
  }

  /** Offset of an element from the object's first byte, or -1 beyond the end. `index` is read as u32. */
  find(index: number): number {
    const i = index >>> 0
    return i < this.layout.length ? i * this.layout.stride : -1
  }

  /** Every field of an element, in declared order; undefined beyond the end, where a program reads zeros. */
  get(index: number): FieldValue[] | undefined {
    const at = this.find(index)
    if (at < 0) return undefined
    return this.layout.value.map(field => readField(this.memory, this.base + at, field, 'value'))
  }

  /** Stores every field of an element, in declared order; ignored beyond the end. */
  set(index: number, values: readonly FieldValue[]): void {
    const at = this.find(index)
    if (at < 0) return
    this.layout.value.forEach((field, i) =>
      writeField(this.memory, this.base + at, field, 'value', values[i]),
    )
  }
}
