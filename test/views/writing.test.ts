import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FunctionBuilder } from '../../src/ir/builder.js'
import { prepare } from '../../src/ir/interpret.js'
import { ModelState } from '../../src/ir/model.js'
import type { Value } from '../../src/ir/access.js'
import { verifyFunction } from '../../src/ir/verify.js'
import { viewTypes } from '../../src/lang/members.js'
import type { ViewName } from '../../src/lang/members.js'
import { readMember, rootView, writeMember } from '../../src/lang/views.js'
import { checksumsOf, fold } from '../../src/wire/checksum.js'
import type { Field } from '../../src/wire/field.js'
import { dissect } from '../../src/wire/frame.js'
import type { Frame } from '../../src/wire/frame.js'
import { ipProtocols } from '../../src/wire/ipv4.js'
import { readBits, writeBits } from '../../src/wire/view.js'
import { contextOf, programOf } from './everything.js'
import { randomOf, randomPacket, withChecksums } from './packets.js'

/** An assignment to one field, compiled: takes the leaves, says whether the view was there. */
interface Assignment {
  readonly path: string
  readonly view: readonly string[]
  readonly field: Field
  readonly run: (bytes: Uint8Array, leaves: readonly Value[]) => boolean
}

function compile(view: readonly string[], protocol: ViewName, name: string, field: Field): Assignment {
  const types =
    field.type === 'bool'
      ? (['i1'] as const)
      : field.bits > 64
        ? (['i64', 'i64'] as const)
        : field.bits > 32
          ? (['i64'] as const)
          : (['i32'] as const)
  const builder = new FunctionBuilder('main', types, 'i1')
  const ctx = contextOf(builder)
  let owner = rootView(ctx)
  const absent = builder.block()
  for (const step of view) {
    const member = readMember(ctx, owner, step)
    if (member.kind !== 'view') throw new Error(`${step} is no view`)
    owner = member.view
    const there = builder.block()
    builder.branch(owner.present, there, absent)
    builder.seal(there)
    builder.at(there)
  }
  builder.seal(absent)
  writeMember(ctx, owner, name, builder.func.params)
  builder.return([builder.const('i1', 1)])
  builder.at(absent)
  builder.return([builder.const('i1', 0)])
  const func = builder.finish()
  assert.deepEqual(verifyFunction(func), [])
  assert.equal(owner.protocol, protocol)
  const execute = prepare(programOf(func), 'main', { state: new ModelState() })
  return {
    path: ['packet', ...view, name].join('.'),
    view,
    field,
    run: (bytes, args) => {
      const packet = { bytes, originalLength: bytes.length, timestamp: 0n, sequence: 0n, device: 0 }
      return execute({ packet, args }) === 1
    },
  }
}

/** Every writable field, of the packet and of the frame inside VXLAN. */
function assignments(): Assignment[] {
  const list: Assignment[] = []
  const walk = (name: ViewName, path: readonly string[]): void => {
    const { protocol, members } = viewTypes[name]
    for (const [field, row] of Object.entries(protocol?.fields ?? {}))
      if (row.writable) list.push(compile(path, name, field, row))
    for (const [member, info] of Object.entries(members)) {
      const inside = path.includes('vxlan')
      const skip =
        info.kind !== 'view' ||
        (inside && info.view === 'vxlan') ||
        (name === 'vlan' && path.at(-1) === 'inner' && path.at(-2) === 'vlan')
      if (!skip && info.kind === 'view') walk(info.view, [...path, member])
    }
  }
  walk('packet', [])
  return list
}

/** Where the header that a path names stands, by the plain views. */
function baseOf(frame: Frame, [first, second, third, ...rest]: readonly string[]): number | undefined {
  if (first === 'ethernet') return frame.ethernet?.base
  if (first === 'vlan') return frame.tags[second === 'inner' ? 1 : 0]?.base
  if (first === 'arp') return frame.arp?.base
  if (!(first === 'ipv4' ? frame.ipv4 : frame.ipv6)) return undefined
  if (second === undefined) return (frame.ipv4 ?? frame.ipv6)?.base
  const t = frame.transport
  if (second === 'udp' && third === 'vxlan') {
    if (rest.length === 0) return t?.vxlan?.base
    return t?.inner && baseOf(t.inner, rest.slice(1))
  }
  return t?.[second as 'tcp' | 'udp' | 'icmp' | 'icmpv6']?.base
}

