// Reads IR text as print.ts writes it. Promises: print(parse(text)) gives back text that print.ts wrote, names of
// values and the order of predecessors included. Empty lines and lines that start with `;` mean nothing. Source spans
// are not part of the text. Only the form is checked here; verify.ts says whether the function makes sense.

import { attrTypes, ops } from './ops.js'
import type { AttrName } from './ops.js'
import type { AttrValue, Block, Func, Instr, Terminator, Type } from './types.js'

/** Text that is no IR. `line` counts from 1. */
export class IrSyntaxError extends Error {
  readonly line: number

  constructor(line: number, message: string) {
    super(`line ${line}: ${message}`)
    this.name = 'IrSyntaxError'
    this.line = line
  }
}

/** All functions in the text, in order. Throws IrSyntaxError. */
export function parseFunctions(text: string): Func[] {
  const functions: Func[] = []
  let reader: FunctionReader | undefined
  text.split('\n').forEach((raw, k) => {
    const line = raw.trim()
    if (line === '' || line.startsWith(';')) return
    if (!reader) reader = new FunctionReader(line, k + 1)
    else if (line === '}') {
      functions.push(reader.finish())
      reader = undefined
    } else reader.read(line, k + 1)
  })
  if (reader) throw new IrSyntaxError(text.split('\n').length, 'missing }')
  return functions
}

/** The only function in the text. Throws IrSyntaxError. */
export function parseFunction(text: string): Func {
  const functions = parseFunctions(text)
  if (functions.length !== 1) throw new IrSyntaxError(1, `one function expected, found ${functions.length}`)
  return functions[0]
}

const types: readonly string[] = ['i1', 'i32', 'i64', 'mem', 'void'] satisfies Type[]
const isType = (s: string): s is Type => types.includes(s)

/** A name that may be defined further down. */
interface Reference {
  readonly line: number
  readonly name: string
}

const comment = /^((?:[^";]|"(?:[^"\\]|\\.)*")*?)\s*(?:; (.*))?$/
const attribute = /\s+([A-Za-z]\w*)=("(?:[^"\\]|\\.)*"|[^\s"]+)$/

class FunctionReader {
  private readonly func: Func
  private readonly values = new Map<string, Instr>()
  private readonly blocks = new Map<string, Block>()
  private readonly placed = new Set<Block>()
  private block: Block | undefined
  /** The block whose terminator was read; nothing may follow in it. */
  private ended = false
  private readonly args: { instr: Instr; from: Reference[] }[] = []
  private readonly terms: { block: Block; line: number; op: string; operands: string[] }[] = []
  private readonly phiPreds = new Map<Instr, Reference[]>()

