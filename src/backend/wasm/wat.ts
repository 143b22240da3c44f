/**
 * Module to WebAssembly text, one instruction per line, indented by nesting. The text is complete: assembled by any
 * text-format tool it gives the bytes of encode.ts (custom sections apart, which become comments), because types
 * are listed in the same order. Names are made unique and free of characters the format does not allow; what has
 * no name is called by its index.
 *
 * Source: WebAssembly Core Specification 2.0, section 6. Read asm.ts first.
 */
import type { FuncType, Instr, Label, Local } from './asm.js'
import { isShort, typeKey, type Data, type Func, type Global, type Memory, type Module } from './module.js'

/** Prints a whole module. */
export function printModule(module: Module): string {
  return new Printer(module).module()
}

/** Prints one function of the module. */
export function printFunc(module: Module, func: Func): string {
  return new Printer(module).func(func).join('\n') + '\n'
}

/** How an instruction refers to what it uses. */
export interface Ids {
  of(item: { readonly name: string }): string
  type(type: FuncType): string
}

const UNNAMED = '?'

/** Names as they are, for messages about a single instruction. */
export const plainIds: Ids = { of: item => identifier(item.name, UNNAMED), type: signature }

/** The line that begins the instruction: for structured ones, without their body. */
export function head(instr: Instr, ids: Ids = plainIds): string {
  const { name } = instr.op
  switch (instr.kind) {
    case 'plain':
      return name
    case 'local':
      return `${name} ${ids.of(instr.local)}`
    case 'global':
      return `${name} ${ids.of(instr.global)}`
    case 'call':
      return `${name} ${ids.of(instr.func)}`
    case 'data':
      return `${name} ${ids.of(instr.data)}`
    case 'memory': {
      const offset = instr.offset === 0 ? '' : ` offset=${instr.offset}`
      return `${name}${offset}${instr.align === instr.op.width ? '' : ` align=${instr.align}`}`
    }
    case 'i32':
    case 'i64':
      return `${name} ${instr.value}`
    case 'v128':
      return `${name} i64x2 ${BigInt.asIntN(64, instr.value)} ${BigInt.asIntN(64, instr.value >> 64n)}`
    case 'lane':
      return `${name} ${instr.lane}`
    case 'branch':
      return `${name} ${ids.of(instr.target)}`
    case 'table':
      return [name, ...[...instr.targets, instr.otherwise].map(target => ids.of(target))].join(' ')
    case 'block': {
      const type = isShort(instr.type) ? signature(instr.type) : ids.type(instr.type)
      const id = ids.of(instr.label)
      return words(name, id === UNNAMED ? '' : id, type)
    }
  }
}

