// hairpin bench compare: what changed between two runs, and what is noise.

import { differencesOf, LEAST_DIFFERENCE } from '../../measure/difference.js'
import type { Difference, Differences } from '../../measure/difference.js'
import type { BenchmarkRecord } from '../../measure/record.js'
import { formatQuantity } from '../../measure/table.js'
import { UsageError } from '../command.js'
import type { Flags, Io } from '../command.js'
import { exit } from '../exit.js'
import { isSet, share, text } from '../flags.js'
import { grid } from '../grid.js'
import { recordsOf, titleOf } from './records.js'

export const comparePart = { run: compare, flags: ['least'] }

async function compare(flags: Flags, io: Io): Promise<number> {
  const [before, after, ...more] = flags.positionals
  if (before === undefined || after === undefined || more.length > 0)
    throw new UsageError('compare takes two files: BEFORE AFTER')
  const least = share(text(flags, 'least') ?? String(LEAST_DIFFERENCE), '--least')
  const found = differencesOf(recordsOf(before), recordsOf(after), least)
  if (isSet(flags, 'json')) io.out(`${JSON.stringify(jsonOf(found))}\n`)
  else io.out(textOf(found))
  if (found.differences.length === 0) return exit.no
  return found.differences.some(d => d.verdict === 'worse') ? exit.no : exit.ok
}

const commitsOf = (found: Differences, side: 'before' | 'after'): string =>
  [...new Set(found.differences.map(d => d[side].environment.commit ?? 'unknown'))].join(', ')

function textOf(found: Differences): string {
  const { differences, onlyBefore, onlyAfter, surroundings } = found
  if (differences.length === 0)
    return 'nothing to compare: no benchmark with the same name, unit and parameters is in both files\n'
  const rows = differences.map(d => [
    titleOf(d.after),
    formatQuantity(d.before.summary.median),
    formatQuantity(d.after.summary.median),
    d.after.unit,
    ratioText(d),
    `±${(100 * d.noise).toFixed(1)} %`,
    [d.verdict, ...doubts(d)].join(', '),
  ])
  const count = (verdict: string): number => differences.filter(d => d.verdict === verdict).length
  const kinds = ['better', 'worse', 'same', 'too few samples'].filter(v => count(v) > 0)
  return [
    `commit ${commitsOf(found, 'before')}, then ${commitsOf(found, 'after')}`,
    ...surroundings.map(line => `different surroundings: ${line}`),
    '',
    grid(
      [
        { title: 'benchmark' },
        { title: 'before', right: true },
        { title: 'after', right: true },
        { title: '' },
        { title: 'ratio (95 % interval)' },
        { title: 'noise', right: true },
        { title: 'verdict' },
      ],
      rows,
    ),
    '',
    `${kinds.map(v => `${count(v)} ${v}`).join(', ')}` +
      (onlyBefore.length ? `; ${onlyBefore.length} only before` : '') +
      (onlyAfter.length ? `; ${onlyAfter.length} only after` : ''),
    `${differences.filter(d => d.agree).length} of ${differences.length} medians agree: the intervals that the runs print for them overlap`,
    '',
  ].join('\n')
}

/** Why a verdict may be the machine's doing. */
function doubts({ before, after }: Difference): string[] {
  const busy = [before, after].some(isDisturbed)
  return [...(before.unstable || after.unstable ? ['unstable'] : []), ...(busy ? ['disturbed'] : [])]
}

/** More than half of the repetitions were taken while others used the CPUs. */
const isDisturbed = ({ disturbed, repetitions }: BenchmarkRecord): boolean =>
  disturbed !== null && 2 * disturbed.kept > repetitions

function ratioText({ ratio, interval }: Difference): string {
  const range = interval ? ` (${interval[0].toFixed(3)} to ${interval[1].toFixed(3)})` : ''
  return `${ratio.toFixed(3)}${range}`
}

const jsonOf = ({ differences, onlyBefore, onlyAfter, surroundings }: Differences): object => ({
  differences: differences.map(({ before, after, ratio, interval, noise, verdict, agree }) => ({
    name: after.name,
    unit: after.unit,
    better: after.better,
    parameters: after.parameters,
    before: before.summary.median,
    beforeInterval: before.summary.interval,
    after: after.summary.median,
    afterInterval: after.summary.interval,
    beforeCommit: before.environment.commit,
    afterCommit: after.environment.commit,
    ratio,
    interval: interval ?? null,
    noise,
    unstable: before.unstable || after.unstable,
    disturbed: isDisturbed(before) || isDisturbed(after),
    verdict,
    agree,
  })),
  onlyBefore: onlyBefore.map(titleOf),
  onlyAfter: onlyAfter.map(titleOf),
  surroundings,
})
