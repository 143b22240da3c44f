/**
 * Whether two runs of the same benchmark agree: `npm run bench:repeat -- [--least 0.8] [--unstable 0.2] [--out FOLDER [--resume]]
 * [flags of hairpin bench figures]`.
 *
 * Runs `hairpin bench figures` twice, one after the other, and counts the records whose intervals for the median, as the two runs printed
 * them, overlap, and how many are marked unstable (an interval wider than 5 % of the median): wide intervals agree easily, so
 * both must hold. Beside them, for a harder judge: how often a median lies in the other run's interval, and how far apart
 * the medians are. Ends with 1 if fewer than `--least` agree or more than
 * `--unstable` are unstable, with 130 if interrupted. Without flags it takes `--quick` and figures 1 and 8, some minutes; with
 * `--quick` alone all figures, some 20. Where `--out` names a folder, both runs stay there and `--resume` goes on after Ctrl-C.
 */

import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { formatEnvironment } from '../src/measure/environment.js'
import { differencesOf } from '../src/measure/difference.js'
import { parseRecords } from '../src/measure/record.js'
import type { BenchmarkRecord } from '../src/measure/record.js'
import { median, quantile } from '../src/measure/statistics.js'
import { percent } from '../src/report/figure.js'

const given = process.argv.slice(2)
/** Takes a flag and its value out of what was given. */
function taken(flag: string): string | undefined {
  const at = given.indexOf(flag)
  return at < 0 ? undefined : given.splice(at, 2)[1]
}
function share(flag: string, standard: number): number {
  const value = Number(taken(flag) ?? standard)
  if (!(value >= 0 && value <= 1)) throw new Error(`${flag} takes a share from 0 to 1`)
  return value
}
const [least, most] = [share('--least', 0.8), share('--unstable', 0.2)]
const out = taken('--out')
const at = given.indexOf('--resume')
const resume = at >= 0 && given.splice(at, 1).length > 0
const flags = given.length > 0 ? given : ['--quick', '--only', 'figure-1', '--only', 'figure-8']
const command = fileURLToPath(new URL('../src/cli/main.js', import.meta.url))
const folder = out ?? mkdtempSync(join(tmpdir(), 'hairpin-repeat-'))
// The run that is under way gets Ctrl-C too and says how it goes on; this process ends after it.
process.on('SIGINT', () => {})

async function run(name: string, number: number): Promise<readonly BenchmarkRecord[]> {
  const to = join(folder, name)
  const file = join(to, 'records.json')
  if (resume && existsSync(file)) process.stdout.write(`run ${number} of 2: made before, in ${to}\n`)
  else {
    process.stdout.write(`run ${number} of 2: hairpin bench figures ${flags.join(' ')}\n`)
    rmSync(file, { force: true })
    const again = resume ? ['--resume'] : []
    const child = spawn(process.execPath, [command, 'bench', 'figures', ...flags, ...again, '--out', to], {
      stdio: ['ignore', 'inherit', 'inherit'],
    })
    const code = await new Promise<number | null>(resolve => child.on('close', resolve))
    if (code === 130) {
      process.stderr.write(
        out ? 'the same command with --resume goes on\n' : '--out FOLDER would have kept it\n',
      )
      process.exitCode = 130
      return []
    }
    if (code !== 0) throw new Error(`hairpin bench figures ${flags.join(' ')} ended with ${code}`)
  }
  const records = parseRecords(readFileSync(file, 'utf8'))
  if ('problem' in records) throw new Error(`${file}: ${records.problem}`)
  return records
}

function verdict(before: readonly BenchmarkRecord[], after: readonly BenchmarkRecord[]): void {
  const { differences } = differencesOf(before, after)
  const all = [...before, ...after]
  const agree = differences.filter(d => d.agree).length / differences.length
  const unstable = all.filter(r => r.unstable).length / all.length
  const disturbed = all.filter(r => (r.disturbed?.kept ?? 0) > 0).length
  const other = differences.filter(d => d.verdict === 'better' || d.verdict === 'worse').length
  const inside = differences.filter(({ before: a, after: b }) =>
    [
      [a, b],
      [b, a],
    ].some(
      ([x, y]) => x.summary.median >= y.summary.interval.low && x.summary.median <= y.summary.interval.high,
    ),
  ).length
  const apart = differences.map(d => Math.abs(d.after.summary.median / d.before.summary.median - 1))
  const holds = (is: boolean): string => (is ? 'yes' : 'NO ')
  process.stdout.write(
    [
      '',
      formatEnvironment(after[0].environment),
      `hairpin bench figures ${flags.join(' ')}, twice: ${differences.length} medians compared`,
      `${holds(agree >= least)}  ${percent(agree)} agree: their printed intervals overlap (at least ${percent(least)})`,
      `${holds(unstable <= most)}  ${percent(unstable)} of ${all.length} records are unstable (at most ${percent(most)})`,
      `     ${percent(inside / differences.length)} have a median inside the other run's interval; medians are ${(100 * median(apart)).toFixed(1)} % apart in the middle, ${(100 * quantile(apart, 0.9)).toFixed(1)} % at the ninth decile`,
      `     ${other} would be called better or worse by bench compare; ${disturbed} records hold samples that other processes disturbed`,
      '',
    ].join('\n'),
  )
  process.exitCode = agree >= least && unstable <= most ? 0 : 1
}

try {
  const before = await run('before', 1)
  const after = before.length > 0 ? await run('after', 2) : []
  if (after.length > 0) verdict(before, after)
} finally {
  if (out === undefined) rmSync(folder, { recursive: true })
}
