// Netlink: requests and their answers, attributes, and the kernel's own words about a refusal (extended ack).
//
// A request opens a socket in the network namespace of the calling thread, waits for the answer at most two seconds,
// and closes it. Answers are read defensively: a length that does not fit ends the walk.

import { checked, SystemError } from './failure.js'
import type { Explanation } from './failure.js'
import { errno } from './errno.js'
import { kernel } from './kernel.js'
import type { Bytes } from './kernel.js'
import { Structure } from './structure.js'

/** Families of netlink. */
export const netlinkFamily = { route: 0, generic: 16 } as const

const AF_NETLINK = 16
const SOCK_RAW_CLOEXEC = 3 | 0x8_0000
const SOL_SOCKET = 1
const SO_RCVTIMEO = 20
const SOL_NETLINK = 270
const NETLINK_CAP_ACK = 10
const NETLINK_EXT_ACK = 11

const NLM_F_REQUEST = 1
const NLM_F_ACK = 4
const NLM_F_DUMP = 0x300
/** CREATE and EXCL. */
const NLM_F_NEW = 0x600
const NLM_F_DUMP_INTR = 0x10
const NLM_F_CAPPED = 0x100
const NLM_F_ACK_TLVS = 0x200
const NLMSG_ERROR = 2
const NLMSG_DONE = 3
const NLMSGERR_ATTR_MSG = 1
const headerBytes = 16
const timeoutSeconds = 2

const align = (n: number): number => (n + 3) & ~3

/** An attribute to send: bytes, a number of 32 bits, text, or attributes inside. */
export type Attribute = readonly [type: number, value: Bytes | number | string | readonly Attribute[]]

/** Attributes of an answer by type; the last of a type wins. */
export type Answered = ReadonlyMap<number, Bytes>

/** A message of an answer: its type, and what follows the header. */
export interface Message {
  readonly type: number
  readonly payload: Bytes
}

/** A request. */
export interface Request {
  readonly family: number
  readonly type: number
  /** The fixed structure of the message type. */
  readonly header: Bytes
  readonly attributes?: readonly Attribute[]
  /** Asks for all objects instead of acting on one. */
  readonly dump?: boolean
  /** Makes an object that must not be there yet. */
  readonly create?: boolean
  /** What it is called in errors: `netlink(SETLINK)`. */
  readonly name: string
}

/** A refusal over netlink; `kernelText` is the kernel's own explanation, if it gave one. */
export class NetlinkError extends SystemError {
  override readonly name = 'NetlinkError'
  readonly kernelText: string | undefined

  constructor(call: string, error: number, kernelText: string | undefined, explanation: Explanation = {}) {
    super(
      call,
      error,
      kernelText === undefined ? explanation : { ...explanation, reason: `the kernel says: ${kernelText}` },
    )
    this.kernelText = kernelText
  }
}

const attempts = 5

/** Sends a request and gives the messages of its answer, without the acknowledgement. Throws a `NetlinkError`. */
export function request(wanted: Request): Message[] {
  for (let attempt = 1; ; attempt++) {
    const answer = exchange(wanted)
    // A dump during which the list changed may lack entries.
    if (!answer.interrupted || attempt === attempts) return answer.messages
  }
}

function exchange(wanted: Request): { messages: Message[]; interrupted: boolean } {
  const fd = checked(kernel().socket(AF_NETLINK, SOCK_RAW_CLOEXEC, wanted.family), 'socket(AF_NETLINK)')
  try {
    const timeout = new Structure(16).u64(0, BigInt(timeoutSeconds)).bytes
    checked(kernel().setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, timeout), 'setsockopt(SO_RCVTIMEO)')
    const on = new Structure(4).u32(0, 1).bytes
    // Kernels before 4.12 know neither, and answer without an explanation.
    kernel().setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, on)
    kernel().setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, on)
    checked(kernel().send(fd, encode(wanted), 0), wanted.name)
    return receive(fd, wanted.name)
  } finally {
    kernel().close(fd)
  }
}

function encode(wanted: Request): Bytes {
  const body = encodeAttributes(wanted.attributes ?? [])
  const length = headerBytes + align(wanted.header.length) + body.length
  const message = new Structure(length)
    .u32(0, length)
    .u16(4, wanted.type)
    .u16(6, NLM_F_REQUEST | (wanted.dump ? NLM_F_DUMP : NLM_F_ACK) | (wanted.create ? NLM_F_NEW : 0))
    .u32(8, 1)
  message.bytes.set(wanted.header, headerBytes)
  message.bytes.set(body, headerBytes + align(wanted.header.length))
  return message.bytes
}

