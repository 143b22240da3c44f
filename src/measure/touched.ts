/**
 * Which cache lines of its state a program touches, packet by packet: counted while the interpreter runs it, so it is the
 * same on every machine and under any load.
 *
 * The interpreter's tables follow the specified algorithm (docs/state.md) step by step; compiled code reads the same
 * lines, or fewer where it knows better. Lines of the packet itself are not counted.
 */

import type { StateMemory } from '../state/memory.js'
import { Serial } from '../engine/serial.js'
import type { SerialOptions } from '../engine/serial.js'
import type { PacketStore } from '../engine/packets.js'
import type { Program } from '../ir/types.js'
import type { StateObject } from '../state/declaration.js'

export const lineBytes = 64

export interface ObjectTouches {
  readonly name: string
  /** Lines a packet touches in the mean, its most, and of the mean those that it writes. */
  readonly lines: number
  readonly most: number
  readonly written: number
}

export interface Touches {
  readonly packets: number
  readonly objects: readonly ObjectTouches[]
  /** All objects together. */
  readonly lines: number
}

/** Runs the first `most` packets of a store. */
export function touchedLines(
  program: Program<StateObject>,
  options: Omit<SerialOptions, 'memory'>,
  store: PacketStore,
  most = 5000,
): Touches {
  const { objects, size } = options.stateLayout
  const buffer = new ArrayBuffer(size)
  const lines = { read: new Set<number>(), written: new Set<number>() }
  const serial = new Serial(program, { ...options, memory: watched(buffer, lines) })
  const packets = Math.min(most, store.count)
  const totals = objects.map(() => ({ lines: 0, most: 0, written: 0 }))
  for (let k = 0; k < packets; k++) {
    lines.read.clear()
    lines.written.clear()
    serial.process(store.packet(k))
    const all = new Set([...lines.read, ...lines.written])
    objects.forEach(({ offset, size: bytes }, i) => {
      const within = (line: number): boolean =>
        line * lineBytes >= offset && line * lineBytes < offset + bytes
      const touched = [...all].filter(within).length
      totals[i].lines += touched
      totals[i].written += [...lines.written].filter(within).length
      totals[i].most = Math.max(totals[i].most, touched)
    })
  }
  const mean = (sum: number): number => sum / Math.max(1, packets)
  const found = objects.map(({ name }, i) => ({
    name,
    lines: mean(totals[i].lines),
    most: totals[i].most,
    written: mean(totals[i].written),
  }))
  return { packets, objects: found, lines: found.reduce((sum, o) => sum + o.lines, 0) }
}

/** Views of a buffer that note which lines are read and written. */
function watched(
  buffer: ArrayBuffer,
  lines: { readonly read: Set<number>; readonly written: Set<number> },
): StateMemory {
  const note = (into: Set<number>, from: number, length: number): void => {
    for (let at = Math.floor(from / lineBytes); at * lineBytes < from + length; at++) into.add(at)
  }
  const width = (name: string): number => Number(/\d+$/.exec(name)?.[0] ?? 8) / 8
  const plainView = new DataView(buffer)
  const view = new Proxy(plainView, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target)
      if (typeof value !== 'function' || typeof name !== 'string') return value
      const into = name.startsWith('set') ? lines.written : lines.read
      return (at: number, ...rest: unknown[]): unknown => {
        note(into, at, width(name))
        return Reflect.apply(value, target, [at, ...rest])
      }
    },
  })
  const plain = new Uint8Array(buffer)
  const bytes = new Proxy(plain, {
    get(target, name) {
      if (typeof name === 'string' && /^\d+$/.test(name)) {
        note(lines.read, Number(name), 1)
        return target[Number(name)]
      }
      const value: unknown = Reflect.get(target, name, target)
      if (typeof value !== 'function') return value
      return (...args: unknown[]): unknown => {
        const [a, b, c] = args.map(Number)
        if (name === 'fill') note(lines.written, b || 0, (c || target.length) - (b || 0))
        else if (name === 'set') note(lines.written, b || 0, (args[0] as ArrayLike<number>).length)
        else if (name === 'slice' || name === 'subarray')
          note(lines.read, a || 0, (b || target.length) - (a || 0))
        else if (name === 'copyWithin') {
          note(lines.read, b, c - b)
          note(lines.written, a, c - b)
        }
        return Reflect.apply(value, target, args)
      }
    },
    set(target, name, value) {
      if (typeof name === 'string' && /^\d+$/.test(name)) note(lines.written, Number(name), 1)
      return Reflect.set(target, name, value, target)
    },
  })
  return { bytes, view }
}
