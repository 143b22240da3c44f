// The offload program for DPDK as an object: its rule tables are maps of `.maps`, which others fill while it runs;
// bpftool pins them, and DPDK's AF_XDP driver loads it and receives what it redirects to the driver's socket.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { compile } from '../../src/compile.js'
import type { Compiled } from '../../src/compile.js'
import { objectOf } from '../../src/engine/kernel/object.js'
import { up } from '../../src/lab/lab.js'
import { entryOf, kernelMapsOf } from '../../src/state/kernel-map.js'
import type { KernelMap } from '../../src/state/kernel-map.js'
import { openMap, openProgram, programInfo } from '../../src/sys/info.js'
import type { BpfMap } from '../../src/sys/map.js'
import { mountBpfFilesystem, openPinnedMap, openPinnedProgram, unpin } from '../../src/sys/pin.js'
import { testRun } from '../../src/sys/test-run.js'
import { openLiveSender } from '../../src/traffic/live.js'
import { root } from '../../tools/sources.js'
import { requiresTool, runTool } from '../tools.js'
import { withoutPrograms } from './machine.js'
import { loadObject } from './object-loader.js'
import { without, withoutLab } from './probes.js'

const skip = withoutPrograms
const bpftool = skip || requiresTool('bpftool', 'Debian package bpftool')
const testpmd =
  skip || withoutLab || without('liveFrames') || requiresTool('dpdk-testpmd', 'Debian package dpdk-dev')

const verdicts = { pass: 2, transmit: 3, redirect: 4 }

function offload(): { readonly compiled: Compiled; readonly table: (name: string) => KernelMap } {
  const path = join(root, 'programs/dpdk/afxdp-offload.ts')
  const { compiled, diagnostics } = compile(path, readFileSync(path, 'utf8'))
  assert.ok(compiled, diagnostics.map(d => d.message).join('\n'))
  const tables = kernelMapsOf(compiled.artifact.rules)
  return { compiled, table: name => tables.find(t => t.name === name)! }
}

/** The ones' complement sum of the IPv4 header. */
function headerSum(frame: Buffer): number {
  let sum = 0
  for (let at = 14; at < 34; at += 2) sum += frame.readUInt16BE(at)
  return (sum & 0xffff) + (sum >> 16)
}

/** UDP from 10.0.0.1, port 4000, without a checksum. */
function datagram(destination: number, port: number): Uint8Array<ArrayBuffer> {
  const frame = Buffer.alloc(64)
  frame.writeUInt16BE(0x0800, 12)
  frame.set([0x45, 0, 0, 50, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, destination], 14)
  frame.writeUInt16BE(0xffff - headerSum(frame), 24)
  frame.writeUInt16BE(4000, 34)
  frame.writeUInt16BE(port, 36)
  frame.writeUInt16BE(30, 38)
  return Uint8Array.from(frame)
}

const address = (last: number): bigint => BigInt((10 << 24) | last)

/** Serves 10.0.0.2, and rewrites what comes for its port 5000 to 10.0.0.9, port 6000, out of device 1 again. */
function addRules(table: (name: string) => KernelMap, map: (name: string) => BpfMap): void {
  const served = entryOf(table('local_ips'), { key: [address(2)], value: [1n] })
  map('local_ips').update(served.key, served.value)
  const flow = entryOf(table('flows'), {
    key: [1n, address(1), address(2), 4000n, 5000n],
    value: [1n, address(2), address(9), 7000n, 6000n, 0x0200_0000_0001n, 0x0200_0000_0009n],
  })
  map('flows').update(flow.key, flow.value)
}

test('rules that others put into the maps of its object are obeyed', { skip }, () => {
  const { compiled, table } = offload()
  const loaded = loadObject(objectOf(compiled, { settings: new Map() }))
  try {
    const run = (frame: Uint8Array<ArrayBuffer>) => testRun(loaded.program, { data: frame })
    assert.equal(run(datagram(2, 5000)).verdict, verdicts.pass)
    addRules(table, name => loaded.maps.get(name)!)
    const { verdict, data } = run(datagram(2, 5000))
    assert.equal(verdict, verdicts.transmit)
    const frame = Buffer.from(data)
    assert.equal(frame.subarray(0, 12).toString('hex'), '020000000009020000000001')
    assert.deepEqual([...frame.subarray(26, 34)], [10, 0, 0, 2, 10, 0, 0, 9])
    assert.deepEqual([frame.readUInt16BE(34), frame.readUInt16BE(36)], [7000, 6000])
    assert.equal(headerSum(frame), 0xffff, 'the checksum is right')
    // Nobody has a socket here.
    assert.equal(run(datagram(2, 80)).verdict, verdicts.pass)
    assert.equal(run(datagram(3, 80)).verdict, verdicts.pass)
  } finally {
    loaded.close()
  }
})

