// From flags to what a run needs: the program, its settings, its rule tables, its strategy.

import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { openFileSource, systemText } from '../device/source.js'
import type { KernelArtifact, SettingInfo } from '../engine/artifact.js'
import type { RunOptions } from '../engine/plan.js'
import { randomLoss } from '../engine/transport.js'
import type { Loss } from '../engine/transport.js'
import { sizeOf } from '../state/declaration.js'
import type { Display, FieldDecl, FieldType } from '../state/declaration.js'
import { buildRules } from '../state/rules.js'
import type { RuleRow } from '../state/rules.js'
import { describeProblem, readRules } from '../state/rules-file.js'
import { expectation, read } from '../state/text.js'
import type { DeviceNames } from '../state/text.js'
import { strategies, strategyNamed } from '../strategy/strategies.js'
import type { Strategy } from '../strategy/strategy.js'
import { bundled } from './bundled.js'
import { Failure, UsageError } from './command.js'
import type { Flags, FlagTable } from './command.js'
import { exit } from './exit.js'
import { integer, pairs, required, text, texts } from './flags.js'
import { hint, nearest } from './nearest.js'

/** Flags of every command that runs a program. */
export const runFlags = {
  in: { type: 'string', short: 'i' },
  set: { type: 'string', multiple: true },
  table: { type: 'string', multiple: true },
  seed: { type: 'string' },
  json: { type: 'boolean' },
} satisfies FlagTable

/** A parameter as a field, so that values are spelled as state spells them. */
export const settingField = ({ name, type, display }: SettingInfo): FieldDecl => ({
  name,
  type: type as FieldType,
  bytes: sizeOf(type as FieldType),
  ...(display !== undefined && { display: display as Display }),
})

/** `--set name=value`: numbers decimal or 0x…, addresses as they are written, true or false. */
export const settingsOf = (flags: Flags, artifact: KernelArtifact): Map<string, bigint> =>
  settingsFrom(pairs(texts(flags, 'set'), 'set'), '--set', artifact.name, artifact.settings)

/** Values of a program's parameters from their spelling; `flag` is what messages call it. */
export function settingsFrom(
  given: readonly (readonly [name: string, text: string])[],
  flag: string,
  program: string,
  settings: readonly SettingInfo[],
): Map<string, bigint> {
  const known = settings.map(s => s.name)
  return new Map(
    given.map(([name, text]) => {
      const setting = settings.find(s => s.name === name)
      if (!setting)
        throw new UsageError(
          `${program} has no parameter ${name}; it has ${known.join(', ') || 'none'}.${hint(name, known)}`,
        )
      const field = settingField(setting)
      const spelled = /^[\da-fx_]+$/i.test(text) ? text.replaceAll('_', '') : text
      const value = read(field, spelled) ?? read({ ...field, display: 'hex' }, spelled)
      if (value === undefined || typeof value === 'object')
        throw new UsageError(`${flag} ${name} takes ${expectation(field)}, not ${text}`)
      return [name, BigInt(value)]
    }),
  )
}

/** `--table name=file.csv|json`, read. `devices` are names by number. */
export function rowsOf(
  flags: Flags,
  artifact: Pick<KernelArtifact, 'name' | 'rules'>,
  devices: DeviceNames = [],
): Record<string, readonly RuleRow[]> {
  return rowsFrom(pairs(texts(flags, 'table'), 'table'), artifact, devices)
}

/** The rows of rule files, by table. */
export function rowsFrom(
  given: readonly (readonly [name: string, file: string])[],
  artifact: Pick<KernelArtifact, 'name' | 'rules'>,
  devices: DeviceNames = [],
): Record<string, readonly RuleRow[]> {
  const known = artifact.rules.map(r => r.name)
  const rows: Record<string, readonly RuleRow[]> = {}
  for (const [name, file] of given) {
    const declaration = artifact.rules.find(r => r.name === name)
    if (!declaration)
      throw new UsageError(
        `${artifact.name} has no rule table ${name}; it has ${known.join(', ') || 'none'}.${hint(name, known)}`,
      )
    const format = file.endsWith('.json') ? 'json' : 'csv'
    const { rows: read, problems } = readRules(readText(file, 'rule file'), format, declaration, devices)
    if (problems.length)
      throw new Failure(
        `rules for ${name}:\n${problems.map(p => `  ${describeProblem(file, p)}`).join('\n')}`,
        exit.usage,
      )
    rows[name] = read
  }
  return rows
}

