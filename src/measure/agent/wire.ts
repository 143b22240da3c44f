/** One end of a connection between agent and device under test: messages in and out, signs of life, one end for both. */

import type { Socket } from 'node:net'
import { aliveEvery, deadAfter, Lines, parseMessage } from './protocol.js'
import type { Message } from './protocol.js'

export interface Wire {
  send(message: Message): void
  /** Hangs up, with a last word. */
  end(message?: Message): void
}

/**
 * Speaks the protocol on a socket. `heard` gets every message but signs of life; `over` is called once, with the reason:
 * the other end hung up, said nonsense, or was silent for `deadAfter` milliseconds.
 */
export function wireOf(
  socket: Socket,
  heard: (message: Message) => void,
  over: (reason: string) => void,
): Wire {
  const lines = new Lines()
  let ended = false
  const finish = (reason: string): void => {
    if (ended) return
    ended = true
    clearInterval(alive)
    socket.destroySoon()
    // Whoever does not take the last word is not waited for.
    setTimeout(() => socket.destroy(), aliveEvery).unref()
    over(reason)
  }
  const send = (message: Message): void => {
    if (!ended && socket.writable) socket.write(`${JSON.stringify(message)}\n`)
  }
  // A socket's own time-out counts what is written as life.
  let heardAt = performance.now()
  const alive = setInterval(() => {
    if (performance.now() - heardAt > deadAfter) finish(`nothing was heard for ${deadAfter / 1000} s`)
    else send({ type: 'alive' })
  }, aliveEvery)
  socket.setNoDelay(true)
  socket.setEncoding('latin1')
  socket.on('error', error => {
    const { code = '' } = error as NodeJS.ErrnoException
    finish(['ECONNRESET', 'EPIPE'].includes(code) ? `the other end hung up (${code})` : error.message)
  })
  socket.on('close', () => finish('the other end hung up'))
  socket.on('end', () => finish('the other end hung up'))
  socket.on('data', (chunk: Buffer | string) => {
    heardAt = performance.now()
    for (const line of lines.push(String(chunk)) ?? [undefined]) {
      if (ended) return
      const message = line === undefined ? { problem: 'a line that is too long' } : parseMessage(line)
      if ('problem' in message) {
        send({ type: 'error', message: message.problem })
        finish(message.problem)
      } else if (message.type !== 'alive') heard(message)
    }
  })
  return {
    send,
    end(message) {
      if (message) send(message)
      finish('hung up')
    },
  }
}
