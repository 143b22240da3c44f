/** Text tables and numbers for people. */

/**
 * Rows as aligned text. `alignment` has a letter for each column: l or r. Cells hold no line breaks; the width of a
 * cell is its number of code points.
 */
export function formatTable(rows: readonly (readonly string[])[], alignment: string): string {
  const widths: number[] = []
  for (const row of rows) {
    for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, [...cell].length)
  }
  const lines = rows.map(row =>
    row
      .map((cell, i) => {
        const space = ' '.repeat(widths[i] - [...cell].length)
        return alignment[i] === 'r' ? space + cell : cell + space
      })
      .join('  ')
      .trimEnd(),
  )
  return lines.join('\n')
}

/** A quantity with four significant digits, or all digits before the point where there are more. */
export function formatQuantity(value: number): string {
  if (!Number.isFinite(value)) return `${value}`
  const whole = Math.abs(value) >= 1000
  return whole ? Math.round(value).toLocaleString('en-US') : Number(value.toPrecision(4)).toString()
}
