// Orders to the host of the emulated machine, over its second card.

import { once } from 'node:events'
import { connect } from 'node:net'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { addresses, orderPort } from './addresses.js'
import type { Answer, Order } from './addresses.js'

/** Frames a second within a portion: their host sleeps between bursts. */
const rate = 8000

/** Asks the host for something and waits for its answer; throws what went wrong there. */
export async function ask(order: Order): Promise<Required<Omit<Answer, 'error'>>> {
  const socket = connect(orderPort, addresses.orders)
  await once(socket, 'connect')
  socket.write(`${JSON.stringify(order)}\n`)
  const [line] = (await once(createInterface({ input: socket }), 'line')) as [string]
  socket.destroy()
  const { sent = 0, dropped = 0, answered = 0, error } = JSON.parse(line) as Answer
  if (error !== undefined) throw new Error(`the host: ${error}`)
  return { sent, dropped, answered }
}

/**
 * Has frames sent in turn, in portions that the card's rings hold: the next one goes when `seen`, of packets that came,
 * has gone up by the last. A portion that does not come whole within some seconds is waited for no longer.
 */
export async function send(
  frames: readonly Uint8Array[],
  count: number,
  seen: () => number | bigint,
  portion = 800,
): Promise<{ sent: number; dropped: number }> {
  const text = frames.map(f => Buffer.from(f).toString('base64'))
  const began = Number(seen())
  let [sent, dropped] = [0, 0]
  while (sent < count) {
    const next = Math.min(portion, count - sent)
    const part = Array.from({ length: Math.min(next, text.length) }, (_, k) => text[(sent + k) % text.length])
    const answer = await ask({ do: 'send', frames: part, count: next, rate })
    sent += answer.sent
    dropped += answer.dropped
    for (let k = 0; k < 300 && Number(seen()) - began < sent; k++) await pause(10)
    if (answer.sent < next) break
  }
  return { sent, dropped }
}