function withFile<T>(pin: boolean, body: (path: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'hairpin-object-'))
  const remove = (): void => rmSync(folder, { recursive: true })
  const path = join(folder, 'offload.o')
  writeFileSync(path, objectOf(offload().compiled, { settings: new Map(), pin }))
  const result = body(path)
  if (result instanceof Promise) return result.finally(remove) as T
  remove()
  return result
}

test(
  'built to be pinned, its maps are found by name, and a second load takes them',
  { skip: bpftool },
  () => {
    withFile(true, path => {
      const { table } = offload()
      const pins = ['flows', 'local_ips', 'xsks_map'].map(name => `/sys/fs/bpf/${name}`)
      const own = [1, 2].map(k => `/sys/fs/bpf/hairpin_offload_${process.pid}_${k}`)
      mountBpfFilesystem()
      try {
        runTool('bpftool', 'prog', 'load', path, own[0])
        addRules(table, name => openPinnedMap(`/sys/fs/bpf/${name}`))
        runTool('bpftool', 'prog', 'load', path, own[1])
        for (const pin of own) {
          const program = openPinnedProgram(pin)
          assert.equal(testRun(program, { data: datagram(2, 5000) }).verdict, verdicts.transmit)
          program.close()
        }
        const [flow] = JSON.parse(runTool('bpftool', '-j', 'map', 'dump', 'pinned', pins[0])) as [
          { formatted: { key: object; value: object } },
        ]
        assert.deepEqual(Object.keys(flow.formatted.key), [
          'device',
          'source',
          'destination',
          'sourcePort',
          'destinationPort',
        ])
      } finally {
        for (const pin of [...pins, ...own]) unpin(pin)
      }
    })
  },
)

const pair = {
  namespaces: { left: {}, right: {} },
  pairs: [
    {
      ends: [
        { namespace: 'left', device: 'a' },
        { namespace: 'right', device: 'b' },
      ] as const,
    },
  ],
}

test("DPDK's AF_XDP driver loads it and gets what it redirects", { skip: testpmd }, async t => {
  await withFile(false, async path => {
    const { table } = offload()
    const lab = up(pair)
    try {
      const child = lab.start('right', [
        ...['dpdk-testpmd', '--no-huge', '-m', '256', '--no-pci', '--no-shconf', '--no-telemetry'],
        ...['--file-prefix', `hairpin_${process.pid}`, `--vdev=net_af_xdp0,iface=b,xdp_prog=${path}`],
        ...['--', '--forward-mode=rxonly', '--total-num-mbufs=8192', '--no-mlockall', '--stats-period=1'],
      ])
      let said = ''
      for (const stream of [child.stdout, child.stderr])
        stream?.on('data', (text: Buffer) => (said += text.toString()))
      const ended = once(child, 'close')
      const until = async (ready: () => boolean): Promise<boolean> => {
        for (let k = 0; k < 200 && child.exitCode === null; k++) {
          if (ready()) return true
          await setTimeout(100)
        }
        return false
      }
      if (!(await until(() => lab.interface('right', 'b').xdp.length > 0))) {
        if (/failed to parse device|Driver cannot attach/.test(said))
          return t.skip(
            'tool: the AF_XDP driver of DPDK is not installed (Debian package librte-net-af-xdp23)',
          )
        assert.fail(`dpdk-testpmd attaches nothing:\n${said}`)
      }
      const [{ programId, mode }] = lab.interface('right', 'b').xdp
      assert.equal(mode, 'native')
      const program = openProgram(programId)!
      const maps = programInfo(program).mapIds.map(id => openMap(id)!)
      addRules(table, name => maps.find(m => m.name === name)!)
      const packets = [datagram(2, 80), datagram(3, 80)]
      const sender = lab.inNamespace('left', () => openLiveSender({ packets, device: 'a', rate: 1000 }))
      const { sent, dropped } = await sender.send(200)
      sender.close()
      assert.deepEqual([sent, dropped], [200, 0])
      const arrived = await until(() => /RX-packets: 100 /.test(said))
      child.kill('SIGINT')
      await ended
      for (const map of maps) map.close()
      program.close()
      // Every other packet is for an address that the application serves.
      assert.ok(arrived, said)
      assert.match(said, /RX-packets: 100 +RX-dropped: 0 +RX-total: 100/)
    } finally {
      lab.down()
    }
  })
})
