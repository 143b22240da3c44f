/** Rule tables in the kernel while packets flow and others write them: this process, bpftool, and a program in C. */

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, rmdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { figuresOf } from '../../src/engine/kernel/figures.js'
import { load } from '../../src/engine/kernel/load.js'
import { up } from '../../src/lab/lab.js'
import { entryOf, kernelMapOf } from '../../src/state/kernel-map.js'
import { possibleCpus } from '../../src/sys/cpus.js'
import { mountBpfFilesystem, openPinnedMap, pin, unpin } from '../../src/sys/pin.js'
import { attachXdp } from '../../src/sys/xdp.js'
import { openLiveSender } from '../../src/traffic/live.js'
import { root } from '../../tools/sources.js'
import { requiresTool, runTool } from '../tools.js'
import { counterProgram, verdicts } from './counter.js'
import { without } from './probes.js'
import { address, compiled, packets, valuesOf } from './table-programs.js'

const skip = without('liveFrames')

/** The program under test, by its rules: a hash map and one of prefixes. */
const subject = () =>
  compiled(
    `const blocked = rules({ key: ipv4, value: { verdict: u8, weight: u64 }, capacity: 100, map: 'hash' })
     const nets = lpm({ key: ipv4, value: u8, capacity: 100, map: 'lpm' })
     const unruled = counter('packets without a rule')`,
    `const ip = packet.ipv4
     if (!ip) return Verdict.Pass
     const rule = blocked.lookup(ip.source)
     const net = nets.lookup(ip.source)
     if (rule?.verdict === 1) return Verdict.Drop
     if (net === 3) return Verdict.Transmit
     if (!rule && !net) unruled.add()
     return Verdict.Pass`,
  )

type Counts = Readonly<Record<string, number>>

interface Scene {
  /** Has packets of one source flow, makes the change meanwhile, and counts the verdicts: `during` it, and `after` it alone. */
  measure(change: () => void): Promise<{ readonly during: Counts; readonly after: Counts }>
  /** Where a map is pinned. */
  path(map: 'blocked' | 'nets'): string
  /** Key and value that drop the source. */
  readonly rule: { readonly key: Uint8Array; readonly value: Uint8Array }
  /** A prefix around it whose packets are sent back. */
  readonly net: { readonly key: Uint8Array; readonly value: Uint8Array }
}

/** Attaches the program in a lab with its tables pinned, for as long as `body` runs. */
async function scene(body: (scene: Scene) => Promise<void>): Promise<void> {
  const program = subject()
  const lab = up({
    namespaces: { left: {}, right: {} },
    pairs: [
      {
        ends: [
          { namespace: 'left', device: 'a' },
          { namespace: 'right', device: 'b' },
        ],
      },
    ],
  })
  const folder = mkdtempSync(join(tmpdir(), 'hairpin-rules-'))
  const loaded = load(program, { settings: new Map(), seed: 1n })
  const open: { close(): void }[] = [loaded]
  const names = ['blocked', 'nets'] as const
  try {
    mountBpfFilesystem(folder)
    for (const name of names) pin(loaded.maps.get(name)!, join(folder, name))
    const attachment = lab.inNamespace('right', () => attachXdp(loaded.program, 'b', 'native'))
    // A veth only gives what it is sent back to a device that takes such frames.
    const receiver = counterProgram(verdicts.drop)
    open.push(receiver)
    lab.inNamespace('left', () => attachXdp(receiver.program, 'a', 'native'))
    const { bytes } = packets(1).packet(0)
    const sender = lab.inNamespace('left', () =>
      openLiveSender({ packets: [bytes], device: 'a', rate: 20_000 }),
    )
    open.push(sender)
    const source = new DataView(bytes.buffer, bytes.byteOffset).getUint32(26)
    const figures = () => figuresOf(valuesOf(loaded), ['unruled'], possibleCpus())
    const since = (before: ReturnType<typeof figures>): Counts => {
      const now = figures()
      const counts = [...now.verdicts].map(
        ([name, n]) => [name, Number(n - before.verdicts.get(name)!)] as const,
      )
      return {
        ...Object.fromEntries(counts.filter(([, n]) => n > 0)),
        unruled: Number(now.counters.get('unruled')! - before.counters.get('unruled')!),
      }
    }
    const [blocked, nets] = program.artifact.rules.map(r => kernelMapOf(r)!)
    await body({
      async measure(change) {
        const start = figures()
        const sent = sender.send(400)
        change()
        await sent
        const during = since(start)
        const changed = figures()
        await sender.send(100)
        return { during, after: since(changed) }
      },
      path: map => join(folder, map),
      rule: entryOf(blocked, { key: [source], value: [1, 0n] }),
      net: entryOf(nets, { key: [address(10, 0, 0, 0)], prefix: 8, value: [3] }),
    })
    attachment.detach()
  } finally {
    for (const thing of open.toReversed()) thing.close()
    lab.down()
    for (const name of names) unpin(join(folder, name))
    spawnSync('umount', [folder])
    rmdirSync(folder)
  }
}

