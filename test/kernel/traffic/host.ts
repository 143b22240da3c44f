/**
 * A host of a lab: a process in a namespace that serves and talks over TCP and UDP as it is told, a JSON object a line.
 * Everything is bounded in count and time; it ends when its standard input does. Driven by hosts.ts.
 */

import { createSocket } from 'node:dgram'
import type { Socket as UdpSocket } from 'node:dgram'
import { connect, createServer } from 'node:net'
import type { Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { setTimeout } from 'node:timers/promises'

/** What a talk over TCP came to: what was echoed, from where the server saw us, or the error's code. */
export interface Talk {
  readonly echoed: string
  readonly error: string | undefined
}

/** What came back over UDP, in the order of arrival, hexadecimal; and the error that the kernel reported. */
export interface Replies {
  readonly replies: readonly string[]
  readonly error: string | undefined
}

export interface TcpTalk {
  readonly to: string
  readonly port: number
  readonly bytes: number
  /** Milliseconds after which it gives up. */
  readonly within: number
  /** End by a reset instead of FIN. */
  readonly reset?: boolean
}

export interface UdpTalk {
  readonly to: string
  readonly port: number
  /** Datagrams, hexadecimal. */
  readonly send: readonly string[]
  /** Milliseconds between them; 0 for all at once. */
  readonly gap: number
  /** It ends with so many replies, or after so many milliseconds. */
  readonly expect: number
  readonly within: number
  /** Hops that they may take; the system's default if absent. */
  readonly ttl?: number
}

/** A key-value store of the protocol of programs/key-value-cache.ts; counts what reaches it. */
class Store {
  readonly #values = new Map<string, Buffer>()
  requests = 0

  answer(request: Buffer): Buffer | undefined {
    this.requests++
    const key = request.subarray(4, 20).toString('hex')
    if (request[0] === 2) this.#values.set(key, Buffer.from(request.subarray(20, 52)))
    if (request[0] === 3) this.#values.delete(key)
    const reply = Buffer.from(request)
    reply[0] |= 128
    const value = this.#values.get(key)
    reply[1] = value ? 1 : 0
    value?.copy(reply, 20)
    return reply
  }
}

const store = new Store()
const serving: { close(): unknown }[] = []

const commands = {
  /** Echoes what it gets; the first line tells the client's address and port as seen from here. */
  async serveTcp({ port, host = '0.0.0.0' }: { port: number; host?: string }): Promise<null> {
    const server = createServer({ allowHalfOpen: false }, socket => {
      socket.on('error', () => {})
      socket.write(`${socket.remoteAddress}:${socket.remotePort}\n`)
      socket.pipe(socket)
    })
    serving.push(server)
    await new Promise<void>(resolve => server.listen(port, host, resolve))
    return null
  },

  /** Echoes datagrams, in front of each the client's address and port as seen from here. */
  async serveUdp({ port }: { port: number }): Promise<null> {
    await bound(port, (socket, message, { address, port: from }) =>
      socket.send(Buffer.concat([Buffer.from(`${address}:${from}\n`), message]), from, address),
    )
    return null
  },

  async serveStore({ port }: { port: number }): Promise<null> {
    await bound(port, (socket, message, { address, port: from }) => {
      const reply = store.answer(message)
      if (reply) socket.send(reply, from, address)
    })
    return null
  },

  async requests(): Promise<number> {
    return store.requests
  },

  talkTcp: ({ to, port, bytes, within, reset }: TcpTalk): Promise<Talk> =>
    new Promise(resolve => {
      const socket: Socket = connect({ host: to, port })
      let echoed = ''
      const end = (error?: string): void => {
        if (error === undefined && reset === true) socket.resetAndDestroy()
        else if (error === undefined) socket.end()
        else socket.destroy()
        const done = (): void => resolve({ echoed, error })
        if (socket.destroyed) done()
        else socket.once('close', done)
      }
      socket.setTimeout(within, () => end('TIMEOUT'))
      socket.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message))
      socket.on('connect', () => socket.write(Buffer.alloc(bytes, 'x')))
      socket.on('data', data => {
        echoed += data.toString('latin1')
        if (echoed.length - echoed.indexOf('\n') - 1 === bytes && echoed.includes('\n')) end()
      })
    }),

  async talkUdp({ to, port, send, gap, expect, within, ttl }: UdpTalk): Promise<Replies> {
    const socket = createSocket('udp4')
    const replies: string[] = []
    let error: string | undefined
    const stop = new AbortController()
    socket.on('error', (e: NodeJS.ErrnoException) => {
      error = e.code
      stop.abort()
    })
    socket.on('message', message => {
      replies.push(message.toString('hex'))
      if (replies.length >= expect) stop.abort()
    })
    // A connected socket hears of ICMP errors.
    await new Promise<void>(resolve => socket.connect(port, to, resolve))
    if (ttl !== undefined) socket.setTTL(ttl)
    const over = setTimeout(within, undefined, { signal: stop.signal }).catch(() => undefined)
    for (const hex of send) {
      socket.send(Buffer.from(hex, 'hex'))
      if (gap > 0) await setTimeout(gap)
    }
    await over
    socket.close()
    return { replies, error }
  },
}

export type Commands = typeof commands

function bound(
  port: number,
  answer: (socket: UdpSocket, message: Buffer, from: { address: string; port: number }) => void,
): Promise<void> {
  const socket = createSocket('udp4')
  socket.on('message', (message, from) => answer(socket, message, from))
  serving.push(socket)
  return new Promise(resolve => socket.bind(port, resolve))
}

interface Request {
  readonly id: number
  readonly command: keyof Commands
  readonly argument: unknown
}

/** Reads requests until standard input ends. */
export async function serve(): Promise<void> {
  for await (const line of createInterface({ input: process.stdin })) {
    const { id, command, argument } = JSON.parse(line) as Request
    const action = commands[command] as (argument: unknown) => Promise<unknown>
    void action(argument).then(
      result => process.stdout.write(`${JSON.stringify({ id, result })}\n`),
      (error: Error) => process.stdout.write(`${JSON.stringify({ id, error: error.message })}\n`),
    )
  }
  process.exit()
}
