// What a reader sees: exact frames, plain and coloured, tabs, several lines, notes.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { diagnose, fill, sortDiagnostics } from './diagnostic.js'
import { lineStarts, positionAt } from './lines.js'
import { renderDiagnostic, renderDiagnostics } from './render.js'

const text = 'const a = 1\n\tif (a == 2) {}\nfoo(\n  1)\n'
const at = (part: string): { start: number; end: number } => {
  const start = text.indexOf(part)
  return { start, end: start + part.length }
}

test('a frame shows the line before, the line, and marks the place', () => {
  const d = diagnose('looseEquality', 'p.ts', at('=='), { operator: '==', strict: '===' })
  assert.equal(
    renderDiagnostic(d, text),
    [
      'p.ts:2:8: error HP1011: `==` is not in the language; write `===`',
      '',
      '  1 | const a = 1',
      '> 2 |   if (a == 2) {}',
      '    |         ^^',
      '',
      '  why: Loose equality converts its operands; here both sides always have one type.',
      '  try: Write `===`.',
    ].join('\n'),
  )
})

test('a place of several lines is marked to the end of its first', () => {
  const d = diagnose('whileLoop', 'p.ts', at('foo(\n  1)'))
  assert.match(renderDiagnostic(d, text), /> 3 \| foo\(\n {4}\| \^{4}\n/)
})

test('of a long line, what surrounds the place is shown', () => {
  const long = `${'x'.repeat(300)} here ${'y'.repeat(300)}`
  const span = { start: 301, end: 305 }
  const [, , line, marks] = renderDiagnostic(diagnose('nulls', 'p.ts', span), long).split('\n')
  assert.ok(line.length < 150 && line.startsWith('> 1 | …xxx') && line.endsWith('yyy…'))
  assert.equal(line.slice(marks.indexOf('^'), marks.lastIndexOf('^') + 1), 'here')
})

test('colours only where asked for, and a closing count', () => {
  const d = diagnose('whileLoop', 'p.ts', at('foo'))
  assert.ok(!renderDiagnostics([d, d], text).includes('\x1b'))
  assert.ok(renderDiagnostics([d], text, { colour: true }).includes('\x1b[1;31merror HP1004\x1b[0m'))
  assert.ok(renderDiagnostics([d, d], text).endsWith('\n\n2 errors'))
})

test('notes have frames of their own', () => {
  const d = diagnose('staleEntry', 'p.ts', at('foo'), { object: 'flows' }, [
    { message: 'this inserts', span: at('const') },
  ])
  assert.match(renderDiagnostic(d, text), /p\.ts:1:1: this inserts\n\n> 1 \| const a = 1\n {4}\| \^{5}$/)
})

test('offsets beyond the text and missing blanks', () => {
  assert.deepEqual(positionAt(lineStarts(text), 1e9).line, 5)
  assert.deepEqual(positionAt(lineStarts('a\r\nb'), 3), { line: 2, column: 1 })
  assert.throws(() => fill('{x}', {}))
})

test('sorted by place, equal ones once', () => {
  const [a, b] = [diagnose('whileLoop', 'p.ts', at('foo')), diagnose('whileLoop', 'p.ts', at('const'))]
  assert.deepEqual(sortDiagnostics([a, b, a]), [b, a])
})
