// Plain text tables: columns as wide as their widest cell, numbers to the right.

export interface Column {
  readonly title: string
  readonly right?: boolean
}

/** Lines of a table; `indent` spaces before each. With `width` the last column is broken to fit so many columns. */
export function grid(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  indent = 2,
  width?: number,
): string {
  const last = columns.length - 1
  const widths = columns.map((c, k) => Math.max(c.title.length, ...rows.map(row => row[k]?.length ?? 0)))
  const room = (width ?? Infinity) - indent - widths.slice(0, -1).reduce((sum, w) => sum + w + 2, 0)
  const line = (cells: readonly string[]): string =>
    ' '.repeat(indent) +
    cells
      .map((cell, k) => (columns[k].right ? cell.padStart(widths[k]) : cell.padEnd(widths[k])))
      .join('  ')
      .trimEnd()
  const lines = (cells: readonly string[]): string[] => {
    if (cells[last].length <= room) return [line(cells)]
    widths[last] = 0
    return wrap(cells[last], Math.max(room, 20)).map((text, i) =>
      line([...(i === 0 ? cells.slice(0, -1) : columns.slice(1).map(() => '')), text]),
    )
  }
  const head = columns.some(c => c.title !== '') ? [line(columns.map(c => c.title))] : []
  return [...head, ...rows.flatMap(lines)].join('\n')
}

/** 1,234,567 */
export const grouped = (n: number | bigint): string => n.toString().replace(/\B(?=(\d{3})+(?!\d))/g, ',')

/** 12.3 %; never "0.0 %" for something that is there. */
export function percent(part: number, whole: number): string {
  if (whole === 0) return '-'
  const p = (100 * part) / whole
  return p > 0 && p < 0.05 ? '<0.1 %' : `${p.toFixed(1)} %`
}

/** 1.5 MiB */
export function bytesText(n: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB']
  let value = n
  let unit = 0
  while (value >= 1024 && unit < 3) {
    value /= 1024
    unit++
  }
  return unit === 0 ? `${n} B` : `${value.toFixed(1)} ${units[unit]}`
}

/** A text broken into lines of at most `width` columns. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line)
      line = ''
    }
    line = line === '' ? word : `${line} ${word}`
  }
  return [...lines, line]
}

/** A text as indented lines; those after the first stand `hang` columns further right. */
export function paragraph(text: string, indent = 2, width = 80, hang = 2): string[] {
  return wrap(text, width - indent - hang).map(
    (line, i) => ' '.repeat(i === 0 ? indent : indent + hang) + line,
  )
}

/** A label, and beside it a text of as many lines as it takes. */
export function labelled(label: string, text: string, indent: number, column: number, width = 80): string[] {
  return wrap(text, width - column).map(
    (line, i) => (i === 0 ? ' '.repeat(indent) + label : '').padEnd(column) + line,
  )
}
