// What to write instead, for the errors of TypeScript that authors of programs meet most, and without the inner
// workings of our own types that its explanations would show.

/** A reason and a suggestion in place of TypeScript's chain of explanations. */
export interface Hint {
  readonly reason?: string
  readonly suggestion?: string
}

/** Conversion functions by the type they give. */
const conversions: Readonly<Record<string, string>> = {
  u8: 'u8',
  u16: 'u16',
  u32: 'u32',
  i32: 'i32',
  u64: 'u64',
  i64: 'i64',
  boolean: 'bool',
  Port: 'port',
  EtherType: 'EtherType',
  IpProtocol: 'IpProtocol',
  Ipv4Address: 'ipv4',
  MacAddress: 'mac',
}

/** Only what a record says itself: names come from programs, and every object has a `constructor`. */
const of = (record: Readonly<Record<string, string>>, name: string): string | undefined =>
  Object.hasOwn(record, name) ? record[name] : undefined

/** Our marks on types: their names mean nothing to authors. */
const isInternal = (line: string): boolean => /\[(fits|kind)\]|unique symbol/.test(line)

/** What stands in a program for names of JavaScript, and for names that other systems have. */
const instead: Readonly<Record<string, string>> = {
  Number: 'u32(x) and its like convert, also bigints.',
  BigInt: 'u64(x) makes a bigint of a number.',
  Date: 'A packet has its time: packet.timestamp in ns, packet.time(unit, bits) as a narrow clock.',
  now: 'A packet has its time: packet.timestamp in ns, packet.time(unit, bits) as a narrow clock.',
  performance: 'A packet has its time: packet.timestamp in ns, packet.time(unit, bits) as a narrow clock.',
  Map: 'State is a table: `const t = table({ key: ipv4, value: u32, capacity: 65_536 })`.',
  Set: 'State is a table: `const t = table({ key: ipv4, value: bool, capacity: 65_536 })`.',
  Array: 'State is an array of a fixed length: `const a = array(u32, 16)`.',
  Math: 'There is no Math: random() gives numbers, comparisons give the smaller one.',
  console: 'A program prints nothing: a counter() counts, and `hairpin trace` shows each step.',
}

/**
 * The hint for a message; `chain` is what TypeScript says beneath it, `source` what the message is about, as the program
 * has it.
 */
export function hintFor(code: number, message: string, chain: readonly string[], source = ''): Hint {
  const reason = chain.some(isInternal) ? undefined : chain.join('\n')
  const suggestion = suggest(code, message, source)
  return { ...(reason && { reason }), ...(suggestion !== undefined && { suggestion }) }
}

/** Ends in the name of a method, without a call. */
const uncalled = /\.(time|get|has|take)$/

function suggest(code: number, message: string, source: string): string | undefined {
  switch (code) {
    case 2304:
    case 2305:
    case 2552:
    case 2583:
    case 2584:
    case 2693: {
      const name = /(?:^|name |member )'([^']+)'/.exec(message)?.[1] ?? source
      const listed = 'docs/language.md lists the types, docs/packets.md what a packet has.'
      return of(instead, name) ?? (code === 2305 ? listed : undefined)
    }
    case 2353:
      return /'TableOptions</.test(message)
        ? 'A table takes key, value and capacity, and if wanted evict, expire and release.'
        : undefined
    case 7052:
    case 7053:
      return 'Elements are get(i), set(i, value) and at(i), which may be changed in place: `a.at(i).value += 1`.'
    case 2540:
      return 'get() only reads: upsert(key) gives an entry that may be written, set(key, { … }) puts a whole one. docs/packets.md marks the fields of packets that may be written.'
    case 2322:
    case 2345: {
      const [, from, to] =
        /type '([^']+)' is not assignable to (?:parameter of )?type '([^']+)'/i.exec(message) ?? []
      if (to === 'Verdict') return 'Give Verdict.Drop, Verdict.Pass, Verdict.Transmit or redirect(device).'
      const convert = to === undefined ? undefined : of(conversions, to)
      if (from?.endsWith(' | undefined')) return 'Test it first, or give a default: `x ?? 0`.'
      return convert && `Convert it: ${convert}(x)${/^[ui]\d+$/.test(convert) ? ' keeps the low bits' : ''}.`
    }
    case 2365:
    case 2362:
    case 2363: {
      const method = uncalled.exec(source)?.[1]
      if (method !== undefined || message.includes('=>'))
        return `This is a function, and has to be called: ${method ?? 'f'}(…).`
      return 'Numbers and bigints do not mix: u64(x) makes a bigint of a number, u32(x) a number of a bigint.'
    }
    case 2367:
      return 'The two can never be equal: compare values of one kind.'
    case 2532:
    case 18048:
      return 'Test it first: `if (!x) return Verdict.Drop`, or use `?.` and `??`.'
    case 1361:
      return 'Import it without `type`: it is a type and a value.'
    default:
      return undefined
  }
}
