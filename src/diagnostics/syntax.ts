// HP10xx: TypeScript that is outside the language.

import type { Entry } from './catalogue.js'

export const syntaxRules = {
  classes: {
    code: 'HP1001',
    message: 'classes are not in the language',
    reason:
      'Objects with identity need memory that is allocated while packets flow; a program has only declared state.',
    suggestion: 'Use module constants, functions, and a table, array or cell for what has to be remembered.',
    example: 'class Flow {}',
  },
  closures: {
    code: 'HP1002',
    message: 'functions cannot be values or stand inside functions',
    reason:
      'Every call is inlined, so the compiler must know which function is called; there are no closures.',
    suggestion: 'Declare `function name(…) { … }` at the top level and pass what it needs as arguments.',
    example: 'const twice = (x: u32): u32 => x * 2\nif (twice(packet.length) > 9) return Verdict.Drop',
  },
  exceptions: {
    code: 'HP1003',
    message: 'there are no exceptions',
    reason: 'A packet function always gives a verdict; nothing can be thrown past it.',
    suggestion: 'Return a verdict (Verdict.Drop), or undefined from a helper.',
    example: "throw 'bad packet'",
  },
  whileLoop: {
    code: 'HP1004',
    message: '`while` and `do` loops are not in the language',
    reason:
      'The number of iterations must have a bound that the compiler can prove, for the kernel and for replication.',
    suggestion: 'Write `for (let i = 0; i < 16 && condition; i++) { … }`.',
    example: 'let i = 0\nwhile (i < 3) i++',
  },
  forIn: {
    code: 'HP1005',
    message: '`for … in` is not in the language',
    reason: 'Values have no list of their property names while a program runs.',
    suggestion: 'Name the fields, or use `for (let i = 0; i < n; i++)`.',
    example: 'for (const k in packet) return Verdict.Drop',
  },
  templates: {
    code: 'HP1006',
    message: 'template strings are not in the language',
    reason: 'Programs compute with integers; text is only used in declarations.',
    example: 'const label = `${packet.length} bytes`',
  },
  strings: {
    code: 'HP1007',
    message: 'strings are not values of the language',
    reason:
      "Text is only used in declarations (descriptions, options) and in constants such as ipv4('10.0.0.1').",
    suggestion: 'Use a number: a module constant gives it a name.',
    example: "const name = 'flow'",
  },
  assertions: {
    code: 'HP1008',
    message: 'type assertions are not in the language',
    reason:
      'An assertion overrules the checks that keep every field read inside the packet and every integer in range.',
    suggestion: 'Convert with u8(x), u32(x), u64(x) …, or test the value; `as const` is allowed.',
    example: 'const n = packet.length as u32',
  },
  nonNull: {
    code: 'HP1009',
    message: '`!` is not in the language',
    reason:
      'It claims that a header or entry is there without looking. The check is what keeps reads inside the packet.',
    suggestion: 'Test it first: `if (!ip) return Verdict.Drop`, or use `?.` and `??`.',
    example: 'const ttl = packet.ipv4!.ttl',
  },
  anyType: {
    code: 'HP1010',
    message: 'the type `{type}` is not in the language',
    reason:
      'It switches type checking off, and the checks are what makes a program safe to run on any packet.',
    suggestion: 'Name the type: u32, Packet, Ipv4, or an interface of your own.',
    example: 'const x: any = packet.length',
  },
  looseEquality: {
    code: 'HP1011',
    message: '`{operator}` is not in the language; write `{strict}`',
    reason: 'Loose equality converts its operands; here both sides always have one type.',
    suggestion: 'Write `{strict}`.',
    example: 'if (packet.length == 60) return Verdict.Drop',
  },
  operators: {
    code: 'HP1012',
    message: '`{operator}` is not an operator of the language',
    reason: 'docs/language.md lists the operators with their meaning at every type.',
    example: 'const area = packet.length ** 2',
  },
  regularExpressions: {
    code: 'HP1013',
    message: 'regular expressions are not in the language',
    reason: 'Programs compute with integers and bounded reads of the packet.',
    suggestion: 'Compare fields or raw reads: packet.u16(12) === 0x0800.',
    example: 'const pattern = /GET/',
  },
  spreads: {
    code: 'HP1014',
    message: '`...` is not in the language',
    reason: 'Keys and values have exactly the fields of their declaration; each is written by name.',
    suggestion: 'Write the fields out.',
    example: 'const a = { x: 1 }\nconst b = { ...a }',
  },
  nulls: {
    code: 'HP1015',
    message: '`null` is not in the language',
    reason: 'What is absent is `undefined`, everywhere.',
    suggestion: 'Write `undefined`, `??` or `?.`.',
    example: 'const nothing = null',
  },
  labels: {
    code: 'HP1016',
    message: 'labels are not in the language',
    reason: '`break` and `continue` act on the innermost loop.',
    suggestion: 'Move the inner loop into a function and return from it.',
    example: 'outer: for (let i = 0; i < 3; i++) break outer',
  },
  varDeclaration: {
    code: 'HP1017',
    message: '`var` is not in the language',
    reason: 'Its scope is the whole function, whatever block it stands in.',
    suggestion: 'Write `let` or `const`.',
    example: 'var n = packet.length',
  },
  moduleVariable: {
    code: 'HP1018',
    message: 'a module cannot have variables',
    reason:
      'What is remembered between packets is state: it must be declared, so that it can be replicated and dumped.',
    suggestion: 'const {name} = cell(u32), then {name}.get() and {name}.set(value).',
    example: [
      "import { type Packet, Verdict } from 'hairpin'",
      'let total = 0',
      'export default function example(packet: Packet): Verdict {',
      '  total += packet.length',
      '  return Verdict.Pass',
      '}',
    ].join('\n'),
  },
  moduleStatement: {
    code: 'HP1019',
    message: 'this cannot stand at the top level',
    reason:
      'A module consists of imports, constants, declarations of state, types and functions; nothing runs on loading.',
    suggestion: 'Move it into the packet function.',
    example: [
      "import { type Packet, Verdict } from 'hairpin'",
      'if (1 < 2) {}',
      'export default function example(packet: Packet): Verdict {',
      '  return Verdict.Pass',
      '}',
    ].join('\n'),
  },
  foreignImport: {
    code: 'HP1020',
    message: "a program imports from 'hairpin' only",
    reason:
      'A program is one file: the compiler sees all of it, and its packets, state and time come from hairpin.',
    suggestion: "import { … } from 'hairpin', and copy the helper functions you need into this file.",
    example: [
      "import { type Packet, Verdict } from 'hairpin'",
      "import { readFileSync } from 'node:fs'",
      'export default function example(packet: Packet): Verdict {',
      '  return Verdict.Pass',
      '}',
    ].join('\n'),
  },
  coroutines: {
    code: 'HP1021',
    message: 'there are no async functions or generators',
    reason: 'A packet function runs to its verdict without waiting.',
    example: [
      "import { type Packet, Verdict } from 'hairpin'",
      'function* counting() {}',
      'export default function example(packet: Packet): Verdict {',
      '  return Verdict.Pass',
      '}',
    ].join('\n'),
  },
  ambient: {
    code: 'HP1022',
    message: '`{what}` is not in the language',
    reason: 'It declares something that the compiler cannot see or that TypeScript generates code for.',
    suggestion: 'Use constants: `const CLOSED = 0, OPEN = 1`.',
    example: [
      "import { type Packet, Verdict } from 'hairpin'",
      'enum State { Closed, Open }',
      'export default function example(packet: Packet): Verdict {',
      '  return Verdict.Pass',
      '}',
    ].join('\n'),
  },
  computedNames: {
    code: 'HP1023',
    message: 'an object literal here has plain named fields',
    reason:
      'It is a key or a value of a table, or options: fields and their values, no methods, accessors or computed names.',
    example: 'const a = { get x() { return 1 } }',
  },
  thisKeyword: {
    code: 'HP1024',
    message: '`{what}` is not in the language',
    reason: 'Functions get what they work on as arguments.',
    example: 'const n = import.meta',
  },
  caseDeclaration: {
    code: 'HP1025',
    message: 'a declaration in a `case` needs braces around the clause',
    reason: 'Without them its name is visible in the other clauses, where it may have no value.',
    suggestion: 'case 1: { const x = …; break }',
    example:
      'switch (packet.length) {\n  case 60:\n    const n = 1\n    if (n > packet.length) return Verdict.Drop\n}',
  },
  suppressedCheck: {
    code: 'HP1026',
    message: '`{what}` is not allowed in programs',
    reason: 'It hides type errors, and the type checks are what makes a program safe to run on any packet.',
    suggestion: 'Remove the comment and repair what TypeScript reports.',
    example: '// @ts-ignore\nconst n = packet.length',
  },
  typePredicate: {
    code: 'HP1027',
    message: 'type predicates are not in the language',
    reason: 'TypeScript believes a predicate without checking it, as it believes an assertion.',
    suggestion: 'Return the value or undefined, and let the caller test that.',
    example: [
      "import { type Ipv4, type Packet, Verdict } from 'hairpin'",
      'function isThere(ip: Ipv4 | undefined): ip is Ipv4 {',
      '  return ip !== undefined',
      '}',
      'export default function example(packet: Packet): Verdict {',
      '  return isThere(packet.ipv4) ? Verdict.Pass : Verdict.Drop',
      '}',
    ].join('\n'),
  },
  overloads: {
    code: 'HP1028',
    message: 'a function has one signature and a body',
    reason: 'TypeScript does not check that the body keeps what an overload promises.',
    suggestion: 'Write one function for each form.',
    example: [
      "import { type Packet, type u32, Verdict } from 'hairpin'",
      'function twice(x: u32): u32',
      'function twice(x: u32): u32 {',
      '  return x * 2',
      '}',
      'export default function example(packet: Packet): Verdict {',
      '  return twice(packet.length) > 100 ? Verdict.Pass : Verdict.Drop',
      '}',
    ].join('\n'),
  },
  definiteAssignment: {
    code: 'HP1029',
    message: '`!` on a declaration is not in the language',
    reason: 'It claims that the variable has a value where TypeScript sees none.',
    suggestion: 'Give it an initial value.',
    example: 'let n!: u32\nif (n > 9) return Verdict.Drop',
  },
  statements: {
    code: 'HP1030',
    message: 'this statement is not in the language',
    reason: 'The language has const, let, if, for, switch, return, break, continue, blocks and expressions.',
    example: 'debugger',
  },
} satisfies Record<string, Entry>
