/**
 * Whether two runs of the same benchmark agree: `npm run bench:repeat -- [--least 0.8] [flags of hairpin bench figures]`.
 *
 * Runs `hairpin bench figures` twice, one after the other, by default with --quick and figures 1 and 8, and counts the
 * records whose medians are no further apart than the larger of the two spreads that were printed; and how many are
 * marked unstable. Ends with 1 if fewer than `--least` agree.
 */

import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { formatEnvironment } from '../src/measure/environment.js'
import { differencesOf } from '../src/measure/difference.js'
import { parseRecords } from '../src/measure/record.js'
import type { BenchmarkRecord } from '../src/measure/record.js'
import { percent } from '../src/report/figure.js'

const given = process.argv.slice(2)
const at = given.indexOf('--least')
const [, least = '0.8'] = at < 0 ? [] : given.splice(at, 2)
const flags = given.length > 0 ? given : ['--quick', '--only', 'figure-1', '--only', 'figure-8']
const command = fileURLToPath(new URL('../src/cli/main.js', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'hairpin-repeat-'))

function run(name: string): readonly BenchmarkRecord[] {
  const out = join(folder, name)
  const { status } = spawnSync(process.execPath, [command, 'bench', 'figures', ...flags, '--out', out], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  if (status !== 0) throw new Error(`hairpin bench figures ${flags.join(' ')} ended with ${status}`)
  const records = parseRecords(readFileSync(join(out, 'records.json'), 'utf8'))
  if ('problem' in records) throw new Error(records.problem)
  return records
}

try {
  const [before, after] = [run('before'), run('after')]
  const { differences } = differencesOf(before, after)
  const agree = differences.filter(d => d.agree)
  const unstable = [...before, ...after].filter(r => r.unstable).length
  const disturbed = [...before, ...after].filter(r => (r.disturbed?.kept ?? 0) > 0).length
  const all = before.length + after.length
  process.stdout.write(
    [
      formatEnvironment(after[0].environment),
      `hairpin bench figures ${flags.join(' ')}, twice`,
      `${agree.length} of ${differences.length} medians (${percent(agree.length / differences.length)}) agree within the spread that the runs print`,
      `${differences.filter(d => d.verdict === 'better' || d.verdict === 'worse').length} would be called better or worse by bench compare`,
      `${unstable} of ${all} records (${percent(unstable / all)}) are unstable; ${disturbed} hold samples that other processes disturbed`,
      '',
    ].join('\n'),
  )
  process.exitCode = agree.length >= Number(least) * differences.length ? 0 : 1
} finally {
  rmSync(folder, { recursive: true })
}
