/**
 * Bytes to module: the inverse of encode.ts, for whatever that writes and for modules of other origin that keep to
 * the instructions of opcodes.ts. Never throws: other bytes are answered with the offset and the reason. It checks
 * form and index ranges, not types (check.ts does).
 *
 * `encode(decode(bytes))` gives back the bytes of anything that `encode` made.
 *
 * Source: WebAssembly Core Specification 2.0, section 5.
 */
import { label, type FuncType, type Instr, type Label } from './asm.js'
import { EMPTY_BLOCK, kinds, MAGIC, sections } from './encode.js'
import { Func, Module, type From, type Global, type Memory } from './module.js'
import { readNames, type Names } from './names.js'
import { byCode, ELSE, END, opcodes, typeCodes, type Opcode, type ValType } from './opcodes.js'
import { Reader, Rejected } from './reader.js'

export type Decoded =
  | { readonly ok: true; readonly module: Module }
  | {
      readonly ok: false
      readonly failure: 'malformed' | 'unsupported'
      /** Bytes from the start of the module. */
      readonly offset: number
      readonly reason: string
    }

export function decode(bytes: Uint8Array): Decoded {
  try {
    return { ok: true, module: new Decoder(bytes).decode() }
  } catch (error) {
    if (!(error instanceof Rejected)) throw error
    return { ok: false, failure: error.failure, offset: error.offset, reason: error.message }
  }
}

/** More locals than any engine accepts in a function. */
const MAX_LOCALS = 50_000

const typeOfCode = new Map(Object.entries(typeCodes).map(([type, code]) => [code, type as ValType]))
const NO_NAMES: Names = { module: '', functions: new Map(), locals: new Map(), globals: new Map() }

/** A structured instruction whose `end` has not come yet. */
interface Frame {
  readonly op: Opcode
  readonly label: Label
  readonly type: FuncType
  readonly body: Instr[]
  otherwise: Instr[] | undefined
}