/** The packet's checksums cover what they should and are right, so computing them anew is the reference. */
function judgeable(bytes: Uint8Array, frame = dissect(bytes)): boolean {
  const t = frame.transport
  if (!checksumsOf(bytes, frame).every(c => c.none || c.computed === c.stored)) return false
  if (t?.payload && t.payload.start > t.packet.end) return false
  // A TCP header of impossible length is no view, but an address in front of it still updates its checksum.
  const protocol = frame.ipv4?.fields.protocol ?? frame.protocol
  if (t && protocol === ipProtocols.Tcp && !t.tcp) return false
  if (!t?.inner || !t.udp) return true
  const whole = t.udp.base + t.udp.fields.length === t.packet.end
  const inner = bytes.subarray(t.vxlan!.next, t.packet.end)
  return whole && judgeable(inner)
}

const mask = (bits: number): bigint => (1n << BigInt(bits)) - 1n

/** Values to assign: extremes, the old one, random ones, and the one that turns the checksum into 0. */
function valuesFor(bytes: Uint8Array, base: number, field: Field, seed: number): bigint[] {
  const r = randomOf(seed)
  const random = Array.from({ length: 4 }, () => BigInt(r(0x1_0000_0000))).reduce(
    (a, b) => (a << 32n) | b,
    0n,
  )
  const old = readBits(bytes, base, field)
  const zeroing = checksumsOf(bytes).map(c => BigInt(fold(Number(old & 0xffffn) + c.stored)))
  return [0n, mask(field.bits), old, random, random >> 5n, ...zeroing].map(v => v & mask(field.bits))
}

const leavesOf = (field: Field, value: bigint): Value[] =>
  field.bits > 64 ? [value >> 64n, value & mask(64)] : field.bits > 32 ? [value] : [Number(value)]

const all = assignments()

test('an assignment changes its field and the checksums, as computing them anew would', () => {
  const tried = new Map(all.map(a => [a.path, 0]))
  const seeds = Number(process.env['HAIRPIN_SEEDS'] ?? 600)
  const first = Number(process.env['HAIRPIN_SEED'] ?? 1)
  for (let seed = first; seed < first + seeds; seed++) {
    const bytes = randomPacket(seed, seed % 2 === 0)
    const frame = dissect(bytes)
    if (!judgeable(bytes, frame)) continue
    for (const { path, view, field, run } of all) {
      const base = baseOf(frame, view)
      if (base === undefined) {
        if (seed % 10 === 0)
          assert.equal(run(bytes.slice(), leavesOf(field, 0n)), false, `seed ${seed}: ${path}`)
        continue
      }
      for (const value of valuesFor(bytes, base, field, seed)) {
        const expected = bytes.slice()
        writeBits(expected, base, field, value)
        const stays = path.endsWith('hecksum')
        const recomputed = !stays
          ? withChecksums(expected)
          : view.includes('vxlan')
            ? withChecksums(expected, false)
            : expected
        const actual = bytes.slice()
        assert.equal(run(actual, leavesOf(field, value)), true, path)
        const message = `HAIRPIN_SEED=${seed} HAIRPIN_SEEDS=1: ${path} = ${value}`
        assert.equal(Buffer.from(actual).toString('hex'), Buffer.from(recomputed).toString('hex'), message)
        tried.set(path, tried.get(path)! + 1)
      }
    }
  }
  if (seeds >= 600)
    assert.deepEqual(
      [...tried].filter(([, n]) => n === 0).map(([path]) => path),
      [],
    )
})

test('what is cut off behind the transport header does not matter to an assignment', () => {
  for (let seed = 1; seed < 400; seed++) {
    const bytes = randomPacket(seed)
    const frame = dissect(bytes)
    const start = frame.transport?.payload?.start
    if (start === undefined || frame.transport?.inner) continue
    for (const { path, view, field, run } of all) {
      if (baseOf(frame, view) === undefined) continue
      const whole = bytes.slice()
      const cut = bytes.slice(0, start)
      run(whole, leavesOf(field, 5n & mask(field.bits)))
      run(cut, leavesOf(field, 5n & mask(field.bits)))
      assert.deepEqual(cut, whole.slice(0, start), `seed ${seed}: ${path}`)
    }
  }
})