const NLA_F_NESTED = 0x8000

/** The bytes of attributes, to stand behind a structure inside of one. */
export function encodeAttributes(attributes: readonly Attribute[]): Buffer<ArrayBuffer> {
  return Buffer.concat(
    attributes.map(([type, value]) => {
      const nested = Array.isArray(value)
      const payload = payloadOf(value)
      const attribute = new Structure(align(4 + payload.length))
        .u16(0, 4 + payload.length)
        .u16(2, nested ? type | NLA_F_NESTED : type)
      attribute.bytes.set(payload, 4)
      return attribute.bytes
    }),
  )
}

function payloadOf(value: Attribute[1]): Bytes {
  if (typeof value === 'number') return new Structure(4).u32(0, value >>> 0).bytes
  if (typeof value === 'string') return Buffer.from(`${value}\0`)
  return value instanceof Uint8Array ? value : encodeAttributes(value as readonly Attribute[])
}

const receiveBytes = 1 << 16

function receive(fd: number, name: string): { messages: Message[]; interrupted: boolean } {
  const messages: Message[] = []
  let interrupted = false
  for (;;) {
    const buffer = new Uint8Array(new ArrayBuffer(receiveBytes))
    const length = kernel().receive(fd, buffer, 0)
    if (-length === errno.EINTR) continue
    if (-length === errno.EAGAIN)
      throw new SystemError(name, errno.EAGAIN, { reason: `no answer within ${timeoutSeconds} s` })
    checked(length, name)
    for (const { type, flags, payload } of messagesOf(buffer.subarray(0, length))) {
      interrupted ||= (flags & NLM_F_DUMP_INTR) !== 0
      if (type === NLMSG_DONE) return { messages, interrupted }
      if (type === NLMSG_ERROR) {
        const error = refusal(name, flags, payload)
        if (error !== undefined) throw error
        return { messages, interrupted }
      }
      messages.push({ type, payload })
    }
  }
}

function* messagesOf(bytes: Bytes): Generator<Message & { readonly flags: number }> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  for (let at = 0; at + headerBytes <= bytes.length;) {
    const length = view.getUint32(at, true)
    if (length < headerBytes || at + length > bytes.length) return
    const payload = bytes.subarray(at + headerBytes, at + length)
    yield { type: view.getUint16(at + 4, true), flags: view.getUint16(at + 6, true), payload }
    at += align(length)
  }
}

/** The error of an acknowledgement; undefined if all went well. */
function refusal(name: string, flags: number, payload: Bytes): NetlinkError | undefined {
  if (payload.length < 4) return undefined
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length)
  const error = -view.getInt32(0, true)
  if (error === 0) return undefined
  // After the error stands the request's header, and the rest of the request unless the answer is capped.
  const requestBytes = payload.length >= 8 ? view.getUint32(4, true) : 0
  const tlvs = 4 + (flags & NLM_F_CAPPED ? headerBytes : align(requestBytes))
  const text =
    flags & NLM_F_ACK_TLVS ? attributesOf(payload.subarray(tlvs)).get(NLMSGERR_ATTR_MSG) : undefined
  return new NetlinkError(name, error, text && textOf(text))
}

/** Attributes that fill these bytes. */
export function attributesOf(bytes: Bytes): Answered {
  const found = new Map<number, Bytes>()
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  for (let at = 0; at + 4 <= bytes.length;) {
    const length = view.getUint16(at, true)
    if (length < 4 || at + length > bytes.length) break
    found.set(view.getUint16(at + 2, true) & 0x3fff, bytes.subarray(at + 4, at + length))
    at += align(length)
  }
  return found
}

/** Text of an attribute, up to its zero byte. */
export function textOf(bytes: Bytes): string {
  return Buffer.from(bytes).toString('utf8').replace(/\0.*$/s, '')
}

/** A number of an attribute by its width: 1, 2, 4 or 8 bytes, little-endian; 0 for an attribute that is not there. */
export function numberOf(bytes: Bytes | undefined): number {
  return bytes === undefined || ![1, 2, 4, 8].includes(bytes.length)
    ? 0
    : bytes.reduceRight((sum, byte) => sum * 256 + byte, 0)
}