/** `$name` with disallowed characters replaced, or the fallback for an empty name. */
function identifier(name: string, fallback: string): string {
  return name === '' ? fallback : `$${name.replace(/[^\w!#$%&'*+\-./:<=>?@\\^`|~]/g, '_')}`
}

function signature(type: FuncType): string {
  return words(side('param', type.params), side('result', type.results))
}

function side(word: string, types: readonly string[]): string {
  return types.length > 0 ? `(${word} ${types.join(' ')})` : ''
}

/** The words that are there, with a blank between them. */
function words(...parts: readonly string[]): string {
  return parts.filter(part => part !== '').join(' ')
}

function quoted(bytes: Uint8Array): string {
  const text = Array.from(bytes, byte => {
    const plain = byte >= 0x20 && byte < 0x7f && byte !== 0x22 && byte !== 0x5c
    return plain ? String.fromCharCode(byte) : `\\${byte.toString(16).padStart(2, '0')}`
  })
  return `"${text.join('')}"`
}

const utf8 = new TextEncoder()
function string(text: string): string {
  return quoted(utf8.encode(text))
}

class Printer implements Ids {
  readonly #module: Module
  readonly #types: ReadonlyMap<string, number>
  readonly #ids = new Map<object, string>()

  constructor(module: Module) {
    this.#module = module
    this.#types = new Map(module.typeIndexSpace().map((type, index) => [typeKey(type), index]))
    this.#identify(module.functionIndexSpace())
    this.#identify(module.globalIndexSpace())
    this.#identify(module.segments)
  }

  of(item: Local | Label | Func | Global | Data): string {
    return this.#ids.get(item) ?? identifier(item.name, UNNAMED)
  }

  type(type: FuncType): string {
    return words(`(type ${this.#types.get(typeKey(type))})`, signature(type))
  }

  /** The identifier where the item is declared: an index is not written there. */
  #name(item: Local | Func | Global | Data): string {
    const id = this.of(item)
    return id.startsWith('$') ? id : ''
  }

  /** Gives each item of an index space an identifier, unique within it. */
  #identify(items: readonly { readonly name: string }[]): void {
    const taken = new Set<string>()
    items.forEach((item, index) => {
      let id = identifier(item.name, String(index))
      while (taken.has(id)) id += `.${index}`
      taken.add(id)
      this.#ids.set(item, id)
    })
  }

  /** Gives a label an identifier that no enclosing label has. */
  #enter(label: Label, scope: readonly string[]): string {
    let id = identifier(label.name, `$${scope.length}`)
    while (scope.includes(id)) id += `.${scope.length}`
    this.#ids.set(label, id)
    return id
  }

  module(): string {
    const { name, memory, exports, segments, customs } = this.#module
    const lines: string[] = []
    for (const type of this.#module.typeIndexSpace())
      lines.push(`(type (func ${signature(type)}))`.replace(' )', ')'))
    if (memory?.from !== undefined) lines.push(this.#import(memory.from, limits(memory)))
    for (const func of this.#module.functions) {
      if (func.from !== undefined)
        lines.push(this.#import(func.from, words('(func', this.#name(func), this.type(func.type)) + ')'))
    }
    for (const global of this.#module.globals) {
      if (global.from !== undefined) lines.push(this.#import(global.from, this.#global(global)))
    }
    if (memory !== undefined && memory.from === undefined) lines.push(limits(memory))
    for (const global of this.#module.globals) if (global.from === undefined) lines.push(this.#global(global))
    for (const { name: title, item } of exports) {
      const what = item === 'memory' ? 'memory 0' : `${'body' in item ? 'func' : 'global'} ${this.of(item)}`
      lines.push(`(export ${string(title)} (${what}))`)
    }
    for (const func of this.#module.functions) if (func.from === undefined) lines.push(...this.func(func))
    for (const segment of segments) {
      const where = segment.offset === undefined ? '' : `(i32.const ${segment.offset})`
      lines.push(words('(data', this.#name(segment), where, quoted(segment.bytes)) + ')')
    }
    for (const custom of customs)
      lines.push(`;; custom section ${string(custom.name)}, ${custom.bytes.length} bytes`)
    const title = words('(module', identifier(name, ''))
    return [title, ...lines.map(line => `  ${line}`), ')', ''].join('\n')
  }

  #import(from: { module: string; field: string }, what: string): string {
    return `(import ${string(from.module)} ${string(from.field)} ${what})`
  }

  #global(global: Global): string {
    const type = global.mutable ? `(mut ${global.type})` : global.type
    const init = global.init === undefined ? '' : `(${global.type}.const ${global.init})`
    return words('(global', this.#name(global), type, init) + ')'
  }

  func(func: Func): string[] {
    this.#identify(func.locals)
    const declare = (word: string, local: Local) => words(`(${word}`, this.#name(local), local.type) + ')'
    const count = func.type.params.length
    const params = func.locals.slice(0, count).map(local => declare('param', local))
    const results = func.type.results.map(type => `(result ${type})`)
    const type = `(type ${this.#types.get(typeKey(func.type))})`
    const lines = [words('(func', this.#name(func), type, ...params, ...results)]
    for (const local of func.locals.slice(count)) lines.push(`  ${declare('local', local)}`)
    // `exit` labels the function, which has no name in the text: it is known by its depth, counted from each use
    this.#body(func.body, [], '  ', lines, func.exit)
    return [...lines, ')']
  }

  #body(
    body: readonly Instr[],
    scope: readonly string[],
    indent: string,
    lines: string[],
    exit: Label,
  ): void {
    this.#ids.set(exit, String(scope.length))
    for (const instr of body) {
      if (instr.kind !== 'block') {
        lines.push(indent + head(instr, this))
        continue
      }
      const inner = [...scope, this.#enter(instr.label, scope)]
      lines.push(indent + head(instr, this))
      this.#body(instr.body, inner, indent + '  ', lines, exit)
      if (instr.otherwise !== undefined) {
        lines.push(indent + 'else')
        this.#body(instr.otherwise, inner, indent + '  ', lines, exit)
      }
      lines.push(indent + 'end')
      this.#ids.set(exit, String(scope.length))
    }
  }
}

function limits(memory: Memory): string {
  const maximum = memory.maximum === undefined ? '' : ` ${memory.maximum}`
  return `(memory ${memory.initial}${maximum}${memory.shared === true ? ' shared' : ''})`
}
