/**
 * A WebAssembly module under construction: functions, globals, memory, data, exports and names, as plain values.
 *
 *     const m = new Module('walker')
 *     m.importMemory('env', 'memory', { initial: 16, maximum: 16, shared: true })
 *     const sum = m.func('sum', { a: 'i32', b: 'i32' }, ['i32'])
 *     sum.emit(local.get(sum.params.a), local.get(sum.params.b), i32.add)
 *     m.export('sum', sum)
 *     WebAssembly.validate(encode(m))
 *
 * Everything is kept in the order of declaration, which makes the bytes deterministic; imported functions and
 * globals are numbered before defined ones, as the format wants. Read asm.ts first.
 */
import {
  flatten,
  label,
  type Code,
  type FuncType,
  type Instr,
  type Label,
  type Local,
  type ValType,
} from './asm.js'

/** Where an import comes from. */
export interface From {
  readonly module: string
  readonly field: string
}

export class Func<P extends string = string> {
  readonly name: string
  readonly type: FuncType
  /** Set if the function is imported; then it has no body. */
  readonly from: From | undefined
  /** The parameters by name. */
  readonly params: { readonly [K in P]: Local }
  /** Parameters first, then what `local` declared. */
  readonly locals: Local[]
  readonly body: Instr[] = []
  /** The body as a branch target: `br_if(f.exit)` returns, with the results on the stack. */
  readonly exit: Label = label('exit')

  constructor(
    name: string,
    params: readonly (readonly [P, ValType])[],
    results: readonly ValType[],
    from?: From,
  ) {
    this.name = name
    this.from = from
    this.type = { params: params.map(([, type]) => type), results }
    this.locals = params.map(([key, type], index) => ({ name: key, type, index }))
    this.params = Object.fromEntries(this.locals.map(at => [at.name, at])) as { [K in P]: Local }
  }

  /** Declares a local, zero on entry. Consecutive locals of one type share an entry in the bytes. */
  local(name: string, type: ValType): Local {
    const made = { name, type, index: this.locals.length }
    this.locals.push(made)
    return made
  }

  /** Appends to the body. */
  emit(...code: readonly Code[]): this {
    flatten(code, this.body)
    return this
  }
}

export interface Global {
  readonly name: string
  readonly type: ValType
  readonly mutable: boolean
  /** The constant it starts with; for an imported global undefined. */
  readonly init: bigint | undefined
  readonly from: From | undefined
}

export interface Memory {
  /** Pages of 64 KiB, 0..65536. */
  readonly initial: number
  /** Required for a shared memory. */
  readonly maximum?: number
  readonly shared?: boolean
}

export interface Data {
  readonly name: string
  readonly bytes: Uint8Array
  /** Address to write to at every instantiation; undefined: passive, written only by `memory.init`. */
  readonly offset: number | undefined
}

export interface Export {
  readonly name: string
  readonly item: Func | Global | 'memory'
}

export interface Custom {
  readonly name: string
  readonly bytes: Uint8Array
}

export class Module {
  readonly name: string
  memory: (Memory & { readonly from: From | undefined }) | undefined
  readonly functions: Func[] = []
  readonly globals: Global[] = []
  readonly exports: Export[] = []
  readonly segments: Data[] = []
  /** Custom sections, written last; the name section is made from the names and is not listed. */
  readonly customs: Custom[] = []

  constructor(name = '') {
    this.name = name
  }

  importMemory(module: string, field: string, limits: Memory): void {
    this.memory = { ...limits, from: { module, field } }
  }

  /** A memory of the module's own. */
  ownMemory(limits: Memory): void {
    this.memory = { ...limits, from: undefined }
  }

  /** Declares a function. Parameter names must not look like array indices, which JavaScript would reorder. */
  func<P extends string>(
    name: string,
    params: { readonly [K in P]: ValType },
    results: readonly ValType[],
  ): Func<P> {
    return this.#add(new Func(name, entries(params), results))
  }

  importFunc<P extends string>(
    module: string,
    field: string,
    params: { readonly [K in P]: ValType },
    results: readonly ValType[],
  ): Func<P> {
    return this.#add(new Func(field, entries(params), results, { module, field }))
  }

  #add<P extends string>(func: Func<P>): Func<P> {
    this.functions.push(func)
    return func
  }

  /** A mutable global that starts at `init`. */
  global(name: string, type: 'i32' | 'i64', init: number | bigint): Global {
    return this.#addGlobal({ name, type, mutable: true, init: BigInt(init), from: undefined })
  }

  /** An immutable global with the given value. */
  constant(name: string, type: 'i32' | 'i64', value: number | bigint): Global {
    return this.#addGlobal({ name, type, mutable: false, init: BigInt(value), from: undefined })
  }

  importGlobal(module: string, field: string, type: 'i32' | 'i64', mutable = false): Global {
    return this.#addGlobal({ name: field, type, mutable, init: undefined, from: { module, field } })
  }

  #addGlobal(global: Global): Global {
    this.globals.push(global)
    return global
  }

  /** Bytes written to `offset` at every instantiation: with a shared memory, once per worker. */
  data(name: string, offset: number, bytes: Uint8Array): Data {
    const segment = { name, offset, bytes }
    this.segments.push(segment)
    return segment
  }

  /** Bytes that `memory.init` copies on request. */
  passiveData(name: string, bytes: Uint8Array): Data {
    const segment = { name, offset: undefined, bytes }
    this.segments.push(segment)
    return segment
  }

  export(name: string, item: Func | Global | 'memory'): void {
    this.exports.push({ name, item })
  }

  custom(name: string, bytes: Uint8Array): void {
    this.customs.push({ name, bytes })
  }

  /** Functions in index order: imported first. */
  functionIndexSpace(): Func[] {
    return [
      ...this.functions.filter(f => f.from !== undefined),
      ...this.functions.filter(f => f.from === undefined),
    ]
  }

  /** Globals in index order: imported first. */
  globalIndexSpace(): Global[] {
    return [
      ...this.globals.filter(g => g.from !== undefined),
      ...this.globals.filter(g => g.from === undefined),
    ]
  }

  /** The signatures in index order: those of functions, then those of blocks that need one, each once. */
  typeIndexSpace(): FuncType[] {
    const seen = new Map<string, FuncType>()
    const add = (type: FuncType) => {
      const key = typeKey(type)
      if (!seen.has(key)) seen.set(key, type)
    }
    const walk = (body: readonly Instr[]) => {
      for (const instr of body) {
        if (instr.kind !== 'block') continue
        if (!isShort(instr.type)) add(instr.type)
        walk(instr.body)
        walk(instr.otherwise ?? [])
      }
    }
    const functions = this.functionIndexSpace()
    for (const func of functions) add(func.type)
    for (const func of functions) walk(func.body)
    return [...seen.values()]
  }
}

/** Equal for equal signatures. */
export function typeKey(type: FuncType): string {
  return `${type.params.join()}>${type.results.join()}`
}

/** Whether a block of this type is written without an entry in the type section. */
export function isShort(type: FuncType): boolean {
  return type.params.length === 0 && type.results.length <= 1
}

function entries<P extends string>(params: { readonly [K in P]: ValType }): [P, ValType][] {
  const list = Object.entries(params) as [P, ValType][]
  const number = list.find(([name]) => /^\d+$/.test(name))
  if (number !== undefined)
    throw new RangeError(`a parameter is called ${number[0]}: JavaScript would reorder it`)
  return list
}
