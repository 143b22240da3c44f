/**
 * Checks the types of function bodies before an engine sees them, and says which instruction is at fault, between
 * its neighbours and, if `traceAuthors` is on, with the line of the code that wrote it. For tests and debugging;
 * an engine validates again when it compiles.
 *
 * The algorithm is the one of the specification: an operand stack of types, a control stack of frames, and operands
 * of any type after an instruction that does not go on. Beyond types it finds locals and labels of other functions,
 * which by their index alone would pass unnoticed.
 *
 * Source: WebAssembly Core Specification 2.0, appendix "Validation Algorithm". Read asm.ts first.
 */
import { authorOf, type FuncType, type Instr, type Label } from './asm.js'
import type { Func, Module } from './module.js'
import { opcodes, type ValType } from './opcodes.js'
import { head } from './wat.js'

export interface Fault {
  readonly func: string
  readonly instr: Instr | undefined
  /** Position of the instruction in the function's text, counting from 0; its length: at the end. */
  readonly at: number
  readonly reason: string
  /** `file:line:column` of the nearest traced instruction up to the fault. */
  readonly author: string | undefined
  /** A few lines of text around the fault, the faulty one marked with `>`. */
  readonly excerpt: string
}

/** The first fault of each function, in order; none if all are well-typed. */
export function check(module: Module): Fault[] {
  const faults: Fault[] = []
  for (const func of module.functions) {
    if (func.from !== undefined) continue
    const fault = new Checker(module, func).run()
    if (fault !== undefined) faults.push(fault)
  }
  return faults
}

/** Throws an error with every fault, or returns. */
export function assertWellTyped(module: Module): void {
  const faults = check(module)
  if (faults.length > 0) throw new TypeError(faults.map(renderFault).join('\n'))
}

export function renderFault(fault: Fault): string {
  const where = fault.author === undefined ? '' : `\n  written at ${fault.author}`
  return `function ${fault.func}, instruction ${fault.at}: ${fault.reason}${where}\n${fault.excerpt}`
}

/** A type, or any type below an instruction that does not go on. */
type Operand = ValType | 'any'

interface Frame {
  readonly label: Label
  /** What a branch to the label must leave on the stack. */
  readonly branch: readonly ValType[]
  readonly results: readonly ValType[]
  readonly height: number
  dead: boolean
}

class Mismatch extends Error {}

const CONTEXT = 4

class Checker {
  readonly #module: Module
  readonly #func: Func
  readonly #stack: Operand[] = []
  readonly #frames: Frame[] = []
  /** Every instruction passed so far with its line; structured ones add `else` and `end`. */
  readonly #passed: { readonly instr: Instr | undefined; readonly text: string }[] = []

  constructor(module: Module, func: Func) {
    this.#module = module
    this.#func = func
  }

  run(): Fault | undefined {
    const { type, exit, body } = this.#func
    try {
      this.#enter(exit, type.results, type.results)
      this.#body(body)
      this.#pass(undefined, 'end')
      this.#leave()
      return undefined
    } catch (error) {
      if (!(error instanceof Mismatch)) throw error
      return this.#fault(error.message)
    }
  }

