// The known word that a mistyped one was probably meant to be.

/** The word of `known` nearest to `word`, if it is at most two typing errors away. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const best = known.map(k => ({ k, d: distance(word, k) })).toSorted((a, b) => a.d - b.d)[0]
  return best && best.d <= 2 && best.d < word.length ? best.k : undefined
}

/** ` Did you mean x?`, or nothing. */
export function hint(word: string, known: readonly string[], prefix = ''): string {
  const guess = nearest(word, known)
  return guess === undefined ? '' : ` Did you mean ${prefix}${guess}?`
}

/** Letters to insert, delete, replace or exchange with their neighbour (optimal string alignment distance). */
function distance(a: string, b: string): number {
  const rows = [Array.from({ length: b.length + 1 }, (_, j) => j)]
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      row.push(Math.min(rows[i - 1][j] + 1, row[j - 1] + 1, rows[i - 1][j - 1] + (same ? 0 : 1)))
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        row[j] = Math.min(row[j], rows[i - 2][j - 2] + 1)
    }
    rows.push(row)
  }
  return rows[a.length][b.length]
}
