// HP11xx: values, integers, control flow.

import type { Entry } from './catalogue.js'

const program = (declarations: string, body: string, imports: string): string =>
  [
    `import { type Packet, Verdict, ${imports} } from 'hairpin'`,
    '',
    declarations,
    '',
    'export default function example(packet: Packet): Verdict {',
    ...body.split('\n').map(l => `  ${l}`),
    '  return Verdict.Pass',
    '}',
  ].join('\n')

export const valueRules = {
  literalDoesNotFit: {
    code: 'HP1101',
    message: '{value} does not fit {type}',
    reason: 'The store would cut it to another number.',
    suggestion: 'Use a wider type, or {type}({value}) if cutting it is what you mean.',
    example: 'const n: u8 = 300\nif (packet.length < n) return Verdict.Drop',
  },
  literalOutOfRange: {
    code: 'HP1102',
    message: '`{operator}` between {type} and {value}, which {type} cannot hold',
    reason: 'The operation is done in the type of the variable, where this number does not exist.',
    suggestion: 'Convert the variable: i32(x) for negative numbers, u64(x) for large ones.',
    example: 'if (packet.length > -1) return Verdict.Drop',
  },
  mixedSigns: {
    code: 'HP1103',
    message: '`{operator}` between {a} and {b}',
    reason: 'One side is signed, the other is not, and neither type holds all values of both.',
    suggestion: 'Convert one side: u32(x) or i32(x) (u64, i64 for bigint).',
    example: 'const d: i32 = -5\nif (d < packet.length) return Verdict.Drop',
  },
  constantOverflow: {
    code: 'HP1104',
    message: '{value} does not fit {bits} bits',
    reason: 'Numbers have 32 bits and bigints 64; a constant beyond that would be cut silently.',
    suggestion: 'Use bigint (1n) for 64 bits, or mask the result.',
    example: 'const n = 60 * 60 * 1000 * 1000 * 1000\nif (packet.length < n) return Verdict.Drop',
  },
  fraction: {
    code: 'HP1105',
    message: '{text} is not a whole number',
    reason: 'All numbers are integers: the kernel has no floating point, and replicas must agree to the bit.',
    suggestion: 'Scale it: count in thousandths, or multiply before dividing.',
    example: 'if (packet.length > 1.5) return Verdict.Drop',
  },
  notAValue: {
    code: 'HP1106',
    message: '{found} cannot be kept in a variable or chosen between',
    reason: 'Which state, function or text is meant must be known when the program is compiled.',
    suggestion: 'Use it by its own name in each branch.',
    example: program(
      'const a = cell(u32)\nconst b = cell(u32)',
      'const c = packet.length > 100 ? a : b\nc.set(1)',
      'cell, u32',
    ),
  },
  noCommonType: {
    code: 'HP1107',
    message: 'a value that is either {a} or {b} has no type',
    reason:
      'A variable has one type: a number, a bigint or a truth value, signed or not, or one kind of view.',
    suggestion:
      'Convert one side with u32(x), u64(x) or i32(x); use two kinds of view each in a branch of its own.',
    example: 'const n = packet.length > 100 ? 1 : 2n\nif (n === 1) return Verdict.Drop',
  },
  operandExpected: {
    code: 'HP1108',
    message: '`{operator}` cannot be applied to {a}{b}',
    reason: 'Operators work on numbers, bigints and truth values; `===` also on addresses and bytes.',
    suggestion: 'Compare fields, or test whether it is there: `x !== undefined`.',
    example: 'if (packet.ipv4 === packet.ipv4) return Verdict.Drop',
  },
  conditionExpected: {
    code: 'HP1109',
    message: '{found} is no condition',
    reason: 'It exists only while the program is compiled, so it is never absent.',
    example: program('const seen = cell(u32)', 'if (seen) return Verdict.Drop', 'cell, u32'),
  },
  recursion: {
    code: 'HP1110',
    message: 'recursion: {cycle}',
    reason: 'Every call is inlined, which a function that calls itself would make endless.',
    suggestion: 'Write a bounded `for` loop.',
    example: program(
      'function count(n: u32): u32 {\n  return n === 0 ? 0 : count(n - 1)\n}',
      'if (count(packet.length) > 3) return Verdict.Drop',
      'type u32',
    ),
  },
  unboundedFor: {
    code: 'HP1111',
    message: 'this loop has no bound that can be proved: {why}',
    reason:
      'A `for` loop declares a counter with a constant start, compares it with a constant (other conditions may follow ' +
      'with &&), and steps it by a constant; at most 65,536 iterations.',
    suggestion: 'for (let i = 0; i < 64 && i < n; i++) { … }',
    example: 'for (let i = 0; i < packet.length; i++) if (packet.u8(i) === 0) return Verdict.Drop',
  },
  forOf: {
    code: 'HP1112',
    message: '`for … of` over {found}',
    reason: 'It is unrolled, so it needs a literal array of at most {most} elements.',
    suggestion: 'const ports = [80, 443] at the top level, then for (const p of ports) …',
    example: `for (const p of [${Array.from({ length: 65 }, (_, k) => k).join(', ')}]) if (packet.length === p) return Verdict.Drop`,
  },
  indexOutOfRange: {
    code: 'HP1113',
    message: 'index {index} of an array with {length} elements',
    reason: 'There is no such element.',
    example: program(
      'const ports = [80, 443]',
      'if (packet.length === ports[2]) return Verdict.Drop',
      'type u32',
    ).replace(', type u32', ''),
  },
  constantArray: {
    code: 'HP1114',
    message: 'a variable index needs an array of at most 64 constants of one kind',
    reason: 'The element is chosen by comparing the index with each position.',
    suggestion: 'Use array(type, length) for data, or a constant index.',
    example: 'const two = [packet.length, 1]\nif (two[packet.length & 1] === 1) return Verdict.Drop',
  },
  indexedAccess: {
    code: 'HP1115',
    message: '`[ ]` on {found}',
    reason: 'Brackets pick an element of a literal array; fields have names.',
    suggestion: 'Write x.name, or ring.get(i) and ring.at(i) for an array of state.',
    example: "if (packet['length'] > 100) return Verdict.Drop",
  },
  assignmentTarget: {
    code: 'HP1116',
    message: '{target} cannot be assigned',
    reason: 'Variables, fields of entries and writable packet fields can be assigned, one at a time.',
    example: 'let n = 0\n;({ n } = { n: packet.length })\nif (n > 9) return Verdict.Drop',
  },
  recordMutation: {
    code: 'HP1117',
    message: 'field {field} of a record cannot be assigned',
    reason: 'A record is a value (a key, a snapshot): changing it in place would not reach the table.',
    suggestion: 'Make a new record, or change the entry that upsert() gives.',
    example:
      'const key = { length: packet.length }\nkey.length = 1\nif (key.length === 1) return Verdict.Drop',
  },
  uninitialised: {
    code: 'HP1118',
    message: '{name} has neither a type nor a value',
    reason: 'Its width in bits would be unknown.',
    suggestion: 'let {name}: u32 = 0',
    example: 'let n\nn = packet.length\nif (n > 9) return Verdict.Drop',
  },
} satisfies Record<string, Entry>
