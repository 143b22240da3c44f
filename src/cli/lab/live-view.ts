// The demo while it runs: on a terminal the page of `hairpin top`, drawn again every second; in a pipe a line a second.

import type { Lab } from '../../lab/lab.js'
import type { Io } from '../command.js'
import { Screen } from '../screen.js'
import { pageOf } from '../top/page.js'
import { Sampler } from '../top/sample.js'
import type { Sample } from '../top/sample.js'
import { demoLine } from './demo-page.js'
import type { Second } from './demonstration.js'

export interface LiveView {
  /** Shows what happened in about a second. */
  show(second: Second): void
  /** Gives the terminal back; harmless when repeated. */
  close(): void
}

/** Text for pipes and JSON. */
const plainView = (io: Io, json: boolean): LiveView => ({
  show: second => io.out(json ? `${JSON.stringify({ event: 'second', ...second })}\n` : demoLine(second)),
  close: () => {},
})

/** `head` stays above; q and Ctrl-C call `quit`. */
export function openView(lab: Lab, head: string, io: Io, json: boolean, quit: () => void): LiveView {
  if (json || process.stdout.isTTY !== true || process.env.TERM === 'dumb') {
    if (!json) io.out(head)
    return plainView(io, json)
  }
  const sampler = new Sampler([])
  const look = (): Sample => lab.inNamespace('box', () => sampler.look())
  let before: Sample | undefined
  let now = onThisCable(look())
  let line = ''
  const draw = (): void =>
    screen.draw([
      ...head.trimEnd().split('\n'),
      line,
      '',
      ...pageOf(now, before, {
        columns: screen.columns,
        colour: io.colour,
        interval: 1,
        time: false,
        clock: new Date().toTimeString().slice(0, 8),
        keys: 'q quits',
      }),
    ])
  const screen = new Screen(process.stdout, process.stdin, { quit, redraw: () => draw() })
  screen.open()
  draw()
  const lines: string[] = []
  return {
    show(second) {
      before = now
      now = onThisCable(look())
      line = demoLine(second).trimEnd()
      lines.push(line)
      draw()
    },
    close() {
      screen.close()
      sampler.close()
      // What was seen stays on the terminal.
      io.out(`${head}${lines.splice(0).join('\n')}\n`)
    },
  }
}

/** Without the programs of other networks. */
const onThisCable = (sample: Sample): Sample => ({
  ...sample,
  programs: sample.programs.filter(({ devices }) => devices.length > 0),
})
