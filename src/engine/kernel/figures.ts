// Verdicts and counters of a program in the kernel: by CPU, and added up over CPUs.

import { verdictNames, verdictStride, verdictsMap } from '../../backend/ebpf/entry.js'
import { counterStride, mapNames } from '../../backend/ebpf/target.js'

export interface Figures {
  readonly packets: bigint
  readonly verdicts: ReadonlyMap<string, bigint>
  readonly counters: ReadonlyMap<string, bigint>
  /** Packets by the number of the CPU that ran the program on them. */
  readonly byCpu: readonly bigint[]
}

/** As they are now. `value` gives a map's bytes by its name, `counters` are the names in the program's order. */
export function figuresOf(
  value: (map: string) => Uint8Array | undefined,
  counters: readonly string[],
  cpus: number,
): Figures {
  const byCpu = (name: string, columns: number, stride: number): bigint[][] => {
    const bytes = value(name)
    const view = bytes && new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    return Array.from({ length: cpus }, (_, cpu) =>
      Array.from({ length: columns }, (_, k) => view?.getBigUint64(cpu * stride + 8 * k, true) ?? 0n),
    )
  }
  const verdicts = byCpu(verdictsMap, verdictNames.length, verdictStride)
  const counted = byCpu(mapNames.counters, counters.length, counterStride(counters.length))
  const packets = verdicts.map(sum)
  return {
    packets: sum(packets),
    verdicts: columnSums(verdictNames, verdicts),
    counters: columnSums(counters, counted),
    byCpu: packets,
  }
}

/** Of workers that have figures of their own, at least one: added up, and packets by worker. */
export function figuresTogether(each: readonly Figures[]): Figures {
  const added = (of: (f: Figures) => ReadonlyMap<string, bigint>): Map<string, bigint> =>
    new Map([...of(each[0]).keys()].map(name => [name, sum(each.map(f => of(f).get(name)!))]))
  return {
    packets: sum(each.map(f => f.packets)),
    verdicts: added(f => f.verdicts),
    counters: added(f => f.counters),
    byCpu: each.map(f => f.packets),
  }
}

const sum = (numbers: readonly bigint[]): bigint => numbers.reduce((a, b) => a + b, 0n)

const columnSums = (names: readonly string[], rows: readonly (readonly bigint[])[]): Map<string, bigint> =>
  new Map(names.map((name, k) => [name, sum(rows.map(row => row[k]))]))
