/**
 * The agent: sends packets out of one device when the machine at the other end of a connection asks for it.
 *
 * It serves one connection at a time, makes the packets itself (a standard trace, named, addressed to the other machine), and
 * has nothing attached but while a connection is open. When the connection ends, however it does, sending stops within a
 * slice of 10 ms and everything is removed. Read protocol.ts for what is said.
 */

import { randomBytes } from 'node:crypto'
import { createServer } from 'node:net'
import type { Server, Socket } from 'node:net'
import type { NetworkInterface } from '../../sys/interfaces.js'
import { openLiveSender } from '../../traffic/live.js'
import type { LiveSender } from '../../traffic/live.js'
import { transmit } from '../../traffic/transmission.js'
import { standardTrace, traceStore } from '../traces.js'
import { deadAfter, isProof, PROTOCOL_VERSION } from './protocol.js'
import type { Message } from './protocol.js'
import { wireOf } from './wire.js'

/** Packets that leave back to back. */
const burst = 64
/** Milliseconds for the device to complete what it was given. */
const drain = 100
/** Messages that may wait for their turn. */
const mostWaiting = 8

export interface AgentOptions {
  readonly device: NetworkInterface
  /** What the other end must know; anybody may ask if absent. */
  readonly token: string | undefined
  /** Told when a connection begins and ends. */
  readonly tell: (what: string) => void
}

export interface AgentServer {
  /** To listen with. */
  readonly server: Server
  /** Ends the connection, if there is one, and resolves when nothing is attached any more. */
  close(): Promise<void>
}

export function agentServer(options: AgentOptions): AgentServer {
  let serving: { readonly socket: Socket; readonly over: Promise<void> } | undefined
  const server = createServer(socket => {
    if (serving) {
      socket.on('error', () => {})
      const busy: Message = { type: 'error', message: 'the agent serves another machine now' }
      // Not left to the other end, which might never hang up.
      socket.end(`${JSON.stringify(busy)}\n`, () => socket.destroy())
      return
    }
    const over = new Promise<void>(resolve => serve(socket, options, resolve)).then(() => {
      serving = undefined
    })
    serving = { socket, over }
  })
  return {
    server,
    async close() {
      server.close()
      serving?.socket.destroy()
      await serving?.over
    },
  }
}

/** Serves one connection; `free` is called when all of it is gone. */
function serve(socket: Socket, { device, token, tell }: AgentOptions, free: () => void): void {
  const peer = `${socket.remoteAddress}:${socket.remotePort}`
  const nonce = randomBytes(16).toString('hex')
  const stop = new AbortController()
  let known = false
  let sender: LiveSender | undefined
  let packets: readonly Uint8Array[] = []
  /** One thing after another; what fails is said and ends the connection. */
  let queue = Promise.resolve()
  let waiting = 0
  const wire = wireOf(
    socket,
    message => {
      if (++waiting > mostWaiting) return wire.end({ type: 'error', message: 'too much at once' })
      queue = queue
        .then(() => (stop.signal.aborted ? undefined : perform(message)))
        .catch((error: unknown) => {
          const words = (error instanceof Error ? error.message : String(error)).slice(0, 1000)
          wire.end({ type: 'error', message: words })
        })
        .finally(() => waiting--)
    },
    reason => {
      stop.abort()
      clearTimeout(introduction)
      void queue.finally(() => {
        sender?.close()
        tell(`${peer}: ${reason}`)
        free()
      })
    },
  )
  // Who does not introduce himself must not keep others out.
  const introduction = setTimeout(() => {
    if (!known) wire.end({ type: 'error', message: 'no hello came' })
  }, deadAfter)
  tell(`${peer}: connected`)
  wire.send({
    type: 'hello',
    version: PROTOCOL_VERSION,
    nonce,
    token: token !== undefined,
    device: device.name,
    address: device.address,
    virtual: device.kind === 'veth',
  })

  async function perform(message: Message): Promise<void> {
    if (message.type === 'error') return wire.end()
    if (message.type === 'hello') {
      if (known) throw new Error('hello came before')
      if (message.version !== PROTOCOL_VERSION)
        throw new Error(`the agent speaks version ${PROTOCOL_VERSION}, not ${message.version}`)
      if (token !== undefined && !isProof(message.proof, token, nonce))
        throw new Error('the token is missing or another one')
      known = true
      return wire.send({ type: 'ready' })
    }
    if (!known) throw new Error('hello comes first')
    if (message.type === 'open') {
      sender?.close()
      sender = undefined
      packets = packetsOf(message, device.address)
      sender = openLiveSender({ packets, device: device.index, burst })
      return wire.send({ type: 'opened', packets: packets.length })
    }
    if (message.type !== 'trial') throw new Error(`${message.type} is the agent's to say`)
    if (sender === undefined) throw new Error('a trial needs packets: open comes first')
    const { id, rate, seconds } = message
    sender.pace(rate ?? undefined)
    const order =
      rate === null
        ? { count: Infinity, seconds }
        : { count: Math.max(1, Math.round(rate * seconds)), seconds: 2 * seconds + 1 }
    const found = await transmit(sender, packets, { ...order, drain, signal: stop.signal })
    wire.send({
      type: 'done',
      id,
      sent: found.sent,
      completed: Math.max(0, found.completed ?? found.sent),
      dropped: Math.max(0, found.dropped),
      seconds: found.seconds,
    })
  }
}

/** The packets of a trace from this device to the other machine's. */
function packetsOf(
  { trace, packets, destination }: Extract<Message, { type: 'open' }>,
  source: string,
): Uint8Array[] {
  const store = traceStore(trace, { seed: 1, ...standardTrace(trace, packets) }, packets)
  const addresses = [destination, source].flatMap(text => text.split(':').map(part => parseInt(part, 16)))
  return Array.from({ length: store.count }, (_, k) => {
    const { bytes } = store.packet(k)
    const packet = new Uint8Array(Math.max(60, bytes.length))
    packet.set(bytes)
    packet.set(addresses)
    return packet
  })
}
