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

/** Our marks on types: their names mean nothing to authors. */
const isInternal = (line: string): boolean => /\[(fits|kind)\]|unique symbol/.test(line)

/** The hint for a message; `chain` is what TypeScript says beneath it. */
export function hintFor(code: number, message: string, chain: readonly string[]): Hint {
  const reason = chain.some(isInternal) ? undefined : chain.join('\n')
  const suggestion = suggest(code, message)
  return { ...(reason && { reason }), ...(suggestion !== undefined && { suggestion }) }
}

function suggest(code: number, message: string): string | undefined {
  switch (code) {
    case 2322:
    case 2345: {
      const [, from, to] =
        /type '([^']+)' is not assignable to (?:parameter of )?type '([^']+)'/i.exec(message) ?? []
      if (to === 'Verdict') return 'Give Verdict.Drop, Verdict.Pass, Verdict.Transmit or redirect(device).'
      const convert = to === undefined ? undefined : conversions[to]
      if (from?.endsWith(' | undefined')) return 'Test it first, or give a default: `x ?? 0`.'
      return convert && `Convert it: ${convert}(x)${/^[ui]\d+$/.test(convert) ? ' keeps the low bits' : ''}.`
    }
    case 2365:
    case 2362:
    case 2363:
      return 'Numbers and bigints do not mix: u64(x) makes a bigint of a number, u32(x) a number of a bigint.'
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
