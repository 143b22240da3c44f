/**
 * Refusals of what a form of the kernel cannot do, though the program and the machine are right: each names the way out.
 * The verifier's and the machine's own refusals are in refusals.test.ts.
 */

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { compile } from '../../src/compile.js'
import { load } from '../../src/engine/kernel/load.js'
import { replicaCode } from '../../src/engine/kernel/replicated.js'
import { openXdpSocket } from '../../src/sys/af-xdp.js'
import { errno } from '../../src/sys/errno.js'
import { Unsupported } from '../../src/sys/failure.js'
import { kernel, replaceKernel } from '../../src/sys/kernel.js'
import { requirePinning } from '../../src/sys/pin.js'
import { bundledProgram } from '../programs.js'
import { withoutPrograms } from './machine.js'

const skip = withoutPrograms
const options = { settings: new Map<string, bigint>(), seed: 1n }

/** What is refused, in words; it must be refused as unsupported, with something to do. */
function refused(body: () => unknown): string {
  try {
    body()
  } catch (error) {
    assert.ok(error instanceof Unsupported, String(error))
    assert.ok(error.remedy, error.message)
    return error.message
  }
  throw new Error('nothing was refused')
}

/** A program with state and a rule table that is a map of the kernel. */
function mapped(): ReturnType<typeof bundledProgram> {
  const { compiled, diagnostics } = compile(
    'mapped.ts',
    `import { type Packet, Verdict, ipv4, rules, table, u32 } from 'hairpin'
const blocked = rules({ key: ipv4, value: u32, capacity: 16, map: 'hash' })
const seen = table({ key: ipv4, value: u32, capacity: 16 })
export default function both(packet: Packet): Verdict {
  const ip = packet.ipv4
  if (!ip) return Verdict.Pass
  if (blocked.lookup(ip.source) !== undefined) return Verdict.Drop
  seen.set(ip.source, (seen.get(ip.source) ?? 0) + 1)
  return Verdict.Pass
}
`,
  )
  assert.ok(compiled, JSON.stringify(diagnostics))
  return compiled
}

test('rule tables as maps of the kernel, replicated', { skip }, () => {
  assert.match(
    refused(() => replicaCode(mapped(), { ...options, workers: 2 })),
    /looking up blocked needs strategy single, found strategy replicated, .*; declare the tables without map/,
  )
})

test('rule tables as maps of the kernel, under one lock', { skip }, () => {
  assert.match(
    refused(() => load(mapped(), { ...options, sharing: 'program-lock' }).close()),
    /looking up blocked needs strategy single, found strategy shared with one lock, .*; declare the tables without map/,
  )
})

test('recovering, without loops that count by themselves', { skip }, () => {
  const form = { cpu: 'v3', loops: 'bounded' } as const
  const workers = { ...options, workers: 2, form }
  assert.match(
    refused(() => replicaCode(bundledProgram('ddos-mitigator'), { ...workers, recovery: true })),
    /recovering from lost frames needs Linux 6\.9 .*; replicate without recovery, or in user space/,
  )
  assert.ok(replicaCode(bundledProgram('ddos-mitigator'), workers).encoded.bytes.length > 0)
})

test('pins where no BPF file system is', { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'hairpin-no-bpffs-'))
  try {
    assert.match(
      refused(() => requirePinning(folder)),
      /pinning needs a BPF file system, found another .*; mount -t bpf bpf /,
    )
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('sockets of AF_XDP without the privilege, and without the kernel’s support', { skip }, () => {
  const real = kernel()
  for (const [error, says] of [
    [errno.EPERM, /AF_XDP needs the capability CAP_NET_RAW, found an unprivileged user; run it as root/],
    [errno.EAFNOSUPPORT, /AF_XDP needs Linux 4\.18 with CONFIG_XDP_SOCKETS, found a kernel without it/],
  ] as const) {
    const restore = replaceKernel({ ...real, socket: () => -error })
    try {
      assert.throws(openXdpSocket, (thrown: unknown) => {
        assert.ok(thrown instanceof Unsupported)
        assert.match(thrown.message, says)
        return true
      })
    } finally {
      restore()
    }
  }
})
