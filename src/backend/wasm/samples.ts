/**
 * For the tests of this folder: a well-typed module that uses every instruction of the table. Not part of the
 * product. Read module.ts first.
 */
import * as asm from './asm.js'
import { block, drop, i32, i64, label, local, v128, type Code } from './asm.js'
import { Module, type Func } from './module.js'
import { opcodes, type Opcode, type ValType } from './opcodes.js'

const ANY: Readonly<Record<ValType, Code>> = {
  i32: i32.const(-5),
  i64: i64.const(0x0123_4567_89ab_cdefn),
  v128: [i32.const(16), v128.load()],
}

/** A module with a function per instruction, named after it, that gives it operands and drops its results. */
export function everyInstruction(): Module {
  const module = new Module('every')
  module.importMemory('env', 'memory', { initial: 1, maximum: 2, shared: true })
  for (const op of Object.values(opcodes)) {
    const func = module.func(op.name, { x: 'i64' }, ['i32'])
    func.emit(use(module, func, op), i32.const(7))
  }
  return module
}

function use(module: Module, func: Func<'x'>, op: Opcode): Code {
  const operands = op.params.map(type => ANY[type])
  const drops = op.results.map(() => drop)
  const { x } = func.params
  switch (op.immediate) {
    case 'none':
    case 'zero':
    case 'zeros':
      if (op === opcodes.drop) return [i32.const(1), drop]
      if (op === opcodes.select) return [ANY.i64, ANY.i64, ANY.i32, asm.select, drop]
      if (op === opcodes.return) return [i32.const(1), asm.return_]
      return [operands, { kind: 'plain', op }, drops]
    case 'memarg':
      return [
        operands,
        { kind: 'memory', op, offset: 0xffff_fff0, align: op.width },
        drops,
        op.atomic ? [] : [operands, { kind: 'memory', op, offset: 3, align: 1 }, drops],
      ]
    case 'i32':
      return [i32.const(-0x8000_0000), drop, i32.const(0x7fff_ffff), drop]
    case 'i64':
      return [i64.const(-(1n << 63n)), drop, i64.const((1n << 63n) - 1n), drop]
    case 'v128':
      return [asm.v128.const((0x80n << 120n) | 0x7fn), drop]
    case 'lane':
      return [0, 1].map(lane => [operands, { kind: 'lane', op, lane } as const, drops])
    case 'init':
    case 'data': {
      const segment = module.passiveData(`bytes of ${op.name}`, new Uint8Array([0x22, 0x5c, 0x41, 0, 0xff]))
      return [operands, { kind: 'data', op, data: segment }]
    }
    case 'func':
      return [local.get(x), asm.call(func), drop]
    case 'local':
      if (op === opcodes['local.get']) return [local.get(x), drop]
      return [ANY.i64, { kind: 'local', op, local: x }, op === opcodes['local.tee'] ? drop : []]
    case 'global': {
      const made = module.global(`of ${op.name}`, 'i64', -2)
      return op === opcodes['global.get'] ? [asm.global.get(made), drop] : [ANY.i64, asm.global.set(made)]
    }
    case 'label':
    case 'labels':
    case 'block':
      return control(func, op)
  }
}

function control(func: Func<'x'>, op: Opcode): Code {
  const out = label('out')
  const again = label('again')
  const same = label('again')
  switch (op.name) {
    case 'br':
      return [block(out, 'i64', [i64.const(1), asm.br(out)]), drop]
    case 'br_if':
      return [
        i32.const(9),
        i32.const(0),
        asm.br_if(func.exit),
        drop,
        asm.loop(again, [i32.const(0), asm.br_if(again)]),
      ]
    case 'br_table':
      return block(out, block(again, block(same, [i32.const(1), asm.br_table([out, same], again)])))
    case 'if': {
      const lone = [i32.const(0), asm.if_(out, asm.br(out))]
      return [lone, i32.const(1), asm.if_('i32', i32.const(1), [lone, i32.const(2)]), drop]
    }
    case 'loop': {
      const type = { params: ['i32'], results: ['i64'] } as const
      return [i32.const(1), asm.loop(again, type, [i32.const(0), asm.br_if(again), drop, i64.const(3)]), drop]
    }
    default:
      return [block(out, { params: [], results: ['i32', 'i64'] }, [i32.const(1), i64.const(2)]), drop, drop]
  }
}
