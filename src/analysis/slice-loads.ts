// Packet reads whose place depends on state. Metadata is taken before state is known, so such a read is replaced by a
// selection among reads at all the places it can mean, if those are few; else the program is refused with the line.

import { opInfo } from '../ir/ops.js'
import type { Block, Func, Instr } from '../ir/types.js'
import type { Interval } from './interval.js'
import { ranges } from './ranges.js'
import type { Ranges } from './ranges.js'
import { Refused } from './refusal.js'
import type { Taint } from './taint.js'

/** Places a state-dependent read may mean. */
const mostPlaces = 16

/** True if reads were replaced: taint must be found again. Throws Refused. */
export function hoistLoads(func: Func, taint: Taint): boolean {
  let known: Ranges | undefined
  let changed = false
  for (const block of func.blocks)
    for (const i of block.instrs.slice()) {
      if (!taint.values.has(i)) continue
      const { effect } = opInfo(i.op)
      if (effect === 'rules.read') throw refuseRules(i)
      if (effect !== 'packet.read') continue
      known ??= ranges(func)
      const before = block.instrs.indexOf(i)
      block.instrs.splice(before, 0, ...spread(func, block, i, known, taint))
      changed = true
    }
  return changed
}

/** Turns the load into a chain of selects; gives the instructions to be put before it. */
function spread(func: Func, block: Block, load: Instr, known: Ranges, taint: Taint): Instr[] {
  const [memory, address] = load.args
  const { base, moving } = parts(address, known, taint)
  const places = moving && valuesIn(known.at(moving, block))
  if (!moving || !places || places.length > mostPlaces) throw refuse(load)
  const made: Instr[] = []
  const make = (op: string, type: Instr['type'], args: Instr[], attrs: Instr['attrs'] = {}): Instr => {
    const i: Instr = { id: func.nextId++, op, type, args, attrs, ...(load.span && { span: load.span }) }
    if (load.name !== undefined && op === 'load') i.name = load.name
    made.push(i)
    return i
  }
  const offset = Number(load.attrs.offset)
  const start = base.reduce<Instr | undefined>((a, b) => (a ? make('add', 'i32', [a, b]) : b), undefined)
  const reads = places.map(place => {
    const from = start ?? make('const', 'i32', [], { value: 0n })
    const attrs = { width: load.attrs.width, offset: offset + Number(place), checked: true }
    return make('load', load.type, [memory, from], attrs)
  })
  let rest = reads[reads.length - 1]
  for (let k = reads.length - 2; k > 0; k--) {
    const here = make('eq', 'i1', [moving, make('const', 'i32', [], { value: places[k] })])
    rest = make('select', load.type, [here, reads[k], rest])
  }
  const first = make('eq', 'i1', [moving, make('const', 'i32', [], { value: places[0] })])
  load.op = 'select'
  load.args = [first, reads[0], rest]
  load.attrs = {}
  return made
}

/** An address as packet-only terms and the one that depends on state. */
function parts(address: Instr, known: Ranges, taint: Taint): { base: Instr[]; moving?: Instr } {
  if (!taint.values.has(address)) return { base: [address] }
  const [a, b] = address.args
  if (address.op !== 'add' || known.of(a).hi + known.of(b).hi >= 1n << 32n)
    return { base: [], moving: address }
  const [x, y] = [parts(a, known, taint), parts(b, known, taint)]
  // Two moving terms move together.
  if (x.moving && y.moving) return { base: [], moving: address }
  const moving = x.moving ?? y.moving
  return { base: [...x.base, ...y.base], ...(moving && { moving }) }
}

/** The values of a small set, or undefined if it is large. */
function valuesIn({ lo, hi, ones }: Interval): bigint[] | undefined {
  if (hi - lo > 4096n) return undefined
  const values: bigint[] = []
  for (let v = lo; v <= hi; v++) if ((v & ~ones) === 0n) values.push(v)
  return values
}

const refuse = (load: Instr): Refused =>
  new Refused({
    kind: 'state-address',
    reason:
      'where this is read from the packet depends on state, so it cannot be known when metadata is taken; ' +
      `an offset with at most ${mostPlaces} possible values, such as \`x & ${mostPlaces - 1}\`, could be`,
    ...(load.span && { span: load.span }),
  })

const refuseRules = (i: Instr): Refused =>
  new Refused({
    kind: 'state-rule',
    reason:
      `the key looked up in ${String(i.attrs.object)} depends on state; what state depends on is looked up once, ` +
      'before state is known, so that an update of the rules cannot make replicas differ',
    ...(i.span && { span: i.span }),
  })
