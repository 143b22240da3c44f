// Verdicts and counters of a program in the kernel, added up over CPUs.

import { verdictNames, verdictStride, verdictsMap } from '../../backend/ebpf/entry.js'
import { counterStride, mapNames } from '../../backend/ebpf/target.js'
import type { BpfMap } from '../../sys/map.js'

export interface Figures {
  readonly packets: bigint
  readonly verdicts: ReadonlyMap<string, bigint>
  readonly counters: ReadonlyMap<string, bigint>
}

/** As they are now. `counters` are the names in the program's order. */
export function figuresOf(
  maps: ReadonlyMap<string, BpfMap>,
  counters: readonly string[],
  cpus: number,
): Figures {
  const sums = (name: string, names: readonly string[], stride: number): Map<string, bigint> => {
    const value = maps.get(name)?.lookup(new Uint8Array(new ArrayBuffer(4)))
    if (!value) return new Map(names.map(n => [n, 0n]))
    const view = new DataView(value.buffer, value.byteOffset, value.length)
    const sum = (k: number): bigint =>
      Array.from({ length: cpus }, (_, cpu) => view.getBigUint64(cpu * stride + 8 * k, true)).reduce(
        (a, b) => a + b,
        0n,
      )
    return new Map(names.map((n, k) => [n, sum(k)]))
  }
  const verdicts = sums(verdictsMap, verdictNames, verdictStride)
  return {
    packets: [...verdicts.values()].reduce((a, b) => a + b, 0n),
    verdicts,
    counters: sums(mapNames.counters, counters, counterStride(counters.length)),
  }
}
