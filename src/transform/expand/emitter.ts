// A terse way to write expanded code: arithmetic, state access and structured control over a FunctionBuilder.
//
// Addresses are byte offsets from the start of one state object. Read ir/builder.ts first.

import type { FunctionBuilder, Variable } from '../../ir/builder.js'
import { bitsOf } from '../../ir/ops.js'
import type { Instr, Type } from '../../ir/types.js'

export type Width = 1 | 2 | 4 | 8

export class Emitter {
  readonly builder: FunctionBuilder

  constructor(builder: FunctionBuilder) {
    this.builder = builder
  }

  i32(value: number): Instr {
    return this.builder.const('i32', value)
  }
  i64(value: bigint | number): Instr {
    return this.builder.const('i64', value)
  }
  i1(value: boolean): Instr {
    return this.builder.const('i1', value ? 1 : 0)
  }

  op(name: string, ...args: Instr[]): Instr {
    return this.builder.emit(name, args)
  }
  add(a: Instr, b: Instr | number): Instr {
    return this.op('add', a, this.like(a, b))
  }
  sub(a: Instr, b: Instr | number): Instr {
    return this.op('sub', a, this.like(a, b))
  }
  mul(a: Instr, b: Instr | number | bigint): Instr {
    return this.op('mul', a, this.like(a, b))
  }
  and(a: Instr, b: Instr | number): Instr {
    return this.op('and', a, this.like(a, b))
  }
  or(a: Instr, b: Instr | number): Instr {
    return this.op('or', a, this.like(a, b))
  }
  xor(a: Instr, b: Instr | number): Instr {
    return this.op('xor', a, this.like(a, b))
  }
  shl(a: Instr, by: number): Instr {
    return by === 0 ? a : this.op('shl', a, this.like(a, by))
  }
  shru(a: Instr, by: number): Instr {
    return by === 0 ? a : this.op('shru', a, this.like(a, by))
  }
  eq(a: Instr, b: Instr | number): Instr {
    return this.op('eq', a, this.like(a, b))
  }
  ne(a: Instr, b: Instr | number): Instr {
    return this.op('ne', a, this.like(a, b))
  }
  ltu(a: Instr, b: Instr | number): Instr {
    return this.op('ltu', a, this.like(a, b))
  }
  leu(a: Instr, b: Instr | number): Instr {
    return this.op('leu', a, this.like(a, b))
  }
  select(c: Instr, a: Instr, b: Instr | number): Instr {
    return this.builder.emit('select', [c, a, this.like(a, b)], {}, a.type)
  }
  /** Widens to 64 bits, filling with zeros. */
  wide(a: Instr): Instr {
    return a.type === 'i64' ? a : this.builder.emit('zext', [a], {}, 'i64')
  }
  /** The low 32 bits. */
  narrow(a: Instr): Instr {
    return a.type === 'i32'
      ? a
      : a.type === 'i1'
        ? this.builder.emit('zext', [a], {}, 'i32')
        : this.op('trunc', a)
  }
  call(callee: string, args: Instr[], type: Type): Instr {
    return this.builder.emit('call', args, { callee }, type)
  }

  private like(a: Instr, b: Instr | number | bigint): Instr {
    return typeof b === 'object' ? b : this.builder.const(a.type, b)
  }

  /** Reads `width` bytes at `at` + `offset` of an object; i64 for 8 bytes, i32 otherwise. */
  load(object: string, width: Width, at: Instr, offset = 0): Instr {
    return this.builder.emit('state.load', [at], { object, width, offset }, width === 8 ? 'i64' : 'i32')
  }
  store(object: string, width: Width, at: Instr, offset: number, value: Instr): void {
    this.builder.emit('state.store', [at, value], { object, width, offset })
  }
  /** Adds in one step; gives what was there before. */
  fetchAndAdd(object: string, width: Width, at: Instr, offset: number, amount: Instr): Instr {
    return this.builder.emit('state.add', [at, amount], { object, width, offset }, amount.type)
  }
  /** Adds a constant to a u32 of an object's header. */
  bump(object: string, offset: number, by = 1): void {
    const zero = this.i32(0)
    this.store(object, 4, zero, offset, this.add(this.load(object, 4, zero, offset), by))
  }

  variable(type: Type, value?: Instr): Variable {
    const v = this.builder.variable(type)
    if (value) this.builder.write(v, value)
    return v
  }
  get(v: Variable): Instr {
    return this.builder.read(v)
  }
  set(v: Variable, value: Instr): void {
    this.builder.write(v, value)
  }

  /** if (cond) then() else otherwise() */
  when(cond: Instr, then: () => void, otherwise?: () => void): void {
    const { builder } = this
    const yes = builder.block()
    const after = builder.block()
    const no = otherwise ? builder.block() : after
    builder.branch(cond, yes, no)
    builder.seal(yes)
    builder.at(yes)
    then()
    builder.jump(after)
    if (otherwise) {
      builder.seal(no)
      builder.at(no)
      otherwise()
      builder.jump(after)
    }
    builder.seal(after)
    builder.at(after)
  }

  /** for (i = 0; i < count; i++) body(i); body may call leave() to end the loop. `count` is evaluated every round. */
  repeat(count: (i: Instr) => Instr, body: (i: Instr, leave: () => void) => void): void {
    const { builder } = this
    const index = this.variable('i32', this.i32(0))
    const head = builder.block()
    const inside = builder.block()
    const after = builder.block()
    builder.jump(head)
    builder.at(head)
    builder.branch(count(this.get(index)), inside, after)
    builder.seal(inside)
    builder.at(inside)
    body(this.get(index), () => builder.jump(after))
    this.set(index, this.add(this.get(index), 1))
    builder.jump(head)
    builder.seal(head)
    builder.seal(after)
    builder.at(after)
  }
}

/** Reverses the low `width` bytes of a value: between a number and its big-endian bytes read little-endian. */
export function swapBytes(e: Emitter, value: Instr, width: Width): Instr {
  if (width === 1) return e.and(e.narrow(value), 0xff)
  if (width === 8) return e.op('bswap64', value)
  return e.op(width === 2 ? 'bswap16' : 'bswap32', e.narrow(value))
}

/** Reads a value leaf the way the language sees it. */
export function typed(e: Emitter, value: Instr, type: Type): Instr {
  if (type === value.type) return value
  if (type === 'i1') return e.ne(value, 0)
  return bitsOf(type) === 64 ? e.wide(value) : e.narrow(value)
}
