// The development captures that tests run over: where they are, and the index that comes with them.
// They are no part of the package; without them the tests that need them are skipped with the reason.

import { existsSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'

/** One row of the captures' index, the columns that tests use. */
export interface IndexedCapture {
  /** Absolute path. */
  readonly path: string
  /** Path inside the folder. */
  readonly file: string
  readonly format: string
  readonly packets: number
  /** Link types of its packets as the index writes them, e.g. `0+1`; empty without packets. */
  readonly links: string
  /** What is damaged, empty if nothing. */
  readonly damage: string
}

/** The repository's root, seen from where this file is built to. */
const root = resolve(import.meta.dirname, '../../..')

/** The folder: in HAIRPIN_DATA, else in `shared/data` beside the repository. */
export const capturesFolder = resolve(root, process.env['HAIRPIN_DATA'] ?? '../shared/data', 'pcaps')

/** Why tests over the captures are skipped, or false when they are there. */
export const capturesMissing: string | false = existsSync(resolve(capturesFolder, 'index.tsv'))
  ? false
  : `no development captures at ${capturesFolder}; set HAIRPIN_DATA`

/** All rows of the index; none when the folder is missing. */
export function indexedCaptures(): readonly IndexedCapture[] {
  if (capturesMissing) return []
  const lines = readFileSync(resolve(capturesFolder, 'index.tsv'), 'utf8').trim().split('\n')
  const names = lines[0].split('\t')
  return lines.slice(1).map(line => {
    const cells = line.split('\t')
    const cell = (name: string): string => cells[names.indexOf(name)] ?? ''
    return {
      path: resolve(capturesFolder, cell('file')),
      file: cell('file'),
      format: cell('format'),
      packets: Number(cell('packets')),
      links: cell('linktypes'),
      damage: cell('damage'),
    }
  })
}
