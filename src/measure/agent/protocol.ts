/**
 * What the two ends of a measurement between machines say to each other: lines of JSON over TCP, version 1.
 *
 * The agent, on the generating machine, speaks first. `A` agent, `B` the device under test:
 *
 *     A  {"type":"hello","version":1,"nonce":"…","token":false,"device":"eth1","address":"02:…","virtual":false}
 *     B  {"type":"hello","version":1,"proof":"…"}           proof: HMAC-SHA-256 of the nonce by the token, hex
 *     A  {"type":"ready"}
 *     B  {"type":"open","trace":"uniform","packets":20000,"destination":"02:…"}
 *     A  {"type":"opened","packets":20000}
 *     B  {"type":"trial","id":1,"rate":1000000,"seconds":0.2}      rate null: as fast as possible
 *     A  {"type":"done","id":1,"sent":…,"completed":…,"dropped":…,"seconds":…}
 *     both, every second: {"type":"alive"}; A instead of an answer, then it hangs up: {"type":"error","message":"…"}
 *
 * Everything that comes in is hostile: a line has 4,096 bytes at most, numbers have ranges, unknown types and fields of the
 * wrong kind are a problem in words. Nothing here throws.
 */

import { createHmac, timingSafeEqual } from 'node:crypto'
import { traceNames } from '../traces.js'
import type { TraceName } from '../traces.js'

export const PROTOCOL_VERSION = 1
/** Bytes of a line, without its end. */
export const longestLine = 4096
/** Milliseconds between signs of life, and without any before the other end counts as dead. */
export const aliveEvery = 1000
export const deadAfter = 5000
export const mostPackets = 200_000
export const mostRate = 1e9
/** Seconds of a trial. */
export const longestTrial = 3600

export type Message =
  | {
      readonly type: 'hello'
      readonly version: number
      /** The agent's. */
      readonly nonce?: string
      readonly token?: boolean
      readonly device?: string
      readonly address?: string
      readonly virtual?: boolean
      /** The other's. */
      readonly proof?: string
    }
  | { readonly type: 'ready' | 'alive' }
  | {
      readonly type: 'open'
      readonly trace: TraceName
      readonly packets: number
      readonly destination: string
    }
  | { readonly type: 'opened'; readonly packets: number }
  | {
      readonly type: 'trial'
      readonly id: number
      readonly rate: number | null
      readonly seconds: number
    }
  | {
      readonly type: 'done'
      readonly id: number
      /** Packets that the sending program made, that the device completed, and that it dropped. */
      readonly sent: number
      readonly completed: number
      readonly dropped: number
      readonly seconds: number
    }
  | { readonly type: 'error'; readonly message: string }

type Check = (value: unknown) => boolean

const numberIn =
  (least: number, most: number): Check =>
  value =>
    typeof value === 'number' && value >= least && value <= most
const wholeIn =
  (least: number, most: number): Check =>
  value =>
    Number.isInteger(value) && numberIn(least, most)(value)
const textOf =
  (pattern: RegExp): Check =>
  value =>
    typeof value === 'string' && pattern.test(value)
const optional =
  (check: Check): Check =>
  value =>
    value === undefined || check(value)
const isFlag: Check = value => typeof value === 'boolean'
const count = wholeIn(0, Number.MAX_SAFE_INTEGER)
const hardware = textOf(/^([\da-f]{2}:){5}[\da-f]{2}$/)

const fields: Readonly<Record<Message['type'], Readonly<Record<string, Check>>>> = {
  hello: {
    version: wholeIn(0, 1e6),
    nonce: optional(textOf(/^[\da-f]{32}$/)),
    token: optional(isFlag),
    device: optional(textOf(/^[^\s/\p{Cc}]{1,15}$/u)),
    address: optional(hardware),
    virtual: optional(isFlag),
    proof: optional(textOf(/^[\da-f]{64}$/)),
  },
  ready: {},
  alive: {},
  open: {
    trace: value => traceNames.some(name => name === value),
    packets: wholeIn(1, mostPackets),
    destination: hardware,
  },
  opened: { packets: wholeIn(1, mostPackets) },
  trial: {
    id: count,
    rate: value => value === null || numberIn(1, mostRate)(value),
    seconds: numberIn(0.001, longestTrial),
  },
  done: { id: count, sent: count, completed: count, dropped: count, seconds: numberIn(0, 1e6) },
  error: { message: value => typeof value === 'string' },
}

/** A message out of a line, with known fields only; or what is wrong with it. */
export function parseMessage(line: string): Message | { readonly problem: string } {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    return { problem: 'a line that is no JSON' }
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value))
    return { problem: 'a line that is no message' }
  const given = value as Record<string, unknown>
  const { type } = given
  if (typeof type !== 'string' || !Object.hasOwn(fields, type))
    return { problem: 'a message of no known type' }
  const message: Record<string, unknown> = { type }
  for (const [name, check] of Object.entries(fields[type as Message['type']])) {
    const field = Object.hasOwn(given, name) ? given[name] : undefined
    if (!check(field)) return { problem: `a message ${type} with a wrong ${name}` }
    if (field !== undefined) message[name] = field
  }
  return message as unknown as Message
}

/** Puts lines together out of what comes in; undefined once a line is too long, and ever after. */
export class Lines {
  #rest = ''
  #broken = false

  /** The lines that are whole now. `chunk` is Latin-1: one character a byte. */
  push(chunk: string): string[] | undefined {
    if (this.#broken) return undefined
    const parts = (this.#rest + chunk).split('\n')
    this.#rest = parts.pop()!
    if (parts.some(part => part.length > longestLine) || this.#rest.length > longestLine) {
      this.#broken = true
      this.#rest = ''
      return undefined
    }
    return parts.map(part => Buffer.from(part, 'latin1').toString('utf8')).filter(part => part.trim() !== '')
  }
}

/** What shows that an end knows the token, which itself never travels. */
export const proofOf = (token: string, nonce: string): string =>
  createHmac('sha256', token).update(nonce).digest('hex')

/** Whether a proof is right, in a time that tells nothing of it. */
export function isProof(given: string | undefined, token: string, nonce: string): boolean {
  const [a, b] = [Buffer.from(given ?? ''), Buffer.from(proofOf(token, nonce))]
  return a.length === b.length && timingSafeEqual(a, b)
}