const passing = { pass: 100, unruled: 100 }
const dropping = { drop: 100, unruled: 0 }

test('what another opener of a pinned map writes decides while packets flow', { skip }, () =>
  scene(async ({ measure, path, rule, net }) => {
    const blocked = openPinnedMap(path('blocked'))
    const nets = openPinnedMap(path('nets'))
    try {
      const after = async (change: () => void): Promise<Counts> => (await measure(change)).after
      assert.deepEqual(await after(() => {}), passing)
      assert.deepEqual(await after(() => void blocked.update(rule.key, rule.value)), dropping)
      assert.deepEqual(await after(() => void blocked.delete(rule.key)), passing)
      assert.deepEqual(await after(() => void nets.update(net.key, net.value)), { transmit: 100, unruled: 0 })
      assert.deepEqual(await after(() => void nets.delete(net.key)), passing)
    } finally {
      blocked.close()
      nets.close()
    }
  }),
)

test(
  'what bpftool writes into a pinned map decides while packets flow',
  { skip: skip || requiresTool('bpftool', 'Debian package bpftool') },
  () =>
    scene(async ({ measure, path, rule }) => {
      const bpftool = (...args: string[]): string => runTool('bpftool', ...args)
      const place = ['pinned', path('blocked')]
      const hex = [...rule.key].map(b => b.toString(16).padStart(2, '0'))
      const value = ['01', ...Array<string>(15).fill('00')]
      const update = (): void =>
        void bpftool('map', 'update', ...place, 'key', 'hex', ...hex, 'value', 'hex', ...value)
      assert.deepEqual((await measure(update)).after, dropping)
      const [entry] = JSON.parse(bpftool('-j', 'map', 'dump', ...place)) as { formatted: unknown }[]
      const swapped = Buffer.from(rule.key).readUInt32LE()
      assert.deepEqual(entry.formatted, { key: { key: swapped }, value: { verdict: 1, weight: 0 } })
      const remove = (): void => void bpftool('map', 'delete', ...place, 'key', 'hex', ...hex)
      assert.deepEqual((await measure(remove)).after, passing)
    }),
)

test(
  'what a program in C writes into a pinned map by bpf(2) decides while packets flow',
  { skip: skip || requiresTool('clang', 'Debian package clang') },
  () =>
    scene(async ({ measure, path, rule, net }) => {
      const folder = mkdtempSync(join(tmpdir(), 'hairpin-writer-'))
      try {
        const writer = join(folder, 'rule-writer')
        runTool('clang', '-O2', '-Wall', '-Werror', '-o', writer, join(root, 'test/kernel/rule-writer.c'))
        const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
        const write = (map: 'blocked' | 'nets', command: string, ...args: string[]) =>
          measure(() => void runTool(writer, path(map), command, ...args))
        const [key, value] = [hex(rule.key), hex(rule.value)]
        assert.deepEqual((await write('blocked', 'update', key, value)).after, dropping)
        assert.deepEqual((await write('blocked', 'delete', key)).after, passing)
        assert.deepEqual((await write('nets', 'update', hex(net.key), hex(net.value))).after, {
          transmit: 100,
          unruled: 0,
        })
        assert.deepEqual((await write('nets', 'delete', hex(net.key))).after, passing)
        // Every packet meets either the rule or none, whenever it comes.
        const { during, after } = await write('blocked', 'flap', key, value, '20000')
        const { drop = 0, pass = 0, unruled, ...others } = during
        assert.deepEqual([drop + pass, unruled, others], [400, pass, {}])
        assert.deepEqual(after, passing)
      } finally {
        rmSync(folder, { recursive: true })
      }
    }),
)
