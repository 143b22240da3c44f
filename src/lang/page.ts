// docs/language.md from the operator table, the types and the catalogue's limits.

import { maxIterations, maxUnrolled } from './lower/loops.js'
import { rangeOf } from './lower/integers.js'
import { operatorTable } from './operator-table.js'
import type { Row } from './operator-table.js'
import { scalars } from './types.js'

/** The page's text. */
export function languagePage(): string {
  return [introduction, types(), rules, control, operators(), ''].join('\n\n').replace(/\n{3,}/g, '\n\n')
}

const introduction = `# The language

<!-- Generated from src/lang/ by tools/generate.ts; do not edit. -->

A program is one TypeScript file that imports from \`hairpin\` only and type-checks under \`tsc --strict\`. It exports a
function of a packet as default, which gives a verdict. What it may contain beyond what this page lists is in
[diagnostics.md](diagnostics.md), by way of what is refused. The result of every operator at its edges stands below,
and every row is a test on the backends that test/language/runners.ts lists. Plain Node gives other results:
JavaScript’s numbers are no 32-bit integers.`

function types(): string {
  const names = Object.values(scalars).filter(t => t.sort === 'number' || t.sort === 'bigint')
  const rows = names
    .filter(t => t.name !== 'Verdict')
    .map(t => {
      const [low, high] = rangeOf(t)
      return `| \`${t.name}\` | ${t.sort} | ${t.bits} | ${low} | ${high} |`
    })
  return [
    '## Types',
    '',
    '| type | in TypeScript | bits | from | to |',
    '| --- | --- | --- | --- | --- |',
    ...rows,
    '',
    '`bool` is `boolean`. `Ipv6Address` (16 bytes) and `Bytes<n>` (1 to 64 bytes) can be compared with `===`, stored and used as keys.',
    '`number`, `bigint` and `boolean` as annotations mean u32, u64 and bool.',
  ].join('\n')
}

const rules = `## Rules

* Operations on numbers are done in 32 bits, on bigints in 64: unsigned unless an operand is i32 or i64. Results wrap.
* u8 and u16 operands are widened first, so \`a + b\` of two u8 can be 510. **Stores truncate**: an assignment to a
  variable, field, parameter or result with a declared type keeps the type’s low bits.
* A variable without annotation has the type of its first value; a literal or arithmetic gives u32 (i32 if negative).
* u32 does not mix with i32, nor u64 with i64; u8 and u16 do. \`i32(x)\` and \`u32(x)\` convert.
* Literals take the type of what they meet, and must fit it. Beside +, −, \\*, &, | and ^ a negative literal stands for
  its two’s complement. Constants of literals alone are exact and may not leave 32 (64) bits.
* \`/\` and \`%\` are integer and towards zero; x / 0 = 0, x % 0 = x, MIN / −1 = MIN, MIN % −1 = 0.
* Shift counts are taken modulo the width. \`>>\` fills with the sign of i32 and i64, with 0 otherwise; \`>>>\` gives u32.
* 0, 0n, false and undefined are false; everything else is true. \`&&\`, \`||\`, \`??\`, \`?.\` and \`? :\` evaluate only what
  they need.
* Records (\`{ source, port }\`) are values: they are copied, and their fields are not assigned.
* What \`upsert\` and \`at\` give is changed in place; a table’s entry until the next set, upsert or delete on that table.
* \`fib({ family: ipv4, capacity: n })\` stands for the routes of a machine: \`lookup\` always answers, with an \`outcome\` (one of \`Route\`)
  and, if that is \`Route.Found\`, the device, both hardware addresses and the MTU ([state.md](state.md), 6.5).`

const control = `## Control

* \`const\`, \`let\`, \`if\`, \`switch\`, \`return\`, \`break\`, \`continue\`, blocks, functions at the top level (inlined; no recursion).
* \`for (let i = 0; i < 16; i++)\`: a counter with a constant start, a constant step (\`++\`, \`--\`, \`+=\`, \`-=\`) and a
  comparison with a constant (\`<\`, \`<=\`, \`>\`, \`>=\`, or \`!==\` if it is met exactly), alone or joined to other conditions by
  \`&&\`. Nothing else assigns the counter. At most ${Number(maxIterations).toLocaleString('en')} iterations. Further variables may be declared and stepped.
* \`for (const port of ports)\` over a literal array of at most ${maxUnrolled} elements, unrolled.
* \`ports[i]\` on a literal array: a variable index compares with each position and gives 0 beyond the end.`

function operators(): string {
  const out = [
    '## Operators',
    '',
    'Operands are of the type in the second column; negative numbers are two’s complement.',
  ]
  for (const { title, rows } of operatorTable) {
    out.push(
      '',
      `### ${title}`,
      '',
      '| expression | operands | result | at the edges |',
      '| --- | --- | --- | --- |',
    )
    for (const row of rows)
      out.push(
        `| \`${cell(shown(row))}\` | ${row.type} | ${row.result} | ${row.cases
          .split('; ')
          .map(c => edge(row, c))
          .join(', ')} |`,
      )
  }
  return out.join('\n')
}

const cell = (text: string): string => text.replaceAll('|', '\\|')

/** The expression; for rows about stores the statement. */
const shown = (row: Row): string =>
  row.expression === 'x' ? (row.before ?? '').split('\n')[1] : row.expression

function edge(row: Row, text: string): string {
  const [operands, result] = text.split(' = ')
  const [a, b] = operands.split(' ')
  const two = /\bb\b/.test(shown(row))
  return `${two ? `(${a}, ${b})` : a} → ${result}`
}
