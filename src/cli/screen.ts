// A terminal screen that is drawn again and again: only lines that changed are written, all in one synchronized update,
// so that nothing flickers. It takes the alternate screen and gives back the terminal as it was, however it ends.
//
// Lines may hold colours (SGR sequences); they are cut at the right edge, and pages longer than the terminal can be
// scrolled. Keys reach the owner one by one; Ctrl-C, Ctrl-Z and changes of size are handled here.

import type { ReadStream, WriteStream } from 'node:tty'

export interface ScreenEvents {
  /** `q`, Ctrl-C or SIGTERM: the owner ends. */
  readonly quit: (interrupted: boolean) => void
  /** The size changed, or the terminal came back: draw again. */
  readonly redraw: () => void
  /** Any other key. */
  readonly key?: (key: string) => void
}

type Output = Pick<WriteStream, 'write' | 'columns' | 'rows' | 'on' | 'off'>
type Input = Pick<ReadStream, 'isTTY' | 'setRawMode' | 'on' | 'off' | 'resume' | 'pause' | 'ref' | 'unref'>

const enter = '\x1b[?1049h\x1b[?25l\x1b[H\x1b[2J'
const leave = '\x1b[0m\x1b[?25h\x1b[?1049l'
const begin = '\x1b[?2026h'
const end = '\x1b[?2026l'

const escape = '\x1b'
const sequenceOrCharacter = new RegExp(`${escape}\\[[0-9;]*[A-Za-z~]|[^]`, 'g')
const colours = new RegExp(`(${escape}\\[[0-9;]*m)`)

export class Screen {
  readonly #output: Output
  readonly #input: Input
  readonly #events: ScreenEvents
  #shown: string[] = []
  #lines: readonly string[] = []
  #top = 0
  #open = false

  constructor(output: Output, input: Input, events: ScreenEvents) {
    this.#output = output
    this.#input = input
    this.#events = events
  }

  get columns(): number {
    return this.#output.columns || 80
  }

  get rows(): number {
    return this.#output.rows || 24
  }

  open(): void {
    this.#output.on('resize', this.#resized)
    this.#input.on('data', this.#typed)
    process.on('SIGINT', this.#interrupted)
    process.on('SIGTERM', this.#interrupted)
    process.on('SIGHUP', this.#interrupted)
    process.on('SIGCONT', this.#resumed)
    process.on('exit', this.#restore)
    this.#take()
  }

  /** Gives the terminal back; harmless when repeated. */
  close(): void {
    this.#restore()
    this.#output.off('resize', this.#resized)
    this.#input.off('data', this.#typed)
    this.#input.pause()
    process.off('SIGINT', this.#interrupted)
    process.off('SIGTERM', this.#interrupted)
    process.off('SIGHUP', this.#interrupted)
    process.off('SIGCONT', this.#resumed)
    process.off('exit', this.#restore)
  }

  /** Shows a page. Of one that is longer than the terminal, the last line says how much is below. */
  draw(lines: readonly string[]): void {
    this.#lines = lines
    if (!this.#open) return
    const { rows, columns } = this
    this.#top = Math.max(0, Math.min(this.#top, lines.length - rows))
    const page = lines.slice(this.#top, this.#top + rows)
    const below = lines.length - this.#top - rows
    if (below > 0) page[rows - 1] = `… ${below + 1} more lines; ↓ and ↑ move`
    const changes: string[] = []
    for (let row = 0; row < Math.max(page.length, this.#shown.length); row++) {
      const text = cut(page[row] ?? '', columns)
      if (this.#shown[row] !== text) changes.push(`\x1b[${row + 1};1H${text}\x1b[0m\x1b[K`)
      this.#shown[row] = text
    }
    this.#shown.length = page.length
    if (changes.length > 0) this.#output.write(begin + changes.join('') + end)
  }

  #take(): void {
    this.#open = true
    this.#shown = []
    if (this.#input.isTTY) {
      this.#input.setRawMode(true)
      this.#input.resume()
    }
    this.#output.write(enter)
  }

  readonly #restore = (): void => {
    if (!this.#open) return
    this.#open = false
    this.#output.write(leave)
    if (this.#input.isTTY) this.#input.setRawMode(false)
  }

  readonly #resized = (): void => {
    // Terminals move text about when they change size: begin with an empty one.
    this.#shown = []
    this.#output.write('\x1b[2J')
    this.#events.redraw()
  }

  readonly #interrupted = (): void => this.#events.quit(true)

  readonly #resumed = (): void => {
    if (!this.#open) this.#take()
    this.#events.redraw()
  }

  readonly #typed = (data: Buffer): void => {
    for (const key of keysOf(data.toString('latin1'))) {
      if (key === 'q') this.#events.quit(false)
      else if (key === '\x03') this.#events.quit(true)
      else if (key === '\x1a') {
        this.#restore()
        process.kill(process.pid, 'SIGSTOP')
      } else if (key === '\x1b[B' || key === 'j') this.#scroll(1)
      else if (key === '\x1b[A' || key === 'k') this.#scroll(-1)
      else if (key === '\x0c') this.#resized()
      else this.#events.key?.(key)
    }
  }

  #scroll(by: number): void {
    this.#top += by
    this.draw(this.#lines)
  }
}

/** Keys of a piece of input: escape sequences whole, everything else by character. */
function keysOf(input: string): string[] {
  return input.match(sequenceOrCharacter) ?? []
}

/** A line of at most `width` columns; colours do not count, and end with the line. */
export function cut(line: string, width: number): string {
  const parts = line.split(colours)
  let left = width
  const kept = parts.map((part, k) => {
    if (k % 2 === 1) return part
    const characters = Array.from(part)
    const room = Math.max(0, left)
    left -= characters.length
    if (characters.length <= room) return part
    return room === 0 ? '' : `${characters.slice(0, room - 1).join('')}…`
  })
  return kept.join('')
}

/** What colours add: `styles(false)` adds nothing, as NO_COLOR asks. */
export function styles(colour: boolean) {
  const style =
    (code: number) =>
    (text: string): string =>
      colour ? `\x1b[${code}m${text}\x1b[0m` : text
  return { bold: style(1), dim: style(2), red: style(31), green: style(32), yellow: style(33) }
}

export type Styles = ReturnType<typeof styles>
