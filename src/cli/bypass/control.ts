// How `bypass add` and `bypass remove` reach the bypass that runs: a socket without a file, by the interface's name.
//
// Such sockets (unix(7), abstract) belong to a network namespace and vanish with the process, so a name can neither be
// stale nor meet another namespace's. One request and one answer, each a line of JSON.

import { createConnection, createServer } from 'node:net'
import { Failure } from '../command.js'
import { exit } from '../exit.js'

export interface Request {
  readonly action: 'add' | 'remove' | 'show'
  readonly queue?: number
}

export type Answer = { readonly ok: true; readonly queues: readonly number[] } | { readonly error: string }

const pathOf = (device: string): string => `\0hairpin/bypass/${device}`
const mostBytes = 4096
const patience = 10_000

/** Serves requests until closed. Rejects if another bypass serves the interface. */
export async function serve(
  device: string,
  handle: (request: Request) => Promise<Answer>,
): Promise<{ close(): void }> {
  const server = createServer(connection => {
    let text = ''
    connection.setEncoding('utf8')
    connection.on('error', () => connection.destroy())
    connection.on('data', (part: string) => {
      text += part
      if (text.length > mostBytes) return void connection.destroy()
      if (!text.includes('\n')) return
      const request = readRequest(text)
      const answer = request ? handle(request) : Promise.resolve({ error: 'this is no request' })
      void answer.then(found => connection.end(`${JSON.stringify(found)}\n`))
    })
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        error.code === 'EADDRINUSE'
          ? new Failure(
              `${device} is bypassed by another hairpin already; hairpin bypass add ${device} QUEUE has it take one more`,
              exit.program,
            )
          : error,
      ),
    )
    server.listen(pathOf(device), resolve)
  })
  return { close: () => void server.close() }
}

function readRequest(text: string): Request | undefined {
  try {
    const { action, queue } = JSON.parse(text) as Request
    const known = ['add', 'remove', 'show'].includes(action)
    return known && (queue === undefined || Number.isInteger(queue)) ? { action, queue } : undefined
  } catch {
    return undefined
  }
}

/** Asks the bypass of an interface; ends the command if there is none. */
export function ask(device: string, request: Request): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const connection = createConnection(pathOf(device))
    let text = ''
    connection.setEncoding('utf8')
    connection.setTimeout(patience, () => connection.destroy(new Error('it does not answer')))
    connection.on('connect', () => connection.write(`${JSON.stringify(request)}\n`))
    connection.on('data', (part: string) => (text += part))
    connection.on('error', (error: NodeJS.ErrnoException) =>
      reject(
        new Failure(
          error.code === 'ECONNREFUSED' || error.code === 'ENOENT'
            ? `no hairpin bypass runs on ${device} in this namespace; hairpin bypass --help starts one`
            : `the bypass of ${device}: ${error.message}`,
          exit.program,
        ),
      ),
    )
    connection.on('end', () => {
      try {
        resolve(JSON.parse(text) as Answer)
      } catch {
        reject(new Failure(`the bypass of ${device} ended before it answered`, exit.program))
      }
    })
  })
}
