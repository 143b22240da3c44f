/**
 * Module to bytes. The same module gives the same bytes on any machine; LEB128 numbers take their shortest form.
 * A name section (names.ts) goes along, so that traces and profiles show functions as their author called them.
 *
 * An index that cannot be found (a label not in scope, a function of another module) is a mistake of the caller
 * and throws; types are not checked here (check.ts).
 *
 * Source: WebAssembly Core Specification 2.0, section 5.5, and the threads proposal. Read module.ts first; decode.ts
 * is the inverse.
 */
import type { Block, DataRef, FuncRef, FuncType, GlobalRef, Instr, Label } from './asm.js'
import { isShort, typeKey, type Func, type Memory, type Module } from './module.js'
import { hasNames, writeNames } from './names.js'
import { ELSE, END, typeCodes, type Opcode, type ValType } from './opcodes.js'
import { Writer } from './writer.js'

export const MAGIC = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00] as const

/** Section numbers, in the order in which they are written (customs last). */
export const sections = {
  custom: 0,
  type: 1,
  import: 2,
  function: 3,
  memory: 5,
  global: 6,
  export: 7,
  dataCount: 12,
  code: 10,
  data: 11,
} as const

/** Kinds of imports and exports. */
export const kinds = { func: 0, memory: 2, global: 3 } as const

export const EMPTY_BLOCK = 0x40

export function encode(module: Module): Uint8Array {
  return new Encoder(module).encode()
}

class Encoder {
  readonly #module: Module
  readonly #out = new Writer(1 << 14)
  readonly #types: readonly FuncType[]
  readonly #typeIndex: ReadonlyMap<string, number>
  readonly #functions: readonly Func[]
  readonly #defined: readonly Func[]
  readonly #functionIndex: ReadonlyMap<FuncRef, number>
  readonly #globalIndex: ReadonlyMap<GlobalRef, number>
  readonly #dataIndex: ReadonlyMap<DataRef, number>

  constructor(module: Module) {
    this.#module = module
    this.#types = module.typeIndexSpace()
    this.#typeIndex = indexed(this.#types.map(typeKey))
    this.#functions = module.functionIndexSpace()
    this.#defined = this.#functions.filter(f => f.from === undefined)
    this.#functionIndex = indexed(this.#functions)
    this.#globalIndex = indexed(module.globalIndexSpace())
    this.#dataIndex = indexed(module.segments)
  }

