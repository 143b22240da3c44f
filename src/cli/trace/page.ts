// A trace for people: the packet, the lines that ran with what they computed, the state that changed, the verdict.

import { grid, grouped } from '../grid.js'
import type { Trace, TracedStep } from './trace.js'
import type { Change, Shape } from './state.js'

/** Steps shown at the beginning and the end of a long trace. */
const shownSteps = { first: 150, last: 50 }

export function tracePage(trace: Trace, colour: boolean): string {
  const dim = (s: string): string => (colour && s ? `\x1b[2m${s}\x1b[0m` : s)
  const bold = (s: string): string => (colour ? `\x1b[1m${s}\x1b[0m` : s)
  const { packet, steps, program } = trace
  const cut = packet.length < packet.originalLength ? ` of ${grouped(packet.originalLength)}` : ''
  const since = `${(Number(packet.timestamp) / 1e9).toFixed(6)} s after the first`
  const lines = [
    bold(`packet ${packet.index} of ${trace.capture}: ${grouped(packet.length)}${cut} bytes, ${since}`),
    ...packet.headers.map(h => `  ${h}`),
    '',
    bold(`${program} (${trace.file})`),
  ]
  const width = String(Math.max(...steps.map(s => s.line + s.source.length), 1)).length
  const left = steps.length - shownSteps.first - shownSteps.last
  steps.forEach((step, i) => {
    if (left > 0 && i === shownSteps.first)
      lines.push(dim(`  … ${grouped(left)} steps left out; --json has all`))
    if (left <= 0 || i < shownSteps.first || i >= steps.length - shownSteps.last)
      lines.push(...stepLines(step, width, dim))
  })
  lines.push('', bold('state'), ...stateLines(trace.state))
  const counted = Object.entries(trace.counters).map(([name, n]) => `${name} + ${n}`)
  if (counted.length) lines.push('', bold('counters'), `  ${counted.join(', ')}`)
  if (trace.rewritten.length)
    lines.push(
      '',
      bold('packet'),
      grid(
        [{ title: '' }, { title: '' }, { title: '' }, { title: '' }],
        trace.rewritten.map(c => [c.field, c.before, '→', c.after]),
      ),
    )
  lines.push('', bold(`verdict: ${trace.verdict}`), '')
  return lines.join('\n')
}

/** The lines of a statement, whether its condition held, and below it what was computed. */
function stepLines(step: TracedStep, width: number, dim: (s: string) => string): string[] {
  const { line, depth, source, continued, values } = step
  const indent = '  '.repeat(depth)
  const number = (n: number): string => dim(`  ${String(n).padStart(width)}  `)
  const outcome = step.outcome === undefined ? '' : dim(`  → ${step.outcome}`)
  const pad = ' '.repeat(width + 8) + indent
  const labels = Math.min(44, Math.max(0, ...values.map(v => v.expression.length)))
  const notes = values.map(v => `${pad}${dim(v.expression.padEnd(labels))}  ${v.value}`)
  if (continued) return [`${number(line)}${indent}${dim('…')}${outcome}`, ...notes]
  const margin = Math.min(...source.map(l => l.search(/\S|$/)))
  const text = source.map((l, i) => {
    const last = i === source.length - 1 ? outcome : ''
    return `${number(line + i)}${indent}${i === 0 ? l.trim() : l.slice(margin)}${last}`
  })
  return [...text, ...notes]
}

/** A change on one line if it fits, otherwise a line for each field. */
function stateLines(changes: readonly Change[]): string[] {
  if (changes.length === 0) return ['  unchanged']
  const names = Math.max(...changes.map(c => c.object.length))
  return changes.flatMap(change => {
    const parts = changeParts(change)
    const where = change.where === undefined ? '' : `${shapeText(change.where)}  `
    const head = `  ${change.object.padEnd(names)}  ${where}`
    const line = `${head}${parts.join(', ')}`
    if (line.length <= 100) return [line]
    return [head.trimEnd(), ...parts.map(p => ' '.repeat(names + 6) + p)]
  })
}

function changeParts({ before, after, refreshed }: Change): string[] {
  if (refreshed) return ['refreshed']
  if (before === undefined) return fieldsOf(after!).map((f, i) => (i === 0 ? `new: ${f}` : f))
  if (after === undefined) return fieldsOf(before).map((f, i) => (i === 0 ? `gone: ${f}` : f))
  if (typeof before !== 'object' || typeof after !== 'object')
    return [`${shapeText(before)} → ${shapeText(after)}`]
  const changed = Object.keys(after).filter(k => before[k] !== after[k])
  return changed.map(k => `${k} ${before[k]} → ${after[k]}`)
}

const fieldsOf = (shape: Shape): string[] =>
  typeof shape === 'object'
    ? Object.entries(shape).map(([name, value]) => `${name} ${value}`)
    : [String(shape)]

const shapeText = (shape: Shape): string => fieldsOf(shape).join(', ')
