import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FunctionBuilder } from '../ir/builder.js'
import { printFunction } from '../ir/print.js'
import { ipv6 } from '../wire/ipv6.js'
import { tcp } from '../wire/tcp.js'
import { memberInfo, viewTypes } from './members.js'
import type { ViewName } from './members.js'
import { unitOf } from './views-read.js'
import { extraLeaves } from './views-value.js'
import { readMember, rootView, viewFromLeaves, viewLeaves, viewLeafTypes } from './views.js'
import type { PacketContext, ViewValue } from './views.js'

function start(): { ctx: PacketContext; view: ViewValue } {
  const builder = new FunctionBuilder('main', [], 'i32')
  const ctx = { builder, memory: builder.variable('mem'), frame: builder.const('i32', 0) }
  return { ctx, view: rootView(ctx) }
}

function follow(ctx: PacketContext, view: ViewValue, name: string): ViewValue {
  const member = readMember(ctx, view, name)
  if (member.kind !== 'view') throw new Error(`${name} is no view`)
  return member.view
}

test('a TCP port behind IPv4: seven branches to know that it is there, and one load', () => {
  const { ctx, view } = start()
  const { builder } = ctx
  const ip = follow(ctx, view, 'ipv4')
  const there = builder.block()
  const found = builder.block()
  const absent = builder.block()
  builder.branch(ip.present, there, absent)
  builder.seal(there)
  builder.at(there)
  const header = follow(ctx, ip, 'tcp')
  builder.branch(header.present, found, absent)
  builder.seal(found)
  builder.seal(absent)
  builder.at(found)
  const port = readMember(ctx, header, 'destinationPort')
  if (port.kind !== 'scalar') throw new Error('no scalar')
  builder.return([...port.value])
  builder.at(absent)
  builder.return([builder.const('i32', 0)])
  const text = printFunction(builder.finish())
  assert.equal(text.match(/ {2}branch /g)?.length, 7)
  assert.match(
    text,
    /(%\d+) = load\.i32 .* width=2 offset=2 checked=false {2}; tcp\.destinationPort\n {2}(%\d+) = bswap16\.i32 \1 {2}; tcp\.destinationPort\n {2}return \2/,
  )
})

test('a field is read by the narrowest load inside its header', () => {
  assert.deepEqual(unitOf(tcp, tcp.fields.destinationPort), { offset: 2, width: 2, shift: 0, whole: true })
  assert.deepEqual(unitOf(tcp, tcp.fields.syn), { offset: 13, width: 1, shift: 1, whole: false })
  assert.deepEqual(unitOf(ipv6, ipv6.fields.flowLabel), { offset: 0, width: 4, shift: 0, whole: false })
  assert.deepEqual(unitOf(ipv6, ipv6.fields.dscp), { offset: 0, width: 2, shift: 6, whole: false })
})

test('every field of every header has such a load, and no writable multi-byte one at an odd place', () => {
  for (const { protocol } of Object.values(viewTypes))
    for (const [name, field] of Object.entries(protocol?.fields ?? {})) {
      if (!protocol || field.type === 'Ipv6Address') continue
      const { offset, width } = unitOf(protocol, field)
      assert.ok(offset + width <= protocol.headerBytes, `${protocol.name}.${name}`)
      if (field.writable && width > 1) assert.equal(offset % 2, 0, `${protocol.name}.${name}`)
    }
})

test('a view survives the way through its leaves', () => {
  const { ctx, view } = start()
  const ip = follow(ctx, view, 'ipv6')
  assert.deepEqual(viewFromLeaves('ipv6', viewLeaves(ip)), ip)
  assert.deepEqual(
    viewLeaves(ip).map(leaf => leaf.type),
    viewLeafTypes('ipv6'),
  )
  for (const name of Object.keys(extraLeaves) as ViewName[])
    assert.equal(viewLeafTypes(name).length, 2 + extraLeaves[name].length)
})

test('members are known by name, and only their own', () => {
  assert.equal(memberInfo('tcp', 'syn')?.kind, 'field')
  assert.equal(memberInfo('ipv4', 'tcp')?.kind, 'view')
  assert.equal(memberInfo('tcp', 'u16')?.kind, 'method')
  assert.equal(memberInfo('packet', 'time')?.kind, 'method')
  assert.equal(memberInfo('tcp', 'time'), undefined)
  assert.equal(memberInfo('udp', 'flags'), undefined)
  assert.equal(memberInfo('udp', 'toString'), undefined)
})
