// The reference state as the interpreter sees it: StateAccess over a state block and a rules block in memory.
//
// This is the oracle's state: obviously right tables in the shared layout, so that its bytes compare with every
// backend's. Read ir/access.ts and block.ts first.

import type {
  ArrayAccess,
  PoolAccess,
  RawAccess,
  RulesAccess,
  StateAccess,
  TableAccess,
  Value,
} from '../ir/access.js'
import { leavesOf } from './declaration.js'
import type { StateBlock } from './block.js'
import { loadLeaf, packKey, storeLeaf } from './field.js'
import { objectIn } from './layout.js'
import type { FieldLayout, HashLayout } from './layout.js'
import type { StateMemory } from './memory.js'
import type { RulesBlock } from './rules.js'

/** Access to both blocks. */
export function interpretedState(block: StateBlock, rules: RulesBlock | undefined): StateAccess {
  return {
    table: name => tableAccess(block, name),
    array: name => arrayAccess(block, name),
    pool: (name): PoolAccess => ({
      take: clocks => block.takeAt(name, clocks),
      give: number => block.pool(name).give(number),
    }),
    rules: name => rulesAccess(rules!, name),
    raw: name => rawAccess(block, rules, name),
  }
}

function tableAccess(block: StateBlock, name: string): TableAccess {
  const table = block.table(name)
  const { layout, memory, base } = table
  const leaves = leafCount(layout)
  const clocks = (operands: readonly Value[]): [number, number] => {
    const now = layout.expire ? Number(operands[0]) : 0
    return [now, layout.evict === 'oldest' ? Number(operands[layout.expire ? 1 : 0]) : 0]
  }
  return {
    find: operands => table.find(keyOf(layout, operands), layout.expire ? Number(operands[leaves]) : 0),
    insert: operands => table.insert(keyOf(layout, operands), ...clocks(operands.slice(leaves))),
    remove: slot => table.remove(slot),
    touch: (slot, operands) => table.touch(slot, ...clocks(operands)),
    load: (slot, field, part) => loadPart(memory, base + slot, fieldIn(layout.value, field), part),
    store: (slot, field, part, value) =>
      storePart(memory, base + slot, fieldIn(layout.value, field), part, value),
  }
}

function arrayAccess(block: StateBlock, name: string): ArrayAccess {
  const { layout, memory, base } = block.array(name)
  const at = (index: number): number => base + index * layout.stride
  return {
    load: (index, field, part) =>
      index < layout.length ? loadPart(memory, at(index), fieldIn(layout.value, field), part) : 0,
    store(index, field, part, value) {
      if (index < layout.length) storePart(memory, at(index), fieldIn(layout.value, field), part, value)
    },
  }
}

function rulesAccess(rules: RulesBlock, name: string): RulesAccess {
  const layout = objectIn(rules.layout, name)
  const area =
    layout.kind === 'rules-hash' ? layout.keyAreaBytes : layout.key.reduce((n, f) => n + f.bytes, 0)
  const base = rules.base + layout.offset
  // What is asked besides the key concerns the kernel's routes only.
  const leaves = layout.key.reduce((n, f) => n + leavesOf(f).length, 0)
  return {
    lookup: key => rules.lookup(name, packKey(layout.key, area, key.slice(0, leaves).map(BigInt))),
    load: (entry, field, part) => loadPart(rules.memory, base + entry, fieldIn(layout.value, field), part),
  }
}

function rawAccess(block: StateBlock, rules: RulesBlock | undefined, name: string): RawAccess {
  const own = block.layout.objects.find(o => o.name === name)
  const base = own ? block.base + own.offset : rules!.base + objectIn(rules!.layout, name).offset
  const { view } = own ? block.memory : rules!.memory
  return {
    load(address, width) {
      const at = base + address
      if (width === 8) return view.getBigUint64(at, true)
      return width === 4
        ? view.getUint32(at, true)
        : width === 2
          ? view.getUint16(at, true)
          : view.getUint8(at)
    },
    store(address, width, value) {
      const at = base + address
      if (width === 8) view.setBigUint64(at, BigInt.asUintN(64, BigInt(value)), true)
      else if (width === 4) view.setUint32(at, Number(value) >>> 0, true)
      else if (width === 2) view.setUint16(at, Number(value) & 0xffff, true)
      else view.setUint8(at, Number(value) & 0xff)
    },
  }
}

const leafCount = (table: HashLayout): number => table.key.reduce((n, f) => n + leavesOf(f).length, 0)

const keyOf = (table: HashLayout, operands: readonly Value[]): Uint8Array =>
  packKey(table.key, table.keyAreaBytes, operands.slice(0, leafCount(table)).map(BigInt))

function fieldIn(fields: readonly FieldLayout[], name: string): FieldLayout {
  const found = fields.find(f => f.name === name)
  if (!found) throw new Error(`no field ${name}`)
  return found
}

function loadPart(memory: StateMemory, at: number, field: FieldLayout, part: number): Value {
  const leaf = leavesOf(field)[part]
  const value = loadLeaf(memory, at, field, leaf, 'value')
  return leaf.width === 8 ? value : Number(value)
}

function storePart(memory: StateMemory, at: number, field: FieldLayout, part: number, value: Value): void {
  storeLeaf(memory, at, field, leavesOf(field)[part], 'value', BigInt(value))
}
