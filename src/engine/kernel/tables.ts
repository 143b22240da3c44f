// Rule tables as maps of the kernel's own: made with the types of their keys and values, and filled.
//
// From then on anybody may change them while packets flow: another program of ours, bpftool, a C program that finds
// the map by its pin. Read state/kernel-map.ts first.

import { Btf } from '../../backend/ebpf/btf.js'
import { tableDefinition } from '../../backend/ebpf/maps.js'
import { targetMaps, targetVerdict } from '../../backend/ebpf/lookup.js'
import type { KernelMapKind, RulesDecl } from '../../state/declaration.js'
import { entryOf, kernelMapsOf } from '../../state/kernel-map.js'
import type { KernelMap } from '../../state/kernel-map.js'
import type { RuleRow } from '../../state/rules.js'
import { loadBtf } from '../../sys/btf.js'
import { createMap } from '../../sys/map.js'
import type { BpfMap, MapType } from '../../sys/map.js'

/** What the kernel calls the kinds. */
const types: Readonly<Record<KernelMapKind, MapType>> = {
  hash: 'hash',
  lpm: 'lpm_trie',
  devices: 'devmap',
  sockets: 'xskmap',
}

/**
 * The map, with these rules in it; one of sockets stays empty, because only who opens a socket can put it there. Throws
 * what `createMap` and `BpfMap.update` throw.
 */
export function createTable(table: KernelMap, rows: readonly RuleRow[] = []): BpfMap {
  const { kind, name, keySize, valueSize, capacity } = table
  const { flags, keyType, valueType } = tableDefinition(table)
  const type = types[kind]
  const btf = new Btf()
  const ids = { key: keyType(btf), value: valueType(btf) }
  // Maps of devices and sockets take no types.
  const typed = kind === 'hash' || kind === 'lpm' ? loadBtf(btf.bytes()) : undefined
  let map: BpfMap | undefined
  try {
    const of = typed && { btf: { fd: typed.fd, ...ids } }
    map = createMap({ type, name, keySize, valueSize, maxEntries: capacity, flags, ...of })
    for (const row of kind === 'sockets' ? [] : rows) {
      const { key, value } = entryOf(table, row)
      map.update(key, value)
    }
    return map
  } catch (error) {
    map?.close()
    throw error
  } finally {
    typed?.close()
  }
}

/** What user space calls a verdict that goes through a map (backend/ebpf/lookup.ts): the device there, or the other verdict. */
export function plainVerdict(
  verdict: number,
  rules: readonly RulesDecl[],
  maps: ReadonlyMap<string, BpfMap>,
): number {
  const field = (shift: number, bits: number): number => (verdict >>> shift) & (2 ** bits - 1)
  if (field(targetVerdict.flag, 1) === 0) return verdict
  const table = targetMaps(kernelMapsOf(rules))[field(targetVerdict.map, 5)]
  const index = new Uint8Array(Uint32Array.of(field(targetVerdict.index, 16)).buffer)
  const device = table?.kind === 'devices' ? maps.get(table.name)?.lookup(index) : undefined
  return device
    ? ((new DataView(device.buffer).getUint32(0, true) << 8) | 4) >>> 0
    : field(targetVerdict.missing, 2)
}
