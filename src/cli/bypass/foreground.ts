// A bypass in the foreground: a line each second, queues that come and go, until Ctrl-C or until the interface goes.

import type { Bypass } from '../../engine/queue/bypass.js'
import { Publication } from '../../engine/running.js'
import type { Io } from '../command.js'
import { exit } from '../exit.js'
import { DropTeller } from '../losses.js'
import { serve } from './control.js'
import type { Answer, Request } from './control.js'
import { balanceText, countsOf, figuresJson, openedJson, openedText, secondText } from './report.js'

const everyMilliseconds = 1000
/** Seconds after which a queue that nothing came to is told. */
const quietAfter = 3

/** Answers the exit code; everything is put back by then. */
export async function foreground(bypass: Bypass, json: boolean, io: Io): Promise<number> {
  const { device, way } = bypass
  const event = (object: object): void => io.out(`${JSON.stringify(object)}\n`)
  const told = new Set<string>()
  /** Each warning once, until it goes away. */
  const warn = (warnings: readonly string[]): void => {
    for (const warning of warnings) {
      if (told.has(warning)) continue
      told.add(warning)
      io.err(`${warning}\n`)
      if (json) event({ event: 'warning', text: warning })
    }
  }
  const tellOpened = (queue: number): void => {
    const opened = bypass.queues.find(open => open.queue === queue)!
    if (json) event(openedJson(bypass, opened))
    else io.out(`${openedText(bypass, opened)}\n`)
    warn(opened.isolation.notes)
  }
  let busy: Promise<unknown> = Promise.resolve()
  const handle = async ({ action, queue = -1 }: Request): Promise<Answer> => {
    const act = async (): Promise<Answer> => {
      try {
        if (action === 'add') {
          await bypass.add(queue)
          tellOpened(queue)
        } else if (action === 'remove') {
          await bypass.remove(queue)
          if (json) event({ event: 'closed', interface: device.name, queue })
          else io.out(`queue ${queue}: back with the kernel\n`)
        }
        return { ok: true, queues: bypass.queues.map(open => open.queue) }
      } catch (error) {
        return { error: error instanceof Error ? error.message : String(error) }
      }
    }
    // One after the other.
    const answer = busy.then(act)
    busy = answer
    return answer
  }
  const control = await serve(device.name, handle).catch(async (error: unknown) => {
    await bypass.stop()
    throw error
  })
  if (!json) {
    io.out(
      `${device.name}: ${bypass.attachment.mode} XDP; ${way.carries ? `the kernel is reached by ${way.name}, which has its address` : `what is passed goes to the kernel by ${way.name}`}\n`,
    )
    if (bypass.attachment.refusal) io.err(`not native: ${bypass.attachment.refusal.message}\n`)
  }
  if (way.shortcoming !== undefined) warn([way.shortcoming])
  for (const { queue } of bypass.queues) tellOpened(queue)

  const publication = new Publication({
    command: 'bypass',
    program: bypass.program,
    strategy: bypass.strategy,
    interfaces: [device.name],
  })
  return new Promise(resolve => {
    let before = bypass.figures()
    let at = performance.now()
    let seconds = 0
    const losses = new DropTeller()
    /** What was told of lost packets, which stays true. */
    const lost: string[] = []
    const end = async (code: number, reason?: string): Promise<void> => {
      clearInterval(timer)
      publication.close()
      for (const signal of signals) process.removeListener(signal, interrupted)
      control.close()
      if (reason !== undefined) io.err(`hairpin bypass: ${reason}\n`)
      await busy
      const figures = await bypass.stop()
      if (json)
        event({
          event: 'ended',
          ...figuresJson(figures),
          unaccounted: figures.unaccounted,
          ...(reason !== undefined && { reason }),
        })
      else io.out(`${balanceText(figures)}\n`)
      resolve(code === exit.interrupted && figures.unaccounted !== 0 ? exit.no : code)
    }
    const interrupted = (): void => void end(exit.interrupted)
    const timer = setInterval(() => {
      const now = bypass.figures()
      const passed = (performance.now() - at) / 1000
      publication.tell(countsOf(now))
      if (json)
        event({
          event: 'second',
          seconds: passed,
          pps: Math.round((now.taken - before.taken) / passed),
          ...figuresJson(now),
        })
      else io.out(`${secondText(now, before, passed)}\n`)
      const { gone, warnings } = bypass.watch()
      for (const warning of told)
        if (!warnings.includes(warning) && !lost.includes(warning)) told.delete(warning)
      lost.push(...losses.news(Object.entries(now.drops)))
      const more: string[] = [...lost]
      if (++seconds === quietAfter)
        for (const { queue } of bypass.queues)
          if (!now.queues.some(q => q.queue === queue && q.taken > 0))
            more.push(
              `nothing that matches has come to queue ${queue} yet${countText(bypass.driverCount(queue))}`,
            )
      const [most] = now.queues.filter(q => q.elsewhere > 0).toSorted((a, b) => b.elsewhere - a.elsewhere)
      if (most && now.elsewhere - before.elsewhere > (now.taken - before.taken) / 10)
        more.push(
          `packets that match come in on queue ${most.queue} too, which the kernel has; hairpin bypass add ${device.name} ${most.queue} takes them`,
        )
      warn([...warnings, ...more])
      before = now
      at = performance.now()
      if (gone !== undefined) void end(exit.program, gone)
    }, everyMilliseconds)
    const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
    for (const signal of signals) process.on(signal, interrupted)
  })
}

const countText = (count: number | undefined): string =>
  count === undefined ? '' : ` (the driver counts ${count} packets there in all)`