  #fault(reason: string): Fault {
    const at = this.#passed.length - 1
    const first = Math.max(0, at - CONTEXT)
    const lines = this.#passed.slice(first).map(({ text }, index) => {
      const number = first + index
      return `${number === at ? '>' : ' '} ${String(number).padStart(5)}  ${text}`
    })
    const traced = this.#passed.findLast(({ instr }) => instr !== undefined && authorOf(instr) !== undefined)
    return {
      func: this.#func.name,
      instr: this.#passed[at].instr,
      at,
      reason,
      author: traced?.instr && authorOf(traced.instr),
      excerpt: lines.join('\n'),
    }
  }

  #pass(instr: Instr | undefined, text: string): void {
    this.#passed.push({ instr, text: '  '.repeat(Math.max(0, this.#frames.length - 1)) + text })
  }

  // --- the two stacks -------------------------------------------------------------------------------------------

  #pop(want: ValType | 'any', role: string): Operand {
    const frame = this.#frames[this.#frames.length - 1]
    if (this.#stack.length === frame.height) {
      if (frame.dead) return 'any'
      throw new Mismatch(`${role} wants ${want === 'any' ? 'an operand' : want}, the stack is empty here`)
    }
    const got = this.#stack.pop()!
    if (got !== want && got !== 'any' && want !== 'any') {
      throw new Mismatch(
        `${role} wants ${want}, the stack has ${[...this.#stack.slice(frame.height), got].join(' ')}`,
      )
    }
    return got
  }

  #popAll(types: readonly ValType[], role: string): void {
    for (let at = types.length - 1; at >= 0; at--) this.#pop(types[at], role)
  }

  #push(types: readonly Operand[]): void {
    for (const type of types) this.#stack.push(type)
  }

  #enter(label: Label, branch: readonly ValType[], results: readonly ValType[]): void {
    this.#frames.push({ label, branch, results, height: this.#stack.length, dead: false })
  }

  #leave(): void {
    const frame = this.#frames[this.#frames.length - 1]
    this.#popAll(frame.results, 'the end of the block')
    const extra = this.#stack.length - frame.height
    if (extra > 0)
      throw new Mismatch(`the block ends with ${this.#stack.slice(frame.height).join(' ')} left over`)
    this.#frames.pop()
  }

  /** What follows is never reached: the stack holds whatever is asked of it. */
  #stop(): void {
    const frame = this.#frames[this.#frames.length - 1]
    this.#stack.length = frame.height
    frame.dead = true
  }

  #target(label: Label): readonly ValType[] {
    const frame = this.#frames.findLast(each => each.label === label)
    if (frame === undefined) throw new Mismatch(`label '${label.name}' does not enclose the branch`)
    return frame.branch
  }

  // --- instructions ---------------------------------------------------------------------------------------------

  #body(body: readonly Instr[]): void {
    for (const instr of body) {
      this.#pass(instr, head(instr))
      this.#instr(instr)
    }
  }

  #instr(instr: Instr): void {
    const { op } = instr
    switch (instr.kind) {
      case 'plain':
        if (op === opcodes.unreachable) this.#stop()
        else if (op === opcodes.return) {
          this.#popAll(this.#func.type.results, op.name)
          this.#stop()
        } else if (op === opcodes.drop) this.#pop('any', op.name)
        else if (op === opcodes.select) this.#select()
        else {
          if (op.immediate !== 'none' && op !== opcodes['atomic.fence']) this.#needMemory()
          this.#apply(op)
        }
        break
      case 'i32':
      case 'i64':
      case 'v128':
      case 'lane':
        this.#apply(op)
        break
      case 'memory':
        this.#needMemory()
        if (op.atomic ? instr.align !== op.width : instr.align > op.width) {
          throw new Mismatch(`alignment ${instr.align} for an access of ${op.width} bytes`)
        }
        this.#apply(op)
        break
      case 'data':
        if (!this.#module.segments.some(segment => segment === instr.data)) {
          throw new Mismatch(`data segment '${instr.data.name}' is of another module`)
        }
        this.#apply(op)
        break
      case 'local': {
        const { local } = instr
        if (this.#func.locals[local.index] !== local)
          throw new Mismatch(`local '${local.name}' is of another function`)
        if (op !== opcodes['local.get']) this.#pop(local.type, op.name)
        if (op !== opcodes['local.set']) this.#push([local.type])
        break
      }
      case 'global': {
        const { global } = instr
        if (!this.#module.globals.some(each => each === global)) {
          throw new Mismatch(`global '${global.name}' is of another module`)
        }
        if (op === opcodes['global.get']) this.#push([global.type])
        else if (!global.mutable) throw new Mismatch(`global '${global.name}' is constant`)
        else this.#pop(global.type, op.name)
        break
      }
      case 'call':
        if (!this.#module.functions.some(func => func === instr.func)) {
          throw new Mismatch(`function '${instr.func.name}' is of another module`)
        }
        this.#apply({ ...instr.func.type, name: `${op.name} ${instr.func.name}` })
        break
      case 'branch': {
        if (op === opcodes.br_if) this.#pop('i32', op.name)
        const types = this.#target(instr.target)
        this.#popAll(types, op.name)
        if (op === opcodes.br_if) this.#push(types)
        else this.#stop()
        break
      }
      case 'table': {
        this.#pop('i32', op.name)
        const types = this.#target(instr.otherwise)
        for (const target of instr.targets) {
          const other = this.#target(target)
          if (other.join() !== types.join()) throw new Mismatch('the targets take different operands')
        }
        this.#popAll(types, op.name)
        this.#stop()
        break
      }
      case 'block': {
        const { type, label } = instr
        if (op === opcodes.if) this.#pop('i32', op.name)
        this.#popAll(type.params, op.name)
        const branch = op === opcodes.loop ? type.params : type.results
        this.#arm(instr.body, type, label, branch)
        if (
          op === opcodes.if &&
          instr.otherwise === undefined &&
          type.params.join() !== type.results.join()
        ) {
          throw new Mismatch('if without else, but with results')
        }
        if (instr.otherwise !== undefined) {
          this.#pass(instr, 'else')
          this.#arm(instr.otherwise, type, label, branch)
        }
        this.#push(type.results)
        break
      }
    }
  }

  #arm(body: readonly Instr[], type: FuncType, label: Label, branch: readonly ValType[]): void {
    this.#enter(label, branch, type.results)
    this.#push(type.params)
    this.#body(body)
    this.#pass(undefined, 'end')
    this.#leave()
  }

  #apply(op: FuncType & { readonly name: string }): void {
    this.#popAll(op.params, op.name)
    this.#push(op.results)
  }

  #select(): void {
    this.#pop('i32', 'select')
    const second = this.#pop('any', 'select')
    const first = this.#pop(second, 'select')
    this.#push([first === 'any' ? second : first])
  }

  #needMemory(): void {
    if (this.#module.memory === undefined) throw new Mismatch('the module has no memory')
  }
}
