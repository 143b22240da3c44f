// The IR verifier: says what is wrong with a function, in words. An empty list means that every later stage may rely on
// types.ts and ops.ts: graph and predecessors agree, definitions dominate uses, operands and attributes are what the op
// table says, each load and store names the packet version that is current where it stands, and no unchecked packet
// access is reached without a branch on the length. Independent of analysis/ on purpose: passes are checked with it.

import { attrTypes, bitsOf, inputs, opInfo, ops } from './ops.js'
import { namesIn, printInstr, printTerminator } from './print.js'
import type { Names } from './print.js'
import { meetOverPaths } from './paths.js'
import type { Block, Func, Instr, Program, Type } from './types.js'

/** Everything wrong with a program: each function, its callees, and the objects, settings and counters it names. */
export function verifyProgram(program: Program): string[] {
  const messages = program.functions.flatMap(f => verifyFunction(f, program).map(m => `${f.name}: ${m}`))
  const names = program.functions.map(f => f.name)
  for (const [k, name] of names.entries())
    if (names.indexOf(name) !== k) messages.push(`function ${name} is defined twice`)
  for (const f of program.functions)
    if (reaches(program, f.name, f.name)) messages.push(`${f.name}: calls itself`)
  return messages
}

function reaches(program: Program, from: string, to: string, seen = new Set<string>()): boolean {
  if (seen.has(from)) return false
  seen.add(from)
  const callees = (program.functions.find(f => f.name === from)?.blocks ?? [])
    .flatMap(b => b.instrs)
    .flatMap(i => (i.op === 'call' ? [String(i.attrs.callee)] : []))
  return callees.some(c => c === to || reaches(program, c, to, seen))
}

/** Everything wrong with a function. With the program, names of callees, objects, settings and counters are checked. */
export function verifyFunction(func: Func, program?: Program): string[] {
  const messages: string[] = []
  const names = namesIn(func)
  const say = (text: string): void => void messages.push(text)
  verifyGraph(func, names, say)
  if (messages.length) return messages
  for (const [k, p] of func.params.entries())
    if (p.op !== 'param' || p.attrs.index !== k || p.type === 'void') say(`parameter ${k} is malformed`)
  for (const block of func.blocks) {
    const complain = (i: Instr, text: string): void => say(`${printInstr(i, block, names)}: ${text}`)
    let phisOver = false
    for (const i of block.instrs) {
      if (i.op !== 'phi') phisOver = true
      else if (phisOver) complain(i, 'a phi must stand before other instructions')
      verifyInstr(i, block, text => complain(i, text))
      if (program) verifyNames(i, program, text => complain(i, text))
    }
    verifyTerminator(func, block, text => say(`${printTerminator(block.term, names)}: ${text}`))
  }
  if (messages.length) return messages
  verifyDominance(func, names, say)
  if (messages.length === 0) verifyPacket(func, names, say)
  return messages
}

type Say = (text: string) => void

function verifyGraph(func: Func, names: Names, say: Say): void {
  if (func.blocks.length === 0) return say('no blocks')
  const known = new Set(func.blocks)
  if (known.size !== func.blocks.length) return say('a block is listed twice')
  const ids = new Set<number>()
  const owned = [...func.params, ...func.blocks.flatMap(b => [b, ...b.instrs])]
  for (const { id } of owned) {
    if (ids.has(id)) say(`id ${id} is used twice`)
    if (id >= func.nextId) say(`id ${id} is not below nextId ${func.nextId}`)
    ids.add(id)
  }
  for (const block of func.blocks)
    for (const target of block.term.targets)
      if (!known.has(target)) return say(`${names.block(block)} goes to a block outside the function`)
  const edges = new Map<Block, Block[]>(func.blocks.map(b => [b, []]))
  for (const block of func.blocks) for (const target of block.term.targets) edges.get(target)!.push(block)
  const text = (blocks: Block[]): string => blocks.map(names.block).toSorted().join(' ')
  for (const [block, preds] of edges)
    if (text(preds) !== text(block.preds))
      say(`${names.block(block)} lists the predecessors [${text(block.preds)}], edges say [${text(preds)}]`)
  if (func.blocks[0].preds.length) say('the entry has predecessors')
  const reached = new Set([func.blocks[0]])
  for (const block of reached) for (const target of block.term.targets) reached.add(target)
  for (const block of func.blocks) if (!reached.has(block)) say(`${names.block(block)} is unreachable`)
}

