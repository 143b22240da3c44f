/** The report: one HTML file that needs nothing else, with every figure, its claims and the environment. */

import { formatEnvironment } from '../measure/environment.js'
import type { Environment } from '../measure/environment.js'
import { stabilityOf } from './figure.js'
import type { Claim, Figure, Table } from './figure.js'
import { drawChart, escape } from './svg.js'

export interface Report {
  readonly environment: Environment
  /** The command that makes it again. */
  readonly command: string
  readonly clock: string
  readonly settings: readonly string[]
  readonly figures: readonly Figure[]
}

const style = `
body { font: 15px/1.45 Helvetica, Arial, sans-serif; max-width: 1010px; margin: 2em auto; padding: 0 1em; color: #111 }
h1 { font-size: 1.5em } h2 { font-size: 1.2em; margin-top: 2.2em; border-top: 1px solid #ccc; padding-top: 1em }
pre, code { font: 13px/1.4 monospace; background: #f4f4f4 } pre { padding: .7em; overflow-x: auto }
table { border-collapse: collapse; margin: .7em 0; font-size: 14px } th, td { padding: .25em .7em; border-bottom: 1px solid #ddd; text-align: left; vertical-align: top }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums } .charts { display: flex; flex-wrap: wrap; gap: .5em }
.yes { color: #00634a } .no { color: #a33b00 } .part { color: #7a5200 } .none { color: #555 } .notes { color: #444; font-size: 13.5px }
@media print { h2 { page-break-before: auto } .charts svg { page-break-inside: avoid } }
`

const classes: Readonly<Record<Claim['holds'], string>> = {
  yes: 'yes',
  no: 'no',
  'in part': 'part',
  'not measured': 'none',
}

export function reportHtml(report: Report): string {
  const { environment, figures } = report
  const [rows, unstable, disturbed] = (['rows', 'unstable', 'disturbed'] as const).map(what =>
    figures.reduce((sum, figure) => sum + stabilityOf(figure)[what], 0),
  )
  const single = figures.flatMap(f => f.records).filter(r => r.samples.length === 1).length
  return [
    '<!doctype html>',
    '<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">',
    `<title>hairpin: the paper's figures on this machine</title><style>${style}</style></head><body>`,
    '<h1>State-Compute Replication: the paper’s figures on this machine</h1>',
    `<pre>${escape(formatEnvironment(environment))}\n${escape(report.command)}\n${report.settings.map(escape).join('\n')}</pre>`,
    `<p>${rows} points have samples; ${unstable} of them (${percent(unstable, rows)}) are unstable: the interval for the median, of 95 % or more where there are six samples, is wider than 5 % of it. ` +
      (single > 0 ? `${single} have one sample, so that nothing is known of how sure they are. ` : '') +
      `${disturbed} repetitions were disturbed by other processes and could not be replaced by quiet ones.</p>`,
    '<p>Solid lines with filled marks are <b>measured</b> on this machine’s cores. Dashed lines with hollow marks are <b>projected</b>: ' +
      `each worker’s stream was run alone and its ${escape(report.clock)} taken, as if it had a core of its own; contention between cores is not in it. ` +
      'Of a slab of packets it is the lower quartile of its times over the rounds of a process, and so for one measured worker: what the code needs where little disturbs it. ' +
      'Dotted lines are a <b>model</b>. Error bars run from the lowest to the highest sample; records.json and the CSV have the intervals too.</p>',
    '<h2>What of the paper holds here</h2>',
    claimTable(figures),
    ...figures.map(figureHtml),
    '</body></html>',
    '',
  ].join('\n')
}

const percent = (part: number, whole: number): string =>
  whole === 0 ? '0 %' : `${((100 * part) / whole).toFixed(0)} %`

function claimTable(figures: readonly Figure[]): string {
  const rows = figures.flatMap(f =>
    f.claims.map(
      c =>
        `<tr><td><a href="#${f.id}">${escape(f.title.split(':')[0])}</a></td><td>${escape(c.paper)}</td>` +
        `<td class="${classes[c.holds]}"><b>${c.holds}</b></td></tr>`,
    ),
  )
  return `<table><tr><th></th><th>the paper</th><th>here</th></tr>${rows.join('')}</table>`
}

function figureHtml(figure: Figure): string {
  const claims = figure.claims.map(
    c => `<li>${escape(c.paper)} <b class="${classes[c.holds]}">${c.holds}:</b> ${escape(c.here)}</li>`,
  )
  return [
    `<h2 id="${figure.id}">${escape(figure.title)}</h2>`,
    `<p>${escape(figure.caption)}</p>`,
    figure.charts.length
      ? `<div class="charts">${figure.charts.map(c => drawChart(c)).join('\n')}</div>`
      : '',
    figure.table ? tableHtml(figure.table) : '',
    claims.length ? `<ul>${claims.join('\n')}</ul>` : '',
    `<p class="notes">${figure.notes.map(escape).join('<br>')}<br>Numbers: <code>${figure.id}.csv</code></p>`,
  ].join('\n')
}

function tableHtml({ columns, rows }: Table): string {
  const numeric = columns.map((_, k) => rows.every(row => /^[\d.,–±% -]*$/.test(row[k] ?? '')))
  const line = (tag: 'th' | 'td', cells: readonly string[]): string =>
    `<tr>${cells.map((text, k) => `<${tag}${numeric[k] ? ' class="n"' : ''}>${escape(text)}</${tag}>`).join('')}</tr>`
  return `<table>${line('th', columns)}${rows.map(row => line('td', row)).join('')}</table>`
}
