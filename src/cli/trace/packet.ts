// How a packet was changed: header fields by name, and the bytes that no header explains.

import { dissect } from '../../wire/frame.js'
import type { Frame } from '../../wire/frame.js'
import type { FieldType } from '../../wire/field.js'
import { ipv4Text, ipv6Text, macText } from '../../wire/view.js'
import type { View } from '../../wire/view.js'

export interface FieldChange {
  /** `ipv4.source`, or `bytes 60 to 63`. */
  readonly field: string
  readonly before: string
  readonly after: string
}

/** What differs between a packet's bytes before and after; both have the same length. */
export function rewritten(before: Uint8Array, after: Uint8Array): FieldChange[] {
  const [old, now] = [viewsOf(dissect(before)), viewsOf(dissect(after))]
  const changes: FieldChange[] = []
  const explained = new Uint8Array(before.length)
  for (const view of old) {
    const same = now.find(v => v.base === view.base && v.protocol.name === view.protocol.name)
    if (!same) continue
    for (const [name, field] of Object.entries(view.protocol.fields)) {
      const from = view.base + (field.bit >> 3)
      explained.fill(1, from, view.base + ((field.bit + field.bits + 7) >> 3))
      const [a, b] = [view, same].map(v => fieldText(field.type, (v.fields as Fields)[name]))
      if (a !== b) changes.push({ field: `${view.protocol.name}.${name}`, before: a, after: b })
    }
  }
  return [...changes, ...otherBytes(before, after, explained)]
}

type Fields = Readonly<Record<string, number | bigint | boolean>>

/** Runs of differing bytes outside the fields above. */
function otherBytes(before: Uint8Array, after: Uint8Array, explained: Uint8Array): FieldChange[] {
  const changes: FieldChange[] = []
  const differs = (i: number): boolean => !explained[i] && before[i] !== after[i]
  for (let at = 0; at < before.length; at++) {
    if (!differs(at)) continue
    let end = at + 1
    while (end < before.length && differs(end)) end++
    const hex = (bytes: Uint8Array): string => Buffer.from(bytes.subarray(at, end)).toString('hex')
    const field = end - at === 1 ? `byte ${at}` : `bytes ${at} to ${end - 1}`
    changes.push({ field, before: hex(before), after: hex(after) })
    at = end
  }
  return changes
}

/** All headers of a frame, outer first. */
function viewsOf(frame: Frame): View[] {
  const { ethernet, tags, arp, ipv4, ipv6, transport: t } = frame
  const own = [
    ethernet,
    ...tags,
    arp,
    ipv4,
    ipv6,
    t?.tcp,
    t?.udp,
    t?.sctp,
    t?.icmp,
    t?.icmpv6,
    t?.gre,
    t?.vxlan,
  ]
  const inner = t?.inner ? viewsOf(t.inner) : []
  return [...own.filter(v => v !== undefined), ...inner] as View[]
}

function fieldText(type: FieldType, value: number | bigint | boolean): string {
  if (type === 'Ipv4Address') return ipv4Text(Number(value))
  if (type === 'Ipv6Address') return ipv6Text(BigInt(value))
  if (type === 'MacAddress') return macText(BigInt(value))
  if (type === 'EtherType') return `0x${value.toString(16).padStart(4, '0')}`
  return String(value)
}
