// Every diagnostic of ours, by rule: stable code, message, reason, suggestion, and a program that triggers it.
//
// Codes are never reused. HP10xx: syntax outside the language. HP11xx: values and integers. HP12xx: declarations.
// HP13xx: state and packets. Placeholders such as {name} are filled in where the rule is reported. A test compiles
// every example and demands exactly its code; docs/diagnostics.md is generated from here.

import { declarationRules } from './declarations.js'
import { stateRules } from './state.js'
import { syntaxRules } from './syntax.js'
import { valueRules } from './values.js'

export interface Entry {
  readonly code: string
  readonly severity?: 'error' | 'warning'
  /** Template of the message: one clause, no full stop. */
  readonly message: string
  /** Template: why the rule exists. */
  readonly reason: string
  /** Template: what to write instead. */
  readonly suggestion?: string
  /** A program that triggers this and nothing else; `…` lines are added by `exampleSource`. */
  readonly example: string
}

const all = { ...syntaxRules, ...valueRules, ...declarationRules, ...stateRules }

export type Rule = keyof typeof all
export const catalogue: Readonly<Record<Rule, Entry>> = all

/**
 * The full text of an entry's example. An example without an import is the body of a packet function that has
 * `packet`, and is completed to a program.
 */
export function exampleSource(entry: Entry): string {
  if (entry.example.includes('import ')) return `${entry.example}\n`
  const body = entry.example
    .split('\n')
    .map(line => `  ${line}`)
    .join('\n')
  const used = names.filter(n => new RegExp(`\\b${n}\\b`).test(entry.example))
  const list = ['type Packet', 'Verdict', ...used].join(', ')
  return [
    `import { ${list} } from 'hairpin'`,
    '',
    'export default function example(packet: Packet): Verdict {',
    body,
    '  return Verdict.Pass',
    '}',
    '',
  ].join('\n')
}

/** What a completed example imports if it mentions it. */
const names = ['u8', 'u16', 'u32', 'i32', 'u64', 'i64', 'ipv4', 'ipv6', 'mac', 'random', 'redirect', 'table']
