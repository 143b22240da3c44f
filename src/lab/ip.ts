// The ip command of iproute2, which makes labs.

import { spawnSync } from 'node:child_process'
import { Unsupported } from '../sys/failure.js'

/** ip refused; `line` is what it was asked. */
export class IpError extends Error {
  override readonly name = 'IpError'
  readonly line: string

  constructor(line: string, text: string) {
    super(`ip ${line}: ${text}`)
    this.line = line
  }
}

const timeout = 20_000

/** Runs lines of ip one after the other, in a namespace if one is named; throws at the first that fails. */
export function ip(lines: readonly string[], namespace?: string): void {
  if (lines.length === 0) return
  const where = namespace === undefined ? [] : ['-netns', namespace]
  const { status, stderr, error } = spawnSync('ip', [...where, '-batch', '-'], {
    input: lines.map(line => `${line}\n`).join(''),
    encoding: 'utf8',
    timeout,
  })
  if (error !== undefined) throw missing(error)
  if (status === 0) return
  const failed = /^Command failed -:(\d+)/m.exec(stderr)
  const line = lines[failed === null ? 0 : Number(failed[1]) - 1]
  throw explain(
    line,
    stderr
      .replace(/^Command failed.*$/m, '')
      .trim()
      .replaceAll('\n', '; '),
  )
}

function explain(line: string, text: string): Error {
  const found = `ip says: ${text}`
  if (/Operation not permitted|Permission denied/.test(text))
    return new Unsupported('labs', 'root with CAP_NET_ADMIN and CAP_SYS_ADMIN', found)
  if (/Unknown device type|Operation not supported/.test(text) && line.startsWith('link add'))
    return new Unsupported('pairs of virtual Ethernet devices', 'a kernel with veth (CONFIG_VETH)', found)
  return new IpError(line, text)
}

/** Runs ip and ignores how it ends: for clean-up. */
export function tryIp(lines: readonly string[], namespace?: string): void {
  const where = namespace === undefined ? [] : ['-netns', namespace]
  const input = lines.map(line => `${line}\n`).join('')
  spawnSync('ip', [...where, '-force', '-batch', '-'], {
    input,
    stdio: ['pipe', 'ignore', 'ignore'],
    timeout,
  })
}

/** Numbers of the processes in a namespace. */
export function processesIn(namespace: string): number[] {
  const { stdout } = spawnSync('ip', ['netns', 'pids', namespace], { encoding: 'utf8', timeout })
  return (stdout ?? '').split('\n').filter(Boolean).map(Number)
}

function missing(error: Error): Error {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') return error
  return new Unsupported('labs', 'the command ip (package iproute2)', 'none', 'install iproute2', {
    cause: error,
  })
}
