// HP12xx: declarations of state, parameters, constants, and the packet function.

import type { Entry } from './catalogue.js'

const program = (declarations: string, body = ''): string => {
  const known = [
    'table',
    'array',
    'cell',
    'pool',
    'parameter',
    'bytes',
    'milliseconds',
    'ipv4',
    'ipv6',
    'u8',
    'u32',
    'u64',
    'counter',
  ]
  const used = known.filter(n => new RegExp(`\\b${n}\\b`).test(declarations + body))
  return [
    `import { type Packet, Verdict, ${used.join(', ')} } from 'hairpin'`,
    '',
    declarations,
    '',
    'export default function example(packet: Packet): Verdict {',
    ...(body === '' ? [] : body.split('\n').map(l => `  ${l}`)),
    '  return Verdict.Pass',
    '}',
  ].join('\n')
}

export const declarationRules = {
  noPacketFunction: {
    code: 'HP1201',
    message: 'the program has no packet function',
    reason: 'The function that is exported as default is called for every packet.',
    suggestion: 'export default function program(packet: Packet): Verdict { return Verdict.Pass }',
    example:
      "import { type Packet, Verdict } from 'hairpin'\n\nexport function program(packet: Packet): Verdict {\n  return Verdict.Pass\n}",
  },
  declarationPlace: {
    code: 'HP1202',
    message: '{kind}() must initialise a constant at the top level',
    reason: 'State exists once per program and is named by its constant, in dumps, reports and options.',
    suggestion: 'const name = {kind}(…) at the top level of the module.',
    example: program('', 'const seen = cell(u32)\nseen.set(1)'),
  },
  constantExpected: {
    code: 'HP1203',
    message: '{what} must be a constant',
    reason: 'It decides the layout of state or the code that is generated, before the program starts.',
    suggestion: 'Write a number, or a module constant.',
    example: program(
      "const size = parameter(u32, 100, 'entries')\nconst seen = table({ key: u32, value: u8, capacity: size })",
    ),
  },
  unsoundDeclaration: {
    code: 'HP1204',
    message: '{message}',
    reason: 'State with this declaration cannot be laid out in memory.',
    example: program('const seen = table({ key: u32, value: u8, capacity: 0 })'),
  },
  expiryRange: {
    code: 'HP1205',
    message: '{ns} ns is no whole number of {unit} between 1 and {most}',
    reason: "An entry expires after a whole number of ticks of the table's 32-bit clock.",
    suggestion: "Round it, or name another unit: expire: { after, unit: 'us' }.",
    example: program(
      "const seen = table({ key: u32, value: u8, capacity: 10, expire: { after: milliseconds(1), unit: 's' } })",
    ),
  },
  parameterType: {
    code: 'HP1206',
    message: 'a parameter cannot be of type {type}',
    reason: 'Parameters are integers and truth values, which fit on a command line.',
    suggestion: 'Use a rule table for addresses and byte strings.',
    example: program("const server = parameter(ipv6, ipv6('::1'), 'the server')"),
  },
  addressText: {
    code: 'HP1207',
    message: "'{text}' is no {type}",
    reason: 'Addresses are written 10.0.0.1, 2001:db8::1 or 02:00:00:00:00:01.',
    example: program("const server = ipv4('10.0.0.256')"),
  },
  byteCount: {
    code: 'HP1208',
    message: '{found} is no number of bytes from 1 to 64',
    reason: 'A string of bytes is held in registers, 8 at a time.',
    example: program('const seen = table({ key: bytes(65), value: u8, capacity: 10 })'),
  },
  outsideFunction: {
    code: 'HP1209',
    message: '{what} can only be used in a function',
    reason:
      'Module constants are evaluated before there is a packet; state is read and changed packet by packet.',
    suggestion: 'Move it into the packet function.',
    example: program('const total = cell(u32)\nconst before = total.get()'),
  },
  stateTooLarge: {
    code: 'HP1210',
    message: '{message}',
    reason: 'A program and its state must fit the address space of one WebAssembly memory.',
    suggestion: 'Use a smaller capacity, or smaller keys and values.',
    example: program('const seen = table({ key: u32, value: u64, capacity: 300_000_000 })'),
  },
  packetFunctionType: {
    code: 'HP1211',
    message: 'the packet function {what}',
    reason: 'It is called with the packet, and what it returns becomes of the packet.',
    suggestion: 'export default function program(packet: Packet): Verdict { … }',
    example:
      "import { type Packet, type u32 } from 'hairpin'\n\nexport default function example(packet: Packet): u32 {\n  return packet.length\n}",
  },
} satisfies Record<string, Entry>
