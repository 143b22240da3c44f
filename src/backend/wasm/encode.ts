/**
 * Module to bytes. The same module gives the same bytes on any machine; LEB128 numbers take their shortest form.
 * The function types are collected on the way, in order of first use, and the name section is written from the
 * names, so that stack traces and profiles show functions and locals as their author called them.
 *
 * An index that cannot be found (a label not in scope, a function of another module) is a mistake of the caller
 * and throws; types are not checked here (check.ts).
 *
 * Source: WebAssembly Core Specification 2.0, section 5.5, and the threads proposal. Read module.ts first; decode.ts
 * is the inverse.
 */
import type { Block, DataRef, FuncRef, FuncType, GlobalRef, Instr, Label } from './asm.js'
import type { Func, Memory, Module } from './module.js'
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
  data: 11,
  dataCount: 12,
  code: 10,
} as const

/** Kinds of imports and exports. */
export const kinds = { func: 0, memory: 2, global: 3 } as const

/** Subsections of the name section. */
export const nameKinds = { module: 0, functions: 1, locals: 2, globals: 7 } as const

export const EMPTY_BLOCK = 0x40

export function encode(module: Module): Uint8Array {
  return new Encoder(module).encode()
}

class Encoder {
  readonly #module: Module
  readonly #out = new Writer()
  readonly #types = new Map<string, number>()
  readonly #typeList: FuncType[] = []
  readonly #functions: readonly Func[]
  readonly #defined: readonly Func[]
  readonly #functionIndex: ReadonlyMap<FuncRef, number>
  readonly #globalIndex: ReadonlyMap<GlobalRef, number>
  readonly #dataIndex: ReadonlyMap<DataRef, number>

  constructor(module: Module) {
    this.#module = module
    this.#functions = module.functionIndexSpace()
    this.#defined = this.#functions.filter(f => f.from === undefined)
    this.#functionIndex = indexed(this.#functions)
    this.#globalIndex = indexed(module.globalIndexSpace())
    this.#dataIndex = indexed(module.segments)
  }

  encode(): Uint8Array {
    for (const func of this.#functions) this.#type(func.type)
    const code = new Writer(1 << 16)
    code.u32(this.#defined.length)
    for (const func of this.#defined) this.#function(code, func)

    const out = this.#out
    for (const byte of MAGIC) out.byte(byte)
    this.#vector(sections.type, this.#typeList, type => {
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
    this.#vectorless(sections.dataCount, this.#module.segments.length > 0, () =>
      out.u32(this.#module.segments.length),
    )
    this.#vectorless(sections.code, this.#defined.length > 0, () => out.raw(code.finish()))
    this.#data()
    this.#names()
    for (const custom of this.#module.customs) {
      this.#vectorless(sections.custom, true, () => {
        out.name(custom.name)
        out.raw(custom.bytes)
      })
    }
    return out.finish()
  }

  // --- sections -------------------------------------------------------------------------------------------------

  #vectorless(id: number, present: boolean, write: () => void): void {
    if (!present) return
    this.#out.byte(id)
    const start = this.#out.open()
    write()
    this.#out.close(start)
  }

  #vector<T>(id: number, items: readonly T[], write: (item: T) => void): void {
    this.#vectorless(id, items.length > 0, () => {
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

  #names(): void {
    const out = this.#out
    const map = (kind: number, names: readonly string[]) => {
      const named = names.map((name, index) => ({ name, index })).filter(({ name }) => name !== '')
      if (kind !== nameKinds.locals && named.length === 0) return
      const start = kind === nameKinds.locals ? -1 : (out.byte(kind), out.open())
      out.u32(named.length)
      for (const { name, index } of named) {
        out.u32(index)
        out.name(name)
      }
      if (start >= 0) out.close(start)
    }
    const withLocals = this.#functions
      .map((func, index) => ({ index, names: func.locals.map(local => local.name) }))
      .filter(({ names }) => names.some(name => name !== ''))
    const globals = this.#module.globalIndexSpace().map(global => global.name)
    const functions = this.#functions.map(func => func.name)
    const any =
      this.#module.name !== '' ||
      withLocals.length > 0 ||
      [...globals, ...functions].some(name => name !== '')
    this.#vectorless(sections.custom, any, () => {
      out.name('name')
      if (this.#module.name !== '') {
        out.byte(nameKinds.module)
        const start = out.open()
        out.name(this.#module.name)
        out.close(start)
      }
      map(nameKinds.functions, functions)
      if (withLocals.length > 0) {
        out.byte(nameKinds.locals)
        const start = out.open()
        out.u32(withLocals.length)
        for (const { index, names } of withLocals) {
          out.u32(index)
          map(nameKinds.locals, names)
        }
        out.close(start)
      }
      map(nameKinds.globals, globals)
    })
  }

  // --- code -----------------------------------------------------------------------------------------------------

  #type(type: FuncType): number {
    const key = `${type.params.join()}>${type.results.join()}`
    let index = this.#types.get(key)
    if (index === undefined) {
      index = this.#typeList.push(type) - 1
      this.#types.set(key, index)
    }
    return index
  }

  #function(out: Writer, func: Func): void {
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
    this.#body(out, func.body, [], func)
    out.byte(END)
    out.close(start)
  }

  #body(out: Writer, body: readonly Instr[], scope: Label[], func: Func): void {
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
          this.#block(out, instr, scope, func)
          break
      }
    }
  }

  #block(out: Writer, block: Block, scope: Label[], func: Func): void {
    const { params, results } = block.type
    if (params.length === 0 && results.length === 0) out.byte(EMPTY_BLOCK)
    else if (params.length === 0 && results.length === 1) out.byte(typeCodes[results[0]!])
    else out.s32(this.#type(block.type))
    scope.push(block.label)
    this.#body(out, block.body, scope, func)
    if (block.otherwise !== undefined) {
      out.byte(ELSE)
      this.#body(out, block.otherwise, scope, func)
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
