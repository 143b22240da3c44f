// An attached program in the foreground: figures every second, until Ctrl-C or until somebody takes it off.

import { balanceOf } from '../../engine/kernel/conservation.js'
import { countedSince, driverCounts } from '../../engine/kernel/driver.js'
import type { DriverCounts } from '../../engine/kernel/driver.js'
import type { Figures } from '../../engine/kernel/figures.js'
import type { LoadedProgram } from '../../engine/kernel/load.js'
import { openReading } from '../../engine/kernel/reading.js'
import { programInfo } from '../../sys/info.js'
import { interfaces } from '../../sys/interfaces.js'
import type { Attachment } from '../../sys/xdp.js'
import type { Io } from '../command.js'
import { exit } from '../exit.js'
import type { Watch } from './warnings.js'
import { balanceJson, balanceText, figuresJson, figuresLine } from './figures.js'

/** Where a program is, with what the driver had counted before it came. */
export interface Place {
  readonly attachment: Attachment
  readonly before: DriverCounts
}

const everyMilliseconds = 1000

/** Closes the program at the end; answers the exit code. `watch` tells what tables refuse. */
export function foreground(
  loaded: LoadedProgram,
  watch: Watch,
  places: readonly Place[],
  json: boolean,
  io: Io,
): Promise<number> {
  const reading = openReading(loaded.description)
  const { id } = programInfo(loaded.program)
  const attachments = places.map(p => p.attachment)
  let last = reading.figures()
  const tell = (): Figures => {
    const now = reading.figures()
    if (json) io.out(`${JSON.stringify({ event: 'verdicts', ...figuresJson(now) })}\n`)
    else if (io.terminal) io.out(`${figuresLine(now, last)}\n`)
    warn()
    return now
  }
  const warn = (): void => {
    for (const { text, ...warning } of watch.look(reading.occupancies())) {
      io.err(`${text}\n`)
      if (json) io.out(`${JSON.stringify({ event: 'warning', ...warning })}\n`)
    }
  }
  const tellEnd = (): void => {
    const figures = reading.figures()
    const balance = balanceOf(figures, places.map(countedHere))
    warn()
    if (json)
      io.out(`${JSON.stringify({ event: 'ended', ...figuresJson(figures), ...balanceJson(balance) })}\n`)
    else io.out(`${figuresLine(figures)}\n${balanceText(balance)}\n`)
  }
  const gone = (): Attachment[] => {
    const there = interfaces()
    return attachments.filter(a => {
      const device = there.find(i => i.index === a.interfaceIndex)
      return !device?.xdp.some(x => x.programId === id)
    })
  }
  return new Promise(resolve => {
    const end = (code: number): void => {
      clearInterval(timer)
      process.removeListener('SIGINT', interrupted)
      process.removeListener('SIGTERM', interrupted)
      process.removeListener('SIGHUP', interrupted)
      for (const attachment of attachments) attachment.detach()
      tellEnd()
      reading.close()
      loaded.close()
      resolve(code)
    }
    const interrupted = (): void => end(exit.interrupted)
    const timer = setInterval(() => {
      last = tell()
      const off = gone()
      if (off.length === 0) return
      const names = off.map(a => a.interfaceName).join(', ')
      io.err(`hairpin attach: it was taken off ${names}\n`)
      if (off.length === attachments.length) end(exit.ok)
      else attachments.splice(0, attachments.length, ...attachments.filter(a => !off.includes(a)))
    }, everyMilliseconds)
    process.once('SIGINT', interrupted)
    process.once('SIGTERM', interrupted)
    process.once('SIGHUP', interrupted)
  })
}

/** What the driver counted since; nothing in generic mode, in which no driver is asked. */
function countedHere({ attachment: { interfaceName, mode }, before }: Place): DriverCounts {
  const nothing = { handed: undefined, transmitLost: undefined, lost: undefined, sendLost: undefined }
  return mode === 'native' ? countedSince(driverCounts(interfaceName), before) : nothing
}
