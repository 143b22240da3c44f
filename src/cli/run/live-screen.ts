// The screen of a live run, where there is a terminal.

import { Screen } from '../screen.js'

export class LiveScreen {
  readonly #screen: Screen
  #page: ((columns: number) => readonly string[]) | undefined

  /** A screen, if a person watches and wants no JSON. */
  static on(json: boolean, quit: (interrupted: boolean) => void): LiveScreen | undefined {
    const wanted = !json && process.stdout.isTTY === true && process.env.TERM !== 'dumb'
    return wanted ? new LiveScreen(quit) : undefined
  }

  private constructor(quit: (interrupted: boolean) => void) {
    this.#screen = new Screen(process.stdout, process.stdin, { quit, redraw: () => this.#draw() })
    this.#screen.open()
  }

  draw(page: (columns: number) => readonly string[]): void {
    this.#page = page
    this.#draw()
  }

  close(): void {
    this.#screen.close()
  }

  #draw(): void {
    if (this.#page) this.#screen.draw([...this.#page(this.#screen.columns)])
  }
}