  encode(): Uint8Array {
    const out = this.#out
    for (const byte of MAGIC) out.byte(byte)
    this.#vector(sections.type, this.#types, type => {
      out.byte(0x60)
      for (const side of [type.params, type.results]) {
        out.u32(side.length)
        for (const each of side) out.byte(typeCodes[each])
      }
    })
    this.#imports()
    this.#vector(sections.function, this.#defined, func => out.u32(this.#type(func.type)))
    const memory = this.#module.memory
    this.#vector(sections.memory, memory !== undefined && memory.from === undefined ? [memory] : [], own =>
      this.#limits(own),
    )
    this.#globals()
    this.#exports()
    const segments = this.#module.segments.length
    if (segments > 0) this.#section(sections.dataCount, () => out.u32(segments))
    this.#vector(sections.code, this.#defined, func => this.#function(func))
    this.#data()
    if (hasNames(this.#module)) this.#section(sections.custom, () => writeNames(out, this.#module))
    for (const custom of this.#module.customs) {
      this.#section(sections.custom, () => {
        out.name(custom.name)
        out.raw(custom.bytes)
      })
    }
    return out.finish()
  }

  // --- sections -------------------------------------------------------------------------------------------------

  #section(id: number, write: () => void): void {
    this.#out.byte(id)
    const start = this.#out.open()
    write()
    this.#out.close(start)
  }

  #vector<T>(id: number, items: readonly T[], write: (item: T) => void): void {
    if (items.length === 0) return
    this.#section(id, () => {
      this.#out.u32(items.length)
      items.forEach(write)
    })
  }

  #imports(): void {
    const out = this.#out
    const memory = this.#module.memory
    const entries: { from: { module: string; field: string }; write: () => void }[] = []
    if (memory?.from !== undefined) {
      entries.push({
        from: memory.from,
        write: () => {
          out.byte(kinds.memory)
          this.#limits(memory)
        },
      })
    }
    for (const func of this.#functions) {
      if (func.from === undefined) continue
      entries.push({
        from: func.from,
        write: () => {
          out.byte(kinds.func)
          out.u32(this.#type(func.type))
        },
      })
    }
    for (const global of this.#module.globals) {
      if (global.from === undefined) continue
      entries.push({
        from: global.from,
        write: () => {
          out.byte(kinds.global)
          out.byte(typeCodes[global.type])
          out.byte(global.mutable ? 1 : 0)
        },
      })
    }
    this.#vector(sections.import, entries, entry => {
      out.name(entry.from.module)
      out.name(entry.from.field)
      entry.write()
    })
  }

  #limits(memory: Memory): void {
    this.#out.byte((memory.maximum === undefined ? 0 : 1) | (memory.shared === true ? 2 : 0))
    this.#out.u32(memory.initial)
    if (memory.maximum !== undefined) this.#out.u32(memory.maximum)
  }

  #globals(): void {
    const out = this.#out
    const defined = this.#module.globals.filter(g => g.from === undefined)
    this.#vector(sections.global, defined, global => {
      out.byte(typeCodes[global.type])
      out.byte(global.mutable ? 1 : 0)
      out.byte(global.type === 'i32' ? 0x41 : 0x42)
      const init = global.init ?? 0n
      out.s64(global.type === 'i32' ? BigInt.asIntN(32, init) : BigInt.asIntN(64, init))
      out.byte(END)
    })
  }

  #exports(): void {
    const out = this.#out
    this.#vector(sections.export, this.#module.exports, ({ name, item }) => {
      out.name(name)
      if (item === 'memory') {
        out.byte(kinds.memory)
        out.u32(0)
      } else if ('body' in item) {
        out.byte(kinds.func)
        out.u32(found(this.#functionIndex, item))
      } else {
        out.byte(kinds.global)
        out.u32(found(this.#globalIndex, item))
      }
    })
  }

  #data(): void {
    const out = this.#out
    this.#vector(sections.data, this.#module.segments, segment => {
      out.byte(segment.offset === undefined ? 1 : 0)
      if (segment.offset !== undefined) {
        out.byte(0x41)
        out.s32(segment.offset)
        out.byte(END)
      }
      out.u32(segment.bytes.length)
      out.raw(segment.bytes)
    })
  }

  // --- code -----------------------------------------------------------------------------------------------------

  #type(type: FuncType): number {
    return this.#typeIndex.get(typeKey(type))!
  }

  #function(func: Func): void {
    const out = this.#out
    const start = out.open()
    const runs: { type: ValType; count: number }[] = []
    for (const { type } of func.locals.slice(func.type.params.length)) {
      const last = runs.at(-1)
      if (last?.type === type) last.count++
      else runs.push({ type, count: 1 })
    }
    out.u32(runs.length)
    for (const { type, count } of runs) {
      out.u32(count)
      out.byte(typeCodes[type])
    }
    this.#body(func.body, [func.exit], func)
    out.byte(END)
    out.close(start)
  }

  #body(body: readonly Instr[], scope: Label[], func: Func): void {
    const out = this.#out
    for (const instr of body) {
      const { op } = instr
      if (op.code < 0x100) out.byte(op.code)
      else {
        out.byte(op.code >> 8)
        out.u32(op.code & 0xff)
      }
      switch (instr.kind) {
        case 'plain':
          if (op.immediate !== 'none') reserved(out, op)
          break
        case 'local':
          out.u32(instr.local.index)
          break
        case 'i32':
          out.s32(instr.value)
          break
        case 'i64':
          out.s64(instr.value)
          break
        case 'v128':
          for (let k = 0n; k < 128n; k += 8n) out.byte(Number((instr.value >> k) & 0xffn))
          break
        case 'lane':
          out.byte(instr.lane)
          break
        case 'memory':
          out.u32(31 - Math.clz32(instr.align))
          out.u32(instr.offset)
          break
        case 'global':
          out.u32(found(this.#globalIndex, instr.global))
          break
        case 'call':
          out.u32(found(this.#functionIndex, instr.func))
          break
        case 'data':
          out.u32(found(this.#dataIndex, instr.data))
          if (op.immediate === 'init') out.byte(0)
          break
        case 'branch':
          out.u32(depth(scope, instr.target, func))
          break
        case 'table':
          out.u32(instr.targets.length)
          for (const target of instr.targets) out.u32(depth(scope, target, func))
          out.u32(depth(scope, instr.otherwise, func))
          break
        case 'block':
          this.#block(instr, scope, func)
          break
      }
    }
  }

  #block(block: Block, scope: Label[], func: Func): void {
    const out = this.#out
    const { results } = block.type
    if (!isShort(block.type)) out.s32(this.#type(block.type))
    else out.byte(results.length === 0 ? EMPTY_BLOCK : typeCodes[results[0]!])
    scope.push(block.label)
    this.#body(block.body, scope, func)
    if (block.otherwise !== undefined) {
      out.byte(ELSE)
      this.#body(block.otherwise, scope, func)
    }
    scope.pop()
    out.byte(END)
  }
}

function reserved(out: Writer, op: Opcode): void {
  out.byte(0)
  if (op.immediate === 'zeros') out.byte(0)
}

function depth(scope: readonly Label[], target: Label, func: Func): number {
  for (let at = scope.length - 1; at >= 0; at--) if (scope[at] === target) return scope.length - 1 - at
  throw new Error(`function ${func.name}: branch to label '${target.name}', which does not enclose it`)
}

function indexed<T>(items: readonly T[]): Map<T, number> {
  return new Map(items.map((item, index) => [item, index]))
}

function found<T extends { readonly name: string }>(index: ReadonlyMap<T, number>, item: T): number {
  const at = index.get(item)
  if (at === undefined) throw new Error(`'${item.name}' does not belong to the module that uses it`)
  return at
}
