// Rule files as positioned text: rows of named cells, each with its line and column.
//
// csv.ts and json.ts read files into this shape; what a cell means is rules-file.ts's business. Lines and columns
// count from 1, columns in UTF-16 units. A line ends in \n, \r\n or \r.

/** A piece of a rule file and where it stands. */
export interface Cell {
  /** Of the field: a CSV column's, or a JSON key, dotted for an object in an object. */
  readonly name: string
  readonly text: string
  readonly line: number
  readonly column: number
}

export interface SourceRow {
  readonly line: number
  readonly column: number
  readonly cells: readonly Cell[]
}

/** What is wrong with a rule file, and where. */
export interface RuleProblem {
  readonly line: number
  readonly column: number
  /** What was expected and what was found. */
  readonly message: string
}

/** What could be read, and what ended the reading before the end of the file, if anything. */
export interface Source {
  readonly rows: readonly SourceRow[]
  /** The first line of a CSV file; JSON has none. */
  readonly header?: readonly Cell[]
  readonly problem?: RuleProblem
}

/** A place in a text that knows its line and column. */
export class Cursor {
  readonly text: string
  at: number
  line = 1
  private lineStart: number

  constructor(text: string) {
    this.text = text
    this.at = text.startsWith('\ufeff') ? 1 : 0
    this.lineStart = this.at
  }

  get column(): number {
    return this.at - this.lineStart + 1
  }

  get ended(): boolean {
    return this.at >= this.text.length
  }

  /** The character here, or an empty string at the end. */
  get here(): string {
    return this.text.charAt(this.at)
  }

  /** The character here; moves past it. */
  take(): string {
    const taken = this.here
    this.at++
    if (taken === '\n' || (taken === '\r' && this.here !== '\n')) {
      this.line++
      this.lineStart = this.at
    }
    return taken
  }

  /** Moves past all characters in `set`. */
  skip(set: string): void {
    while (!this.ended && set.includes(this.here)) this.take()
  }

  /** Moves to the next character in `set` or to the end; returns what lies between. */
  takeUntil(set: string): string {
    const from = this.at
    while (!this.ended && !set.includes(this.here)) this.take()
    return this.text.slice(from, this.at)
  }

  problem(message: string): RuleProblem {
    return { line: this.line, column: this.column, message }
  }

  /** What stands here, for messages. */
  found(): string {
    if (this.ended) return 'the end of the file'
    return '\r\n'.includes(this.here) ? 'the end of the line' : `\`${this.here}\``
  }
}
