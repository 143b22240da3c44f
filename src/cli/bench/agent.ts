// hairpin bench agent: the generating machine of a measurement between two.

import { readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { isIP, isIPv6 } from 'node:net'
import { agentServer } from '../../measure/agent/server.js'
import { missingCapabilities } from '../../sys/privilege.js'
import { machine } from '../../sys/machine.js'
import { findInterface, interfaces } from '../../sys/interfaces.js'
import { Failure, UsageError } from '../command.js'
import type { Flags, Io } from '../command.js'
import { exit } from '../exit.js'
import { isSet, required, text } from '../flags.js'
import { withKernel } from '../kernel.js'
import { hint } from '../nearest.js'

export const agentPart = { run: agent, flags: ['listen', 'iface', 'token-file'] }

/** The shortest token: shorter ones are guessed. */
const leastToken = 16

async function agent(flags: Flags, io: Io): Promise<number> {
  if (flags.positionals.length > 0)
    throw new UsageError(`agent takes flags only, not ${flags.positionals[0]}`)
  const { host, port } = endOf(required(flags, 'listen', 'ADDRESS:PORT'), '--listen')
  if (isIP(host) === 0) throw new UsageError(`--listen takes an address of this machine, not ${host}`)
  if (/^[0:.]+$/.test(host) && host !== '::1')
    throw new UsageError(
      `--listen takes the one address that the other machine knows, not ${host}: whoever reaches it can start traffic`,
    )
  const name = required(flags, 'iface', 'IF')
  const token = tokenIn(flags)
  const device = withKernel(() => findInterface(name))
  if (device === undefined) {
    const names = withKernel(() => interfaces().map(i => i.name))
    throw new Failure(
      `there is no interface ${name} in this namespace; there are ${names.join(', ')}.${hint(name, names)}`,
      exit.input,
    )
  }
  const missing = missingCapabilities(machine())
  if (missing.length > 0)
    throw new Failure(
      `sending needs root, or ${missing.join(', ')}: sudo hairpin bench agent …`,
      exit.program,
    )
  const json = isSet(flags, 'json')
  const { server, close } = agentServer({
    device,
    token,
    tell: what => {
      if (!json) io.out(`${what}\n`)
    },
  })
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', error => reject(new Failure(`${host}:${port}: ${error.message}`, exit.input)))
      server.listen({ host, port }, resolve)
    })
    const at = server.address() as AddressInfo
    const where = `${isIPv6(at.address) ? `[${at.address}]` : at.address}:${at.port}`
    if (json) io.out(`${JSON.stringify({ listening: where, device: name, token: token !== undefined })}\n`)
    else
      io.out(
        `listening on ${where}, sending out of ${name} for ${token === undefined ? 'whoever connects' : 'who knows the token'}; Ctrl-C ends it\n`,
      )
    await new Promise<void>(resolve => process.once('SIGINT', resolve).once('SIGTERM', resolve))
    return exit.interrupted
  } finally {
    await close()
  }
}

/** ADDRESS:PORT, [ADDRESS]:PORT for IPv6. */
export function endOf(given: string, flag: string): { readonly host: string; readonly port: number } {
  const found = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(given)
  const port = Number(found?.[3])
  if (!found || port > 65_535) throw new UsageError(`${flag} takes ADDRESS:PORT, not ${given}`)
  return { host: found[1] ?? found[2], port }
}

/** The token in the file that --token-file names. */
export function tokenIn(flags: Flags): string | undefined {
  const path = text(flags, 'token-file')
  if (path === undefined) return undefined
  let token: string
  try {
    token = readFileSync(path, 'utf8').trim()
  } catch (error) {
    throw new Failure(`${path}: ${(error as Error).message}`, exit.input)
  }
  if (token.length < leastToken)
    throw new Failure(`${path}: a token has at least ${leastToken} characters`, exit.input)
  return token
}
