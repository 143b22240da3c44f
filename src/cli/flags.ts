// Reading flag values: numbers, ranges, name=value pairs. Each says what it expected when it gets something else.

import { UsageError } from './command.js'
import type { Flags } from './command.js'

/** A flag given at most once. */
export function text(flags: Flags, name: string): string | undefined {
  const value = flags.values[name]
  return typeof value === 'string' ? value : undefined
}

/** A flag that may be repeated. */
export function texts(flags: Flags, name: string): string[] {
  const value = flags.values[name]
  return Array.isArray(value) ? value.map(String) : typeof value === 'string' ? [value] : []
}

export const isSet = (flags: Flags, name: string): boolean => flags.values[name] === true

/** A whole number in a range, decimal or 0x…; `_` may separate digits. */
export function integer(
  flags: Flags,
  name: string,
  range: { least: number; most: number },
): number | undefined {
  const value = text(flags, name)
  if (value === undefined) return undefined
  const number = Number(value.replaceAll('_', ''))
  if (!/^(0x[\da-f_]+|[\d_]+)$/i.test(value) || number < range.least || number > range.most)
    throw new UsageError(`--${name} takes a whole number from ${range.least} to ${range.most}, not ${value}`)
  return number
}

/** A share of packets: `1%`, `0.01 %` or `0.0001`. */
export function share(value: string, what: string): number {
  const match = /^(\d+(?:\.\d+)?|\.\d+)\s*(%?)$/.exec(value.trim())
  const number = Number(match?.[1]) / (match?.[2] ? 100 : 1)
  if (!match || number > 1) throw new UsageError(`${what} takes a share like 1% or 0.01, not ${value}`)
  return number
}

/** Lists and ranges of numbers: `1,2,7`, `1..16`, `1,4..6`. */
export function numberList(value: string, what: string, range: { least: number; most: number }): number[] {
  const list: number[] = []
  for (const part of value.split(',')) {
    const match = /^(\d+)(?:\.\.(\d+))?$/.exec(part.trim())
    const from = Number(match?.[1])
    const to = Number(match?.[2] ?? match?.[1])
    if (!match || from < range.least || to > range.most || from > to)
      throw new UsageError(
        `${what} takes numbers from ${range.least} to ${range.most} like 1,2,7 or 1..16, not ${value}`,
      )
    for (let n = from; n <= to; n++) if (!list.includes(n)) list.push(n)
  }
  return list
}

/** `name=value` pairs. */
export function pairs(values: readonly string[], flag: string): [string, string][] {
  return values.map(value => {
    const at = value.indexOf('=')
    if (at < 1) throw new UsageError(`--${flag} takes name=value, not ${value}`)
    return [value.slice(0, at), value.slice(at + 1)]
  })
}

/** The one positional argument. */
export function onlyArgument(flags: Flags, what: string): string {
  if (flags.positionals.length !== 1)
    throw new UsageError(
      flags.positionals.length === 0
        ? `${what} is missing`
        : `one ${what} is expected, not ${flags.positionals.length}`,
    )
  return flags.positionals[0]
}

/** A flag that must be given. */
export function required(flags: Flags, name: string, what: string): string {
  const value = text(flags, name)
  if (value === undefined) throw new UsageError(`--${name} ${what} is missing`)
  return value
}