function verifyInstr(i: Instr, block: Block, say: Say): void {
  if (!Object.hasOwn(ops, i.op)) return say('unknown operation')
  const info = opInfo(i.op)
  if (i.op === 'param') return say('a parameter stands in no block')
  if (!info.result.includes(i.type)) say(`the result cannot be ${i.type}`)
  verifyOperands(i, say)
  verifyAttrs(i, say)
  if (i.op === 'phi') {
    if (i.args.length !== block.preds.length)
      say(`${i.args.length} operands for ${block.preds.length} predecessors`)
    if (i.args.some(a => a.type !== i.type)) say(`every operand must be ${i.type}`)
  }
  if (i.op === 'zext' && i.args[0] && bitsOf(i.args[0].type) >= bitsOf(i.type)) say('must widen its operand')
}

function verifyOperands(i: Instr, say: Say): void {
  const info = opInfo(i.op)
  const n = info.args.length
  if (info.variadic ? i.args.length < n : i.args.length !== n)
    return say(`${n}${info.variadic ? ' or more' : ''} operands expected, found ${i.args.length}`)
  let shared: Type | undefined
  for (const [k, operand] of info.args.entries()) {
    const { type } = i.args[k]
    if (operand === 'U') {
      if (bitsOf(type) === 0) say(`operand ${k} must be a number, not ${type}`)
      if (shared && shared !== type) say(`operands must have one type, not ${shared} and ${type}`)
      shared = type
    } else {
      const wanted = operand === 'T' ? i.type : operand
      if (type !== wanted) say(`operand ${k} must be ${wanted}, not ${type}`)
    }
  }
  for (const a of i.args) if (a.type === 'void') say('an operand has no value')
}

function verifyAttrs(i: Instr, say: Say): void {
  const wanted = opInfo(i.op).attrs ?? []
  for (const name of wanted) {
    const value = i.attrs[name]
    if (typeof value !== attrTypes[name]) say(`attribute ${name} must be a ${attrTypes[name]}`)
    else if (typeof value === 'number' && !(Number.isSafeInteger(value) && value >= 0))
      say(`attribute ${name} must be a non-negative integer`)
  }
  for (const name of Object.keys(i.attrs)) if (!wanted.some(w => w === name)) say(`has no attribute ${name}`)
  const { value, name, width } = i.attrs
  if (i.op === 'const' && typeof value === 'bigint' && value !== BigInt.asUintN(bitsOf(i.type), value))
    say(`the value does not fit ${i.type}`)
  if (i.op === 'input' && inputs[String(name)] !== i.type)
    say(`no input ${String(name)} of type ${i.type}; there are ${Object.keys(inputs).join(', ')}`)
  if (wanted.includes('width')) verifyWidth(i, width as number, say)
}

function verifyWidth(i: Instr, width: number, say: Say): void {
  if (![1, 2, 4, 8].includes(width)) return say('width must be 1, 2, 4 or 8')
  const written = i.args.at(-1)
  const reads = opInfo(i.op).effect.endsWith('.read')
  if (reads && (width === 8) !== (i.type === 'i64')) say(`${width} bytes are not read as ${i.type}`)
  if (!reads && written && width * 8 > Math.max(8, bitsOf(written.type)))
    say(`${written.type} has no ${width} bytes`)
}

const among = (list: readonly { name: string }[], text: unknown): boolean => list.some(x => x.name === text)
const typesOf = (list: readonly Instr[]): string => list.map(a => a.type).join(', ')

function verifyNames(i: Instr, program: Program, say: Say): void {
  const { object, counter, callee, name } = i.attrs
  if (object !== undefined && !among(program.objects, object)) say(`no state object ${String(object)}`)
  if (counter !== undefined && !among(program.counters, counter)) say(`no counter ${String(counter)}`)
  if (i.op === 'setting' && !among(program.settings, name)) say(`no setting ${String(name)}`)
  if (i.op !== 'call') return
  const target = program.functions.find(f => f.name === callee)
  if (!target) return say(`no function ${String(callee)}`)
  if (typesOf(target.params) !== typesOf(i.args)) say(`operands must be (${typesOf(target.params)})`)
  if (target.result !== i.type) say(`the result is ${target.result}`)
}

function verifyTerminator(func: Func, block: Block, say: Say): void {
  const t = block.term
  if (t.op === 'branch' && t.cond.type !== 'i1') say('the condition must be i1')
  if (t.op !== 'return') return
  const found = t.args.map(a => a.type).join(', ')
  const wanted = func.result === 'void' ? '' : func.result
  if (found !== wanted) say(`must return (${wanted}), not (${found})`)
}

