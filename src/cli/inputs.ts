// From flags to what a run needs: the program, its settings, its rule tables, its strategy.

import { readFileSync } from 'node:fs'
import type { Artifact } from '../engine/artifact.js'
import type { RunOptions } from '../engine/plan.js'
import { buildRules } from '../state/rules.js'
import type { RuleRow } from '../state/rules.js'
import { describeProblem, readRules } from '../state/rules-file.js'
import { strategies, strategyNamed } from '../strategy/strategies.js'
import type { Strategy } from '../strategy/strategy.js'
import { Failure, UsageError } from './command.js'
import type { Flags, FlagTable } from './command.js'
import { exit } from './exit.js'
import { integer, pairs, text, texts } from './flags.js'

/** Flags of every command that runs a program. */
export const runFlags = {
  in: { type: 'string', short: 'i' },
  set: { type: 'string', multiple: true },
  table: { type: 'string', multiple: true },
  seed: { type: 'string' },
  json: { type: 'boolean' },
} satisfies FlagTable

/** `--set name=value`: numbers decimal, 0x…, true or false. */
export function settingsOf(flags: Flags, artifact: Artifact): Map<string, bigint> {
  const known = artifact.settings.map(s => s.name)
  const bits: Readonly<Record<string, number>> = {
    u8: 8,
    u16: 16,
    u32: 32,
    i32: 32,
    u64: 64,
    i64: 64,
    bool: 1,
  }
  return new Map(
    pairs(texts(flags, 'set'), 'set').map(([name, value]) => {
      const setting = artifact.settings.find(s => s.name === name)
      if (!setting)
        throw new UsageError(
          `${artifact.name} has no parameter ${name}; it has ${known.join(', ') || 'none'}`,
        )
      const word = { true: '1', false: '0' }[value] ?? value.replaceAll('_', '')
      const number = /^-?(0x[\da-f]+|\d+)$/i.test(word)
        ? BigInt(word.replace('-', '')) * (word.startsWith('-') ? -1n : 1n)
        : undefined
      const width = bits[setting.type] ?? 32
      const signed = setting.type.startsWith('i')
      const least = signed ? -(2n ** BigInt(width - 1)) : 0n
      const most = 2n ** BigInt(signed ? width - 1 : width) - 1n
      if (number === undefined || number < least || number > most)
        throw new UsageError(`--set ${name} takes a ${setting.type}, ${least} to ${most}, not ${value}`)
      return [name, number]
    }),
  )
}

/** `--table name=file.csv|json`: the rules block, or undefined if the program has no rule tables. */
export function rulesOf(flags: Flags, artifact: Artifact): Uint8Array | undefined {
  const given = pairs(texts(flags, 'table'), 'table')
  const known = artifact.rules.map(r => r.name)
  const rows: Record<string, readonly RuleRow[]> = {}
  for (const [name, file] of given) {
    const declaration = artifact.rules.find(r => r.name === name)
    if (!declaration)
      throw new UsageError(`${artifact.name} has no rule table ${name}; it has ${known.join(', ') || 'none'}`)
    const format = file.endsWith('.json') ? 'json' : 'csv'
    const { rows: read, problems } = readRules(readText(file, 'rule file'), format, declaration)
    if (problems.length)
      throw new Failure(
        `rules for ${name}:\n${problems.map(p => `  ${describeProblem(file, p)}`).join('\n')}`,
        exit.usage,
      )
    rows[name] = read
  }
  if (artifact.rules.length === 0) return undefined
  const built = buildRules(artifact.rulesLayout, rows)
  if (built.ok) return built.bytes
  const file = given.find(([name]) => name === built.table)?.[1] ?? ''
  throw new Failure(
    `${file}${built.line ? `:${built.line}` : ''}: table ${built.table}: ${built.message}`,
    exit.usage,
  )
}

export function readText(file: string, what: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    const { code } = error as { code?: string }
    const why =
      code === 'ENOENT' ? 'there is no such file' : code === 'EISDIR' ? 'it is a directory' : String(code)
    throw new Failure(`${what} ${file}: ${why}`, exit.usage)
  }
}

/** `--strategy`, by name or alias. */
export function strategyOf(name: string): Strategy {
  const found = strategyNamed(name)
  if (found) return found
  throw new UsageError(
    `--strategy takes ${Object.keys(strategies).join(', ')} (or the aliases scr, rss), not ${name}`,
  )
}

/** Settings, rules and seed together. */
export function optionsOf(flags: Flags, artifact: Artifact): Pick<RunOptions, 'settings' | 'rules' | 'seed'> {
  const rules = rulesOf(flags, artifact)
  const seed = integer(flags, 'seed', { least: 0, most: Number.MAX_SAFE_INTEGER })
  return {
    settings: settingsOf(flags, artifact),
    ...(rules && { rules }),
    ...(seed !== undefined && { seed: BigInt(seed) }),
  }
}

/** The seed as text for a rerun. */
export const seedText = (flags: Flags): string => text(flags, 'seed') ?? '1'
