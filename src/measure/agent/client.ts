/** The device under test's end of a connection to an agent: asks for trials, one at a time. */

import { connect } from 'node:net'
import type { TraceName } from '../traces.js'
import { PROTOCOL_VERSION, proofOf } from './protocol.js'
import type { Message } from './protocol.js'
import { wireOf } from './wire.js'

export type Done = Extract<Message, { type: 'done' }>

export interface Agent {
  /** The agent's device, its hardware address, and whether it is one end of a veth pair. */
  readonly device: string
  readonly virtual: boolean
  /** Has the agent make the packets of a trace, addressed to `destination`; answers how many they are. */
  open(trace: TraceName, packets: number, destination: string): Promise<number>
  /** Has it send at a rate, in packets a second, or as fast as it can. */
  trial(rate: number | undefined, seconds: number): Promise<Done>
  close(): void
}

/** The agent cannot be reached, refuses, or is lost: words for a person. */
export class AgentFailure extends Error {}

/** Messages of an agent that may wait to be asked for. */
const mostEarly = 8

/** Connects and introduces itself. Rejects with an `AgentFailure`, as everything that is asked of the agent does. */
export async function connectAgent(host: string, port: number, token: string | undefined): Promise<Agent> {
  const socket = connect({ host, port })
  let fail: (error: Error) => void = () => {}
  let take: (message: Message) => void = () => {}
  let over: string | undefined
  /** Messages that came before anybody asked for them. */
  const early: Message[] = []
  const wire = wireOf(
    socket,
    message => {
      if (message.type === 'error') {
        // It goes to a terminal: no control characters.
        over = `the agent says: ${message.message.replaceAll(/\p{Cc}/gu, ' ')}`
        wire.end()
      } else if (early.push(message) > mostEarly) {
        over = `the agent at ${host}:${port} says more than it was asked`
        wire.end()
      } else take(message)
    },
    reason => {
      over ??= `the agent at ${host}:${port}: ${reason}`
      fail(new AgentFailure(over))
    },
  )
  const next = async <T extends Message['type']>(type: T): Promise<Extract<Message, { type: T }>> => {
    if (early.length === 0) {
      if (over !== undefined) throw new AgentFailure(over)
      await new Promise<void>((resolve, reject) => {
        take = () => resolve()
        fail = reject
      })
    }
    const message = early.shift()!
    if (message.type === type) return message as Extract<Message, { type: T }>
    wire.end({ type: 'error', message: `${type} was expected, not ${message.type}` })
    throw new AgentFailure(`the agent at ${host}:${port} said ${message.type} where ${type} was expected`)
  }
  try {
    const hello = await next('hello')
    if (hello.version !== PROTOCOL_VERSION)
      throw new AgentFailure(
        `the agent speaks version ${hello.version} of the protocol, this hairpin ${PROTOCOL_VERSION}`,
      )
    if (hello.token && token === undefined)
      throw new AgentFailure('the agent wants a token: --token-file FILE, the same file as there')
    wire.send({
      type: 'hello',
      version: PROTOCOL_VERSION,
      ...(token !== undefined && { proof: proofOf(token, hello.nonce ?? '') }),
    })
    await next('ready')
    let id = 0
    return {
      device: hello.device ?? 'a device',
      virtual: hello.virtual === true,
      async open(trace, packets, destination) {
        wire.send({ type: 'open', trace, packets, destination })
        return (await next('opened')).packets
      },
      async trial(rate, seconds) {
        wire.send({ type: 'trial', id: ++id, rate: rate ?? null, seconds })
        const done = await next('done')
        if (done.id !== id)
          throw new AgentFailure(`the agent answered trial ${done.id} where ${id} was asked`)
        return done
      },
      close: () => wire.end(),
    }
  } catch (error) {
    wire.end()
    throw error
  }
}