function verifyDominance(func: Func, names: Names, say: Say): void {
  const place = new Map<Instr, { block: Block; at: number }>()
  for (const block of func.blocks) block.instrs.forEach((i, at) => place.set(i, { block, at }))
  const params = new Set(func.params)
  const dominated = meetOverPaths<ReadonlySet<Block>>(func, new Set([func.blocks[0]]), {
    through: (block, before) => new Set([...before, block]),
    meet: (a, b) => new Set([...a].filter(x => b.has(x))),
    equal: (a, b) => a.size === b.size,
  })
  const check = (value: Instr, block: Block, at: number, text: () => string): void => {
    if (params.has(value)) return
    const def = place.get(value)
    if (!def) say(`${text()}: an operand is not in the function`)
    else if (def.block === block ? def.at >= at : !dominated.get(block)!.has(def.block))
      say(`${text()}: ${names.value(value)} does not dominate this use`)
  }
  for (const block of func.blocks) {
    for (const [at, i] of block.instrs.entries())
      for (const [k, arg] of i.args.entries())
        if (i.op === 'phi') check(arg, block.preds[k], Infinity, () => printInstr(i, block, names))
        else check(arg, block, at, () => printInstr(i, block, names))
    const t = block.term
    const used = t.op === 'branch' ? [t.cond] : t.op === 'return' ? t.args : []
    for (const value of used) check(value, block, Infinity, () => printTerminator(t, names))
  }
}

/** Versions in order; and no unchecked access where some path from the entry meets no branch on the length. */
function verifyPacket(func: Func, names: Names, say: Say): void {
  const { atStart, atEnd } = currentVersions(func)
  const checked = lengthChecked(func)
  for (const block of func.blocks) {
    let current = atStart.get(block)
    for (const i of block.instrs) {
      const complain = (text: string): void => say(`${printInstr(i, block, names)}: ${text}`)
      const stale = (used: Instr, now: Instr | undefined): void => {
        if (used !== now && !(used.op === 'packet' && now?.op === 'packet'))
          complain(`${names.value(used)} is not the packet's version here`)
      }
      for (const [k, a] of i.args.entries())
        if (a.type === 'mem') stale(a, i.op === 'phi' ? atEnd(block.preds[k]) : current)
      if (isVersion(i)) current = i
      const unproven = opInfo(i.op).effect === 'packet.write' || i.attrs.checked === false
      if (unproven && !checked.get(block))
        complain('no branch on the length stands on every path to this access')
    }
  }
}

const isVersion = (i: Instr): boolean => i.type === 'mem' && i.op !== 'packet'

/** The packet's version at the start of each block, phis not yet counted; undefined where paths disagree. */
function currentVersions(func: Func): {
  atStart: Map<Block, Instr | undefined>
  atEnd: (block: Block) => Instr | undefined
} {
  const received: Instr = { id: -1, op: 'packet', type: 'mem', args: [], attrs: {} }
  const through = (block: Block, before: Instr | undefined): Instr | undefined =>
    block.instrs.findLast(isVersion) ?? before
  const atStart = meetOverPaths<Instr | undefined>(func, func.params.find(isVersion) ?? received, {
    through,
    meet: (a, b) => (a === b ? a : undefined),
    equal: (a, b) => a === b,
  })
  return { atStart, atEnd: block => through(block, atStart.get(block)) }
}

/**
 * Blocks that are reached only through a branch whose condition depends on the packet's length. A phi that such a
 * branch can reach counts as dependent, since control decides its value.
 */
function lengthChecked(func: Func): Map<Block, boolean> {
  const depends = new Set<Instr>()
  const decided = new Set<Block>()
  for (let size = -1; size !== depends.size + decided.size;) {
    size = depends.size + decided.size
    for (const block of func.blocks) {
      for (const i of block.instrs) {
        const source = i.op === 'input' ? i.attrs.name === 'length' : i.op === 'phi' && decided.has(block)
        if (source || i.args.some(a => depends.has(a))) depends.add(i)
      }
      if (decided.has(block) || decides(block)) for (const target of block.term.targets) decided.add(target)
    }
  }
  function decides(b: Block): boolean {
    return b.term.op === 'branch' && depends.has(b.term.cond)
  }
  return meetOverPaths<boolean>(func, false, {
    through: (block, before) => before || decides(block),
    meet: (a, b) => a && b,
    equal: (a, b) => a === b,
  })
}