class Decoder {
  readonly #bytes: Uint8Array
  readonly #found = new Map<number, Reader>()
  readonly #customs: { name: string; content: Reader }[] = []
  #module = new Module()
  #types: FuncType[] = []
  #functions: Func[] = []
  #globals: Global[] = []
  #names = NO_NAMES

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  decode(): Module {
    this.#sections()
    const names = this.#customs.find(custom => custom.name === 'name')
    if (names !== undefined) this.#names = readNames(names.content)
    this.#module = new Module(this.#names.module)
    this.#types = this.#vector(sections.type, from => {
      if (from.byte() !== 0x60) from.unsupported('a type that is not a function', from.at - 1)
      return { params: list(from, readType), results: list(from, readType) }
    })
    this.#vector(sections.import, from => this.#import({ module: from.name(), field: from.name() }, from))
    this.#vector(sections.function, from => this.#declare(this.#type(from), undefined))
    const own = this.#vector(sections.memory, limits)
    if (own.length > 0) this.#module.ownMemory(own[0])
    this.#vector(sections.global, from => this.#global(from))
    this.#vector(sections.export, from => this.#export(from))
    this.#vector(sections.data, from => this.#data(from))
    const defined = this.#functions.filter(func => func.from === undefined)
    let next = 0
    this.#vector(sections.code, from => {
      if (next === defined.length) from.malformed('more bodies than functions')
      this.#function(from.sized(), defined[next++])
    })
    if (next < defined.length)
      throw new Rejected('malformed', this.#bytes.length, 'fewer bodies than functions')
    for (const { name, content } of this.#customs) {
      if (name !== 'name') this.#module.custom(name, content.raw(content.end - content.at))
    }
    return this.#module
  }

  // --- sections -------------------------------------------------------------------------------------------------

  #sections(): void {
    const from = new Reader(this.#bytes)
    for (const byte of MAGIC)
      if (from.byte() !== byte) from.malformed('not a WebAssembly 1 module', from.at - 1)
    const order: readonly number[] = Object.values(sections).slice(1)
    let last = -1
    while (!from.done) {
      const start = from.at
      const id = from.byte()
      const content = from.sized()
      if (id === sections.custom) {
        this.#customs.push({ name: content.name(), content })
        continue
      }
      const place = order.indexOf(id)
      if (place < 0) from.unsupported(`section ${id}`, start)
      if (place <= last) from.malformed(`section ${id} twice or out of order`, start)
      last = place
      this.#found.set(id, content)
    }
  }

  #vector<T>(id: number, read: (from: Reader) => T): T[] {
    const from = this.#found.get(id)
    if (from === undefined) return []
    const items = list(from, read)
    if (!from.done) from.malformed(`section ${id} is longer than its content`)
    return items
  }

  #import(source: From, from: Reader): void {
    const kind = from.byte()
    if (kind === kinds.memory) this.#module.importMemory(source.module, source.field, limits(from))
    else if (kind === kinds.func) this.#declare(this.#type(from), source)
    else if (kind === kinds.global) this.#addGlobal(readType(from), from.byte() === 1, undefined, source)
    else from.unsupported(`import of kind ${kind}`, from.at - 1)
  }

  #type(from: Reader): FuncType {
    return at(this.#types, from.u32(), from, 'type')
  }

  #declare(type: FuncType, source: From | undefined): void {
    const index = this.#functions.length
    const names = this.#names.locals.get(index)
    const params = type.params.map((each, local) => [names?.get(local) ?? '', each] as const)
    const func = new Func(this.#names.functions.get(index) ?? '', params, type.results, source)
    this.#functions.push(func)
    this.#module.functions.push(func)
  }

  #global(from: Reader): void {
    const type = readType(from)
    const mutable = from.byte() === 1
    const init = constant(from)
    this.#addGlobal(type, mutable, init, undefined)
  }

  #addGlobal(type: ValType, mutable: boolean, init: bigint | undefined, source: From | undefined): void {
    const name = this.#names.globals.get(this.#globals.length) ?? ''
    const global = { name, type, mutable, init, from: source }
    this.#globals.push(global)
    this.#module.globals.push(global)
  }

  #export(from: Reader): void {
    const name = from.name()
    const kind = from.byte()
    const index = from.u32()
    if (kind === kinds.memory) this.#module.export(name, 'memory')
    else if (kind === kinds.func) this.#module.export(name, at(this.#functions, index, from, 'function'))
    else if (kind === kinds.global) this.#module.export(name, at(this.#globals, index, from, 'global'))
    else from.unsupported(`export of kind ${kind}`)
  }

  #data(from: Reader): void {
    const mode = from.u32()
    if (mode > 1) from.unsupported(`data segment of mode ${mode}`)
    const offset = mode === 0 ? Number(BigInt.asUintN(32, constant(from))) : undefined
    const bytes = from.raw(from.u32())
    if (offset === undefined) this.#module.passiveData('', bytes)
    else this.#module.data('', offset, bytes)
  }

  // --- code -----------------------------------------------------------------------------------------------------

  #function(from: Reader, func: Func): void {
    const names = this.#names.locals.get(this.#functions.indexOf(func))
    for (let runs = from.u32(); runs > 0; runs--) {
      const count = from.u32()
      if (func.locals.length + count > MAX_LOCALS) from.malformed(`more than ${MAX_LOCALS} locals`)
      const type = readType(from)
      for (let left = count; left > 0; left--) func.local(names?.get(func.locals.length) ?? '', type)
    }
    const open: Frame[] = [
      { op: opcodes.block, label: func.exit, type: func.type, body: func.body, otherwise: undefined },
    ]
    while (open.length > 0) {
      const top = open[open.length - 1]
      const start = from.at
      const byte = from.byte()
      if (byte === END) {
        open.pop()
        if (open.length > 0) place(open[open.length - 1], { kind: 'block', ...top })
      } else if (byte === ELSE) {
        if (top.op !== opcodes.if || top.otherwise !== undefined) from.malformed('else without if', start)
        top.otherwise = []
      } else {
        const sub = byte >= 0xfc ? from.u32() : undefined
        const op =
          sub === undefined ? byCode.get(byte) : sub < 0x100 ? byCode.get((byte << 8) | sub) : undefined
        if (op === undefined) {
          const found = [byte, ...(sub === undefined ? [] : [sub])].map(each => `0x${each.toString(16)}`)
          return from.unsupported(`instruction ${found.join(' ')}`, start)
        }
        if (op.immediate === 'block') {
          open.push({ op, label: label(), type: this.#blockType(from), body: [], otherwise: undefined })
        } else place(top, this.#instr(from, op, open, func))
      }
    }
    if (!from.done) from.malformed('body is longer than its instructions')
  }

  #blockType(from: Reader): FuncType {
    const byte = from.bytes[from.at]
    if (byte === EMPTY_BLOCK || typeOfCode.has(byte)) {
      from.at++
      return { params: [], results: byte === EMPTY_BLOCK ? [] : [typeOfCode.get(byte)!] }
    }
    const index = from.s32()
    return at(this.#types, index, from, 'type')
  }

  #instr(from: Reader, op: Opcode, open: readonly Frame[], func: Func): Instr {
    const target = () => {
      const depth = from.u32()
      return depth < open.length ? open[open.length - 1 - depth].label : from.malformed(`no label ${depth}`)
    }
    switch (op.immediate) {
      case 'none':
        return { kind: 'plain', op }
      case 'zero':
      case 'zeros':
        for (let left = op.immediate === 'zero' ? 1 : 2; left > 0; left--) zero(from)
        return { kind: 'plain', op }
      case 'local':
        return { kind: 'local', op, local: at(func.locals, from.u32(), from, 'local') }
      case 'global':
        return { kind: 'global', op, global: at(this.#globals, from.u32(), from, 'global') }
      case 'func':
        return { kind: 'call', op, func: at(this.#functions, from.u32(), from, 'function') }
      case 'init':
      case 'data': {
        const data = at(this.#module.segments, from.u32(), from, 'data segment')
        if (op.immediate === 'init') zero(from)
        return { kind: 'data', op, data }
      }
      case 'memarg': {
        const log2 = from.u32()
        if (log2 > 4) from.unsupported(`memory argument flags ${log2}`, from.at - 1)
        return { kind: 'memory', op, align: 1 << log2, offset: from.u32() }
      }
      case 'i32':
        return { kind: 'i32', op, value: from.s32() }
      case 'i64':
        return { kind: 'i64', op, value: from.s64() }
      case 'v128':
        return {
          kind: 'v128',
          op,
          value: from.raw(16).reduceRight((v, byte) => (v << 8n) | BigInt(byte), 0n),
        }
      case 'lane':
        return { kind: 'lane', op, lane: from.byte() }
      case 'label':
        return { kind: 'branch', op, target: target() }
      case 'labels': {
        const targets = list(from, target)
        return { kind: 'table', op, targets, otherwise: target() }
      }
      case 'block':
        throw new Error('structured instructions are read by #function')
    }
  }
}

function place(frame: Frame, instr: Instr): void {
  ;(frame.otherwise ?? frame.body).push(instr)
}

/** A count and as many items; each takes at least a byte, so the count is bounded by what is left. */
function list<T>(from: Reader, read: (from: Reader) => T): T[] {
  const items: T[] = []
  for (let left = from.u32(); left > 0; left--) items.push(read(from))
  return items
}

function readType(from: Reader): ValType {
  const type = typeOfCode.get(from.byte())
  return type ?? from.unsupported(`value type 0x${from.bytes[from.at - 1].toString(16)}`, from.at - 1)
}

function limits(from: Reader): Memory {
  const flags = from.byte()
  if (flags > 3) from.unsupported(`memory flags ${flags}`, from.at - 1)
  const initial = from.u32()
  return { initial, ...(flags & 1 && { maximum: from.u32() }), ...(flags & 2 && { shared: true }) }
}

function constant(from: Reader): bigint {
  const op = from.byte()
  if (op !== opcodes['i32.const'].code && op !== opcodes['i64.const'].code) {
    from.unsupported('an initial value that is not a constant', from.at - 1)
  }
  const value = op === opcodes['i32.const'].code ? BigInt(from.s32()) : from.s64()
  if (from.byte() !== END) from.unsupported('an initial value of several instructions', from.at - 1)
  return value
}

function zero(from: Reader): void {
  if (from.byte() !== 0) from.unsupported('a second memory', from.at - 1)
}

function at<T>(items: readonly T[], index: number, from: Reader, what: string): T {
  return index >= 0 && index < items.length ? items[index] : from.malformed(`no ${what} ${index}`)
}
