/** A random program: declarations, helper functions, and a packet function. Equal seeds give equal programs. */

import { declarations } from './declarations.js'
import { Draw } from './draw.js'
import { Scope } from './scope.js'
import type { Globals } from './scope.js'
import { returned, statements } from './statements.js'
import { block, module, print, statement } from './tree.js'
import type { Tree } from './tree.js'
import { plain } from './types.js'

/** What programs import if they mention it. */
const names = [
  ...['u8', 'u16', 'u32', 'i32', 'u64', 'i64', 'bool', 'ipv4', 'ipv6', 'port', 'mac', 'bytes'],
  ...[
    'table',
    'array',
    'cell',
    'pool',
    'rules',
    'lpm',
    'devices',
    'parameter',
    'counter',
    'random',
    'redirect',
  ],
  ...['milliseconds', 'microseconds', 'Verdict'],
]

/** The program's source text. */
export function sourceOf(tree: Tree): string {
  const text = print(tree)
  const types = /\bBytes</.test(text) ? ['type Bytes', 'type Packet'] : ['type Packet']
  const used = names.filter(name => new RegExp(`\\b${name}\\b`).test(text))
  return `import { ${[...types, ...used].join(', ')} } from 'hairpin'\n\n${text}`
}

export function randomProgram(seed: number): Tree {
  const draw = new Draw(seed)
  const declared = declarations(draw)
  const globals: Globals = {
    draw,
    declared,
    helpers: [],
    budget: 10 + draw.below(25),
    next: 0,
    mutated: false,
  }
  const functions: Tree[] = []
  for (let n = draw.below(3); n > 0; n--) functions.push(helper(globals))
  const scope = new Scope(globals, undefined)
  enter(scope, true)
  const body = [...statements(scope, 4 + draw.below(6), 3), returned(scope)]
  return module([
    ...declared.trees,
    ...functions,
    statement('export default function randomProgram(packet: Packet): Verdict ', block(body)),
  ])
}

function enter(scope: Scope, packet: boolean): void {
  for (const { name, type, literal } of scope.declared.values)
    scope.variables.push({ name, type, mutable: false, literal })
  if (packet) scope.views.push({ name: 'packet', view: 'packet' })
}

/** A function of a few parameters, with effects on state or without. */
function helper(globals: Globals): Tree {
  const { draw } = globals
  const result = draw.pick(plain)
  const parameters = Array.from({ length: draw.below(3) }, () => draw.pick(plain))
  const packet = draw.chance(1, 2)
  const scope = new Scope(globals, result)
  enter(scope, packet)
  const names = parameters.map(type => {
    const name = scope.fresh('p')
    scope.variables.push({ name, type, mutable: false })
    return `${name}: ${type.annotation}`
  })
  globals.mutated = false
  const body = [...statements(scope, draw.below(4), 2), returned(scope)]
  const name = `helper${globals.helpers.length}`
  globals.helpers.push({ name, parameters, packet, result, mutates: globals.mutated })
  const all = packet ? ['packet: Packet', ...names] : names
  return statement(`function ${name}(${all.join(', ')}): ${result.annotation} `, block(body))
}
