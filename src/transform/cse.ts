// Common subexpressions: an instruction whose value a dominating one already has is replaced by it. Reads of the packet
// count as equal if no store between them can touch their bytes, reads of state if they see the same version
// (analysis/versions.ts). What was just stored is not read back.

import { dominators } from '../analysis/dominators.js'
import { accessOf, sameBytes, settledVersion } from '../analysis/packet-versions.js'
import { Ranges } from '../analysis/ranges.js'
import { stateVersions } from '../analysis/versions.js'
import type { Version } from '../analysis/versions.js'
import { bitsOf, opInfo } from '../ir/ops.js'
import type { Block, Func, Instr, Type } from '../ir/types.js'
import { newConst, newInstr, replaceOperands, replaceUses } from './edit.js'
import { fieldBitsOf } from './pass.js'
import type { Facts } from './pass.js'

export function cse(func: Func, facts?: Facts): boolean {
  return new Numbering(func, facts).run()
}

class Numbering {
  private readonly func: Func
  private readonly facts: Facts | undefined
  private computedRanges: Ranges | undefined
  private readonly versions: ReadonlyMap<Instr, Version>
  private readonly replaced = new Map<Instr, Instr>()
  /** Known expressions; a block's own are removed when its subtree of the dominator tree is left. */
  private readonly known = new Map<string, Instr>()
  private changed = false

  constructor(func: Func, facts: Facts | undefined) {
    this.func = func
    this.facts = facts
    this.versions = stateVersions(func, facts?.expires ? { expires: o => facts.expires!(o) } : {})
  }

  /** Taken when the first store is met; they hold on while equal values are merged. */
  private get ranges(): Ranges {
    this.computedRanges ??= new Ranges(this.func, { bits: fieldBitsOf(this.facts) })
    return this.computedRanges
  }

  run(): boolean {
    const tree = dominators(this.func)
    const stack: { block: Block; undo?: string[] }[] = [{ block: this.func.blocks[0] }]
    while (stack.length) {
      const { block, undo } = stack.pop()!
      if (undo) {
        for (const key of undo) this.known.delete(key)
        continue
      }
      stack.push({ block, undo: this.number(block) })
      for (const child of tree.children(block)) stack.push({ block: child })
    }
    replaceUses(this.func, this.replaced)
    return this.changed
  }

  /** Numbers one block; the keys it added. */
  private number(block: Block): string[] {
    const added: string[] = []
    const out: Instr[] = []
    const { instrs } = block
    for (let n = 0; n < instrs.length; n++) {
      const i = instrs[n]
      replaceOperands(i, this.replaced)
      const stored = this.stored(i, block, out)
      const key = stored ? undefined : this.key(i, block)
      const same = stored ?? (key === undefined ? undefined : this.known.get(key))
      if (same) {
        this.replaced.set(i, same)
        if (same.name === undefined && i.name !== undefined) same.name = i.name
        this.changed = true
        continue
      }
      out.push(i)
      if (key === undefined) continue
      this.known.set(key, i)
      added.push(key)
    }
    block.instrs = out
    return added
  }

  /** Text that is equal for instructions of equal value; undefined for those that must stay. */
  private key(i: Instr, block: Block): string | undefined {
    const { effect, commutative, attrs = [] } = opInfo(i.op)
    if (i.op === 'phi') return `phi ${i.type} ${block.id} ${i.args.map(a => a.id).join()}`
    if (effect !== 'none' && !effect.endsWith('.read')) return undefined
    if (effect === 'packet.read') {
      const access = accessOf(i)
      const version = settledVersion(i.args[0], access, block, () => this.ranges)
      return `load ${i.type} ${version.op === 'packet' ? 'received' : version.id} ${access.base?.id} ${access.offset} ${access.width}`
    }
    const version = this.versions.get(i)
    const seen = version === undefined ? '' : version === 'start' ? 'start' : version.id
    const { args } = i
    let key = `${i.op} ${i.type} `
    if (commutative) {
      const [a, b] = [args[0].id, args[1].id]
      key += a < b ? `${a},${b}` : `${b},${a}`
    } else for (let k = 0; k < args.length; k++) key += `,${args[k].id}`
    for (let k = 0; k < attrs.length; k++) key += `|${i.attrs[attrs[k]]}`
    return seen === '' ? key : `${key} ${seen}`
  }

  /** The value that a store just before put where the instruction reads. */
  private stored(i: Instr, block: Block, out: Instr[]): Instr | undefined {
    const { effect } = opInfo(i.op)
    if (effect === 'packet.read') {
      const access = accessOf(i)
      const store = settledVersion(i.args[0], access, block, () => this.ranges)
      if (store.op !== 'store' || !sameBytes(accessOf(store), access)) return undefined
      return this.cut(store.args[2], Number(access.width) * 8, i, out)
    }
    const store = this.versions.get(i)
    if (effect !== 'state.read' || !store || store === 'start' || !('op' in store)) return undefined
    const { field, part, object } = i.attrs
    if (field === undefined || store.attrs.field !== field || store.args[0] !== i.args[0]) return undefined
    // Beyond the end of an array nothing is stored.
    if (i.op !== 'table.load') return undefined
    const bits = this.facts?.fieldBits?.(String(object), String(field), Number(part))
    return bits === undefined ? undefined : this.cut(store.args[1], bits, i, out)
  }

  /** The low bits of a value as the type of `like`, if one or two instructions make it. */
  private cut(value: Instr, bits: number, like: Instr, out: Instr[]): Instr | undefined {
    const place = (i: Instr): Instr => {
      if (like.span) i.span = like.span
      out.push(i)
      return i
    }
    let v = value
    if (v.type !== like.type) {
      if (bitsOf(v.type) > bitsOf(like.type))
        v = place(newInstr(this.func, 'trunc', [v], { type: like.type }))
      else if (bits >= bitsOf(v.type)) v = place(newInstr(this.func, 'zext', [v], { type: like.type }))
      else return undefined
    }
    if (bits >= bitsOf(like.type) || this.ranges.of(value).hi < 1n << BigInt(bits)) return v
    return place(newInstr(this.func, 'and', [v, place(this.mask(like.type, bits))]))
  }

  private mask(type: Type, bits: number): Instr {
    return newConst(this.func, type, (1n << BigInt(bits)) - 1n)
  }
}
