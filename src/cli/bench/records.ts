// Records of benchmarks from files: JSON of a run, or a ledger of one record a line.

import { readFileSync } from 'node:fs'
import { parseRecords } from '../../measure/record.js'
import type { BenchmarkRecord } from '../../measure/record.js'
import { Failure } from '../command.js'
import { exit } from '../exit.js'

/** The records of a file; a file that holds none ends the command. */
export function recordsOf(file: string): readonly BenchmarkRecord[] {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    const { code, message } = error as { code?: string; message: string }
    throw new Failure(`${file}: ${code === 'ENOENT' ? 'there is no such file' : message}`, exit.input)
  }
  const records = parseRecords(text)
  if ('problem' in records)
    throw new Failure(`${file} is no benchmark record: ${records.problem}`, exit.input)
  if (records.length === 0) throw new Failure(`${file} has no records`, exit.input)
  return records
}

/** What a record is about, in one line. */
export function titleOf({ name, parameters, lossCriterion }: BenchmarkRecord): string {
  const settings = Object.entries(parameters).map(([key, value]) => `${key}=${value}`)
  return [name, ...settings, ...(lossCriterion === undefined ? [] : [`loss ${lossCriterion}`])].join(' ')
}