  constructor(line: string, at: number) {
    const match = /^func ([^\s(]+)\((.*)\) -> (\w+) \{$/.exec(line)
    if (!match || !isType(match[3])) throw new IrSyntaxError(at, 'func NAME(PARAMETERS) -> TYPE { expected')
    this.func = { name: match[1], params: [], result: match[3], blocks: [], nextId: 0 }
    for (const [index, text] of commaList(match[2]).entries()) {
      const param = /^(%\w+): (\w+)$/.exec(text)
      if (!param || !isType(param[2])) throw new IrSyntaxError(at, `parameter %NAME: TYPE expected: ${text}`)
      const i: Instr = { id: this.func.nextId++, op: 'param', type: param[2], args: [], attrs: { index } }
      this.func.params.push(i)
      this.define(param[1], i, at)
    }
  }

  read(line: string, at: number): void {
    if (/^\w+:$/.test(line)) return this.startBlock(line.slice(0, -1), at)
    if (!this.block) throw new IrSyntaxError(at, 'a block label such as b0: expected')
    if (this.ended) throw new IrSyntaxError(at, 'nothing may follow the terminator of a block')
    const term = /^(jump|branch|return|unreachable)(?:\s+(.*))?$/.exec(line)
    if (term) {
      this.ended = true
      this.terms.push({ block: this.block, line: at, op: term[1], operands: commaList(term[2] ?? '') })
    } else this.readInstr(line, at)
  }

  private startBlock(name: string, at: number): void {
    this.mustEnd(at)
    const block = this.blockNamed(name)
    if (this.placed.has(block)) throw new IrSyntaxError(at, `${name} is defined twice`)
    this.placed.add(block)
    this.func.blocks.push(block)
    this.block = block
    this.ended = false
  }

  private mustEnd(at: number): void {
    if (this.block && !this.ended) throw new IrSyntaxError(at, 'the block before has no terminator')
  }

  private blockNamed(name: string): Block {
    let block = this.blocks.get(name)
    if (!block) {
      block = { id: this.func.nextId++, instrs: [], term: { op: 'unreachable', targets: [] }, preds: [] }
      this.blocks.set(name, block)
    }
    return block
  }

  private define(name: string, i: Instr, at: number): void {
    if (this.values.has(name)) throw new IrSyntaxError(at, `${name} is defined twice`)
    this.values.set(name, i)
  }

  private readInstr(line: string, at: number): void {
    const [, code, name] = comment.exec(line) ?? []
    const match = /^(?:(%\w+) = )?([\w.]+)(.*)$/.exec(code ?? '')
    if (!match) throw new IrSyntaxError(at, `an instruction expected: ${line}`)
    const { op, type } = this.head(match[1], match[2], at)
    let rest = match[3]
    const attrs: Record<string, AttrValue> = {}
    for (let a = attribute.exec(rest); a; a = attribute.exec(rest)) {
      attrs[a[1]] = attrValue(a[1], a[2], at)
      rest = rest.slice(0, a.index)
    }
    const i: Instr = { id: this.func.nextId++, op, type, args: [], attrs: inOrder(op, attrs) }
    if (name !== undefined) i.name = name
    if (match[1]) this.define(match[1], i, at)
    this.block!.instrs.push(i)
    this.args.push({ instr: i, from: this.operands(i, commaList(rest.trim()), at) })
  }

  private head(result: string | undefined, text: string, at: number): { op: string; type: Type } {
    const dot = text.lastIndexOf('.')
    const op = result ? text.slice(0, Math.max(dot, 0)) : text
    const type = result ? text.slice(dot + 1) : 'void'
    if (!isType(type)) throw new IrSyntaxError(at, `OPERATION.TYPE expected: ${text}`)
    if (!Object.hasOwn(ops, op)) throw new IrSyntaxError(at, `unknown operation ${op || text}`)
    return { op, type }
  }

  private operands(i: Instr, texts: string[], at: number): Reference[] {
    if (i.op !== 'phi') return texts.map(name => ({ line: at, name }))
    const preds: Reference[] = []
    this.phiPreds.set(i, preds)
    return texts.map(text => {
      const pair = /^(\w+): (%\S+)$/.exec(text)
      if (!pair) throw new IrSyntaxError(at, `BLOCK: %VALUE expected: ${text}`)
      preds.push({ line: at, name: pair[1] })
      return { line: at, name: pair[2] }
    })
  }

  private value({ name, line }: Reference): Instr {
    const i = this.values.get(name)
    if (!i) throw new IrSyntaxError(line, `${name} is not defined`)
    return i
  }

  private target(name: string, line: number): Block {
    const block = this.blocks.get(name)
    if (!block || !this.placed.has(block)) throw new IrSyntaxError(line, `block ${name} is not defined`)
    return block
  }

  finish(): Func {
    this.mustEnd(0)
    for (const { instr, from } of this.args) instr.args = from.map(r => this.value(r))
    for (const t of this.terms) t.block.term = this.terminator(t.op, t.operands, t.line)
    for (const block of this.func.blocks) for (const target of block.term.targets) target.preds.push(block)
    for (const block of this.func.blocks) this.orderPreds(block)
    return this.func
  }

  private terminator(op: string, operands: string[], line: number): Terminator {
    const arity = { jump: 1, branch: 3, unreachable: 0 }[op]
    if (arity !== undefined && operands.length !== arity)
      throw new IrSyntaxError(line, `${op} takes ${arity} operands`)
    if (op === 'jump') return { op, targets: [this.target(operands[0], line)] }
    if (op === 'return') return { op, args: operands.map(name => this.value({ name, line })), targets: [] }
    if (op === 'unreachable') return { op, targets: [] }
    const [cond, then, otherwise] = operands
    return {
      op: 'branch',
      cond: this.value({ name: cond, line }),
      targets: [this.target(then, line), this.target(otherwise, line)],
    }
  }

  /** Gives preds the order in which the first phi names them, and the other phis' operands the same order. */
  private orderPreds(block: Block): void {
    const phis = block.instrs.filter(i => i.op === 'phi')
    for (const [k, phi] of phis.entries()) {
      const refs = this.phiPreds.get(phi)!
      const named = refs.map(r => this.target(r.name, r.line))
      if (!samePreds(named, block.preds))
        throw new IrSyntaxError(refs[0]?.line ?? 0, 'a phi must name every predecessor of its block once')
      if (k === 0) block.preds = named
      const left = phi.args.map((arg, j) => ({ arg, pred: named[j] }))
      phi.args = block.preds.map(
        p =>
          left.splice(
            left.findIndex(l => l.pred === p),
            1,
          )[0].arg,
      )
    }
  }
}

const commaList = (text: string): string[] => (text === '' ? [] : text.split(',').map(s => s.trim()))

const idList = (blocks: readonly Block[]): string =>
  blocks
    .map(b => b.id)
    .toSorted((x, y) => x - y)
    .join()
const samePreds = (a: readonly Block[], b: readonly Block[]): boolean => idList(a) === idList(b)

function attrValue(name: string, text: string, at: number): AttrValue {
  const type = Object.hasOwn(attrTypes, name) ? attrTypes[name as AttrName] : undefined
  if (type === 'string' && /^"(?:[^"\\]|\\["\\/bfnrt]|\\u[\da-fA-F]{4})*"$/.test(text))
    return JSON.parse(text) as string
  if (type === 'boolean' && (text === 'true' || text === 'false')) return text === 'true'
  if (type === 'bigint' && /^-?\d+$/.test(text)) return BigInt(text)
  if (type === 'number' && /^-?\d+$/.test(text)) return Number(text)
  throw new IrSyntaxError(at, `${name}=${text} is no attribute${type ? ` of type ${type}` : ''}`)
}

/** The attributes in the op table's order, so that equal instructions have equal attribute lists. */
function inOrder(op: string, attrs: Record<string, AttrValue>): Record<string, AttrValue> {
  const known = (ops[op].attrs ?? []).filter(a => Object.hasOwn(attrs, a))
  const unknown = Object.keys(attrs).filter(a => !known.some(k => k === a))
  return Object.fromEntries([...known, ...unknown].map(a => [a, attrs[a]]))
}
