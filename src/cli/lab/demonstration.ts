// What the demo does: sends, knocks, sends on, and counts at every place where a packet can be counted.

import { figuresOf } from '../../engine/kernel/figures.js'
import type { Figures } from '../../engine/kernel/figures.js'
import type { Artifact } from '../../engine/artifact.js'
import type { LoadedProgram } from '../../engine/kernel/load.js'
import type { Lab } from '../../lab/lab.js'
import { possibleCpus } from '../../sys/cpus.js'
import { statistics } from '../../sys/ethtool.js'
import { attachXdp } from '../../sys/xdp.js'
import type { Attachment } from '../../sys/xdp.js'
import { openLiveSender } from '../../traffic/live.js'
import type { LiveReport, LiveSender } from '../../traffic/live.js'
import { elephant, knocking } from './elephant.js'

/** What happened in about a second. */
export interface Second {
  /** Seconds since sending began. */
  readonly time: number
  readonly phase: Phase
  /** Packets per second. */
  readonly sent: number
  readonly verdicts: Readonly<Record<string, number>>
}

/** Before and after the knocks; `flow` where the program has no ports to knock on. */
export type Phase = 'closed' | 'open' | 'flow'

/** What the program made of a phase's packets, knocks apart. */
export interface PhaseEnd {
  readonly phase: Phase
  readonly sent: number
  readonly verdicts: Readonly<Record<string, number>>
  readonly report: LiveReport
}

export interface DemoEnd {
  readonly program: string
  readonly mode: string
  readonly phases: readonly PhaseEnd[]
  readonly knocks: readonly number[]
  readonly sent: number
  /** Packets that the cable dropped before the program saw them. */
  readonly lost: number
  readonly received: number
  readonly verdicts: Readonly<Record<string, number>>
  readonly counters: Readonly<Record<string, number>>
  /** Packets that came back to the sender's end. */
  readonly returned: number
  /** Packets that appear in none of these. */
  readonly unaccounted: number
}

export interface DemoOptions {
  /** Packets per second; as fast as possible if undefined. */
  readonly rate: number | undefined
  /** Ports to knock on in the middle. */
  readonly knocks: readonly number[]
}

/** Milliseconds; a rate over less time than that says little. */
const shortestTick = 300
/** Knocks follow each other at this rate. */
const knockRate = 100

export class Demonstration {
  readonly options: DemoOptions
  readonly attachment: Attachment
  readonly #lab: Lab
  readonly #loaded: LoadedProgram
  readonly #artifact: Artifact
  readonly #sender: LiveSender
  readonly #knocker: LiveSender | undefined
  readonly #phases: PhaseEnd[] = []
  #knocked: LiveReport | undefined

  constructor(lab: Lab, loaded: LoadedProgram, artifact: Artifact, options: DemoOptions) {
    this.options = options
    this.#lab = lab
    this.#loaded = loaded
    this.#artifact = artifact
    this.attachment = lab.inNamespace('box', () => attachXdp(loaded.program, 'eth0', 'native'))
    const { rate, knocks } = options
    const open = (packets: readonly Uint8Array[], pace: number | undefined): LiveSender =>
      lab.inNamespace('sender', () =>
        openLiveSender({ packets, device: 'eth0', ...(pace !== undefined && { rate: pace }) }),
      )
    try {
      this.#sender = open([elephant()], rate)
      if (knocks.length > 0) this.#knocker = open(knocking(knocks), knockRate)
    } catch (error) {
      this.close()
      throw error
    }
  }

  get program(): string {
    return this.#artifact.name
  }

  /** Sends for so long, and tells of every second. */
  async run(seconds: number, stop: AbortSignal, tell: (second: Second) => void): Promise<void> {
    const began = performance.now()
    const phases: Phase[] = this.#knocker ? ['closed', 'open'] : ['flow']
    for (const phase of phases) {
      if (phase === 'open') this.#knocked = await this.#knocker!.send(this.options.knocks.length, stop)
      if (stop.aborted) return
      const tick = this.#ticker(phase, began, tell)
      const ticks = setInterval(tick, 1000)
      const before = this.#figures()
      try {
        const report = await this.#sendFor((1000 * seconds) / phases.length, stop)
        const verdicts = difference(this.#figures(), before)
        this.#phases.push({ phase, sent: report.sent, verdicts, report })
        tick()
      } finally {
        clearInterval(ticks)
      }
    }
  }

  /** Sends for so many milliseconds, or until it is stopped. */
  async #sendFor(milliseconds: number, stop: AbortSignal): Promise<LiveReport> {
    const over = new AbortController()
    const end = (): void => over.abort()
    const timer = setTimeout(end, milliseconds)
    stop.addEventListener('abort', end)
    try {
      return await this.#sender.send(Number.MAX_SAFE_INTEGER, over.signal)
    } finally {
      clearTimeout(timer)
      stop.removeEventListener('abort', end)
    }
  }

  /** Tells of the time since the last call, if that is worth it. */
  #ticker(phase: Phase, began: number, tell: (second: Second) => void): () => void {
    let last = { at: performance.now(), sent: 0, figures: this.#figures() }
    return () => {
      if (performance.now() - last.at < shortestTick) return
      const now = { at: performance.now(), sent: this.#sender.sent, figures: this.#figures() }
      const per = (n: number): number => Math.round((1000 * n) / (now.at - last.at))
      const verdicts = Object.entries(difference(now.figures, last.figures)).map(([k, n]) => [k, per(n)])
      tell({
        time: Math.round((now.at - began) / 100) / 10,
        phase,
        sent: per(now.sent - last.sent),
        verdicts: Object.fromEntries(verdicts) as Record<string, number>,
      })
      last = now
    }
  }

  #figures(): Figures {
    const names = this.#artifact.counters.map(c => c.name)
    return figuresOf(map => this.#loaded.maps.get(map)?.lookup(onlyKey), names, possibleCpus())
  }

  /** What became of every packet. */
  end(): DemoEnd {
    const { packets, verdicts, counters } = this.#figures()
    const reports = [...this.#phases.map(p => p.report), ...(this.#knocked ? [this.#knocked] : [])]
    const sent = reports.reduce((sum, r) => sum + r.sent, 0)
    const lost = reports.reduce((sum, r) => sum + r.dropped, 0)
    const received = Number(packets)
    const returned = this.#lab.inNamespace('sender', () => statistics('eth0').get('rx_queue_0_xdp_drops'))
    const all = recordOf(verdicts)
    return {
      program: this.#artifact.name,
      mode: this.attachment.mode,
      phases: this.#phases,
      knocks: this.options.knocks,
      sent,
      lost,
      received,
      verdicts: all,
      counters: recordOf(counters),
      returned: Number(returned ?? 0),
      unaccounted: Math.abs(sent - lost - received) + Math.abs((all.transmit ?? 0) - Number(returned ?? 0)),
    }
  }

  /** Takes the program off and removes the senders. */
  close(): void {
    this.#sender?.close()
    this.#knocker?.close()
    this.attachment.detach()
  }
}

const onlyKey = new Uint8Array(new ArrayBuffer(4))

const recordOf = (counts: ReadonlyMap<string, bigint>): Record<string, number> =>
  Object.fromEntries([...counts].filter(([, n]) => n > 0n).map(([k, n]) => [k, Number(n)]))

function difference(now: Figures, before: Figures): Record<string, number> {
  return recordOf(new Map([...now.verdicts].map(([k, n]) => [k, n - (before.verdicts.get(k) ?? 0n)])))
}
