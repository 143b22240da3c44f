/**
 * Trials between two machines: a program by XDP on a device of this one, packets from an agent's device at the other end
 * of the wire.
 *
 * Loss is judged by both sides' counts: what the agent's device completed, less what the program here saw. Packets that the agent's
 * own device dropped never were on the wire and count as not offered; on a veth pair, whose queue is this end's, they
 * are loss. There the kernel receives on a thread of its own, or sender and program would wait for each other; one CPU makes
 * a closed loop all the same, and says so. Needs root. When the connection ends the program is detached.
 */

import { setTimeout } from 'node:timers/promises'
import { figuresOf } from '../../engine/kernel/figures.js'
import { load } from '../../engine/kernel/load.js'
import type { Loadable, LoadOptions } from '../../engine/kernel/load.js'
import { onlineCpus, possibleCpus } from '../../sys/cpus.js'
import type { NetworkInterface } from '../../sys/interfaces.js'
import { findInterface } from '../../sys/interfaces.js'
import { attachXdp } from '../../sys/xdp.js'
import type { Trial } from '../search.js'
import { receiveOnThread } from '../threaded.js'
import type { TraceName } from '../traces.js'
import type { Agent } from './client.js'

/** Milliseconds for what is on its way at the end. */
const drain = 200
const onlyKey = new Uint8Array(new ArrayBuffer(4))

export interface RemoteTrials {
  readonly closedLoop: boolean
  readonly where: string
  run(rate: number, seconds: number): Promise<Trial>
  calibrate(seconds: number): Promise<number>
  close(): void
}

export async function remoteTrials(
  program: Loadable,
  options: LoadOptions,
  device: NetworkInterface,
  agent: Agent,
  trace: TraceName,
  packets: number,
): Promise<RemoteTrials> {
  const closers: (() => void)[] = [() => agent.close()]
  const close = (): void => {
    for (const action of closers.splice(0).toReversed()) action()
  }
  try {
    const loaded = load(program, options)
    closers.push(() => loaded.close())
    const attachment = attachXdp(loaded.program, device.name, 'native')
    closers.push(() => attachment.detach())
    const cpu = onlineCpus().at(-1)!
    const threaded = agent.virtual && device.kind === 'veth' && cpu > 0
    if (threaded) closers.push(receiveOnThread(device.name, cpu))
    await agent.open(trace, packets, device.address)
    const received = (): number =>
      Number(figuresOf(map => loaded.maps.get(map)?.lookup(onlyKey), [], possibleCpus()).packets)
    const counters = (): NetworkInterface['counters'] => (findInterface(device.index) ?? device).counters
    const trial = async (rate: number | undefined, seconds: number): Promise<Trial> => {
      const [before, here] = [received(), counters()]
      const done = await agent.trial(rate, seconds)
      const sent = agent.virtual ? done.sent : Math.min(done.sent, done.completed)
      const until = performance.now() + drain
      while (received() - before < sent && performance.now() < until) await setTimeout(5)
      const after = counters()
      const offered = sent / Math.max(done.seconds, 1e-9)
      return {
        requested: rate ?? offered,
        offered,
        sent,
        // Others' packets may have been counted too; they cannot make up for lost ones by more than all.
        lost: Math.max(0, sent - (received() - before)),
        ends: {
          made: done.sent,
          completed: done.completed,
          dropped: done.dropped,
          arrived: after.receivedPackets - here.receivedPackets,
          arrivedDropped: after.receiveDropped - here.receiveDropped,
          processed: received() - before,
        },
      }
    }
    return {
      closedLoop: agent.virtual && !threaded,
      where: `XDP (${attachment.mode}) on ${device.name}, packets from ${agent.device} of the agent`,
      run: trial,
      async calibrate(seconds) {
        await trial(undefined, seconds / 4)
        return (await trial(undefined, seconds)).offered
      },
      close,
    }
  } catch (error) {
    close()
    throw error
  }
}