/** The rules block of these rows, or undefined if the program has no rule tables. */
export function rulesOf(
  flags: Flags,
  artifact: KernelArtifact,
  rows = rowsOf(flags, artifact),
  files: readonly (readonly [name: string, file: string])[] = pairs(texts(flags, 'table'), 'table'),
): Uint8Array | undefined {
  if (artifact.rules.length === 0) return undefined
  const built = buildRules(artifact.rulesLayout, rows)
  if (built.ok) return built.bytes
  const [, file = ''] = files.find(([name]) => name === built.table) ?? []
  throw new Failure(
    `${file}${built.line ? `:${built.line}` : ''}: table ${built.table}: ${built.message}`,
    exit.usage,
  )
}

/** The text of a program or rule file. */
export function readText(file: string, what: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    const own = what === 'program' && !existsSync(file) ? bundled(file) : undefined
    const instead = own === undefined ? likeIt(file) : ` The one that comes with hairpin is ${own}.`
    throw new Failure(`${what} ${file}: ${systemText(error)}.${instead}`, exit.usage)
  }
}

/** `--in FILE`, after a look at whether it can be opened, so that nothing is done in vain. */
export function captureOf(flags: Flags): string {
  return openable(required(flags, 'in', 'FILE'))
}

/** The path of a capture, if it can be opened. */
export function openable(path: string): string {
  if (path === '-' && process.stdin.isTTY)
    throw new UsageError('- is standard input, which is a terminal here; pipe a capture into it')
  if (path === '-') return path
  const source = openFileSource(path)
  if (typeof source === 'string') throw new Failure(`capture ${path}: ${source}.${likeIt(path)}`, exit.input)
  source.close()
  return path
}

/** A file beside the missing one that has nearly its name. */
function likeIt(path: string): string {
  try {
    const near = nearest(basename(path), readdirSync(dirname(path)))
    return near === undefined || existsSync(path) ? '' : ` Did you mean ${join(dirname(path), near)}?`
  } catch {
    return ''
  }
}

/** `--strategy`, by name or alias. */
export function strategyOf(name: string): Strategy {
  const found = strategyNamed(name)
  if (found) return found
  throw new UsageError(
    `--strategy takes ${Object.keys(strategies).join(', ')} (or the aliases scr, rss, rss++), and for run auto, not ${name}`,
  )
}

/** Why a strategy takes no --loss. */
export const lossRefusal = (name: string): string =>
  `--loss is of strategies replicated, sharded, rebalanced and hybrid, whose workers have queues of their own; ${name} has none`

/** `--loss RATE`: which frames are lost, by the seed of the run; the same whatever the number of workers. */
export const lossOf = (rate: number, seed: bigint): Loss => randomLoss(Number(seed & 0xffff_ffffn), rate)

/** Settings, rules and seed together. */
export function optionsOf(
  flags: Flags,
  artifact: KernelArtifact,
  rows = rowsOf(flags, artifact),
): Pick<RunOptions, 'settings' | 'rules' | 'seed'> {
  const rules = rulesOf(flags, artifact, rows)
  const seed = integer(flags, 'seed', { least: 0, most: Number.MAX_SAFE_INTEGER })
  return {
    settings: settingsOf(flags, artifact),
    ...(rules && { rules }),
    ...(seed !== undefined && { seed: BigInt(seed) }),
  }
}

/** The seed as text for a rerun. */
export const seedText = (flags: Flags): string => text(flags, 'seed') ?? '1'
