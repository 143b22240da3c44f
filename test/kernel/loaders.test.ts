// Other people's loaders take our objects: bpftool, and ip on a live veth with packets through it.

import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { up } from '../../src/lab/lab.js'
import type { Lab } from '../../src/lab/lab.js'
import { openProgram } from '../../src/sys/info.js'
import { mountBpfFilesystem, openPinnedProgram, unpin } from '../../src/sys/pin.js'
import { attachXdp } from '../../src/sys/xdp.js'
import { openLiveSender } from '../../src/traffic/live.js'
import type { LiveSender } from '../../src/traffic/live.js'
import { verdictNames } from '../../src/backend/ebpf/entry.js'
import { bundledProgram, programNames } from '../programs.js'
import { scenarioFolder, subjectOf } from '../scenario/case.js'
import type { Settings } from '../scenario/case.js'
import { requiresTool, runTool } from '../tools.js'
import type { Subject } from './agree.js'
import { withoutPrograms } from './machine.js'
import { agreeOn, countedVerdicts, expectation, fileOf, packetsOf } from './object-agree.js'
import { sameState, sectionsOf, usesClock } from './object-agree.js'
import { loadObject, parsed } from './object-loader.js'
import { without, withoutLab } from './probes.js'

const bpftool = withoutPrograms || requiresTool('bpftool', 'Debian package bpftool')

/** One case of each program that reads no clock. */
const scenarios = [
  'busy-forwarder-rounds',
  'ddos-mitigator-limit',
  'forwarder-anything',
  'heavy-hitter-threshold',
  'key-value-cache-eviction',
  'port-knocking-opens',
  'prefix-forwarder-longest',
]

function scenario(name: string): { readonly subject: Subject; readonly capture: string } {
  const folder = join(scenarioFolder, name)
  const settings = JSON.parse(readFileSync(join(folder, 'settings.json'), 'utf8')) as Settings
  return { subject: subjectOf(settings), capture: join(folder, 'in.pcap') }
}

/** Writes the object to a file called `program.o` for as long as `body` runs. */
async function withFile(subject: Subject, body: (path: string) => Promise<void> | void): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'hairpin-object-'))
  const path = join(folder, 'program.o')
  try {
    writeFileSync(path, fileOf(subject))
    await body(path)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Has bpftool load and pin it for as long as `body` runs. */
const withPinned = (subject: Subject, body: (pin: string) => void): Promise<void> =>
  withFile(subject, path => {
    const pin = `/sys/fs/bpf/hairpin_test_${process.pid}`
    mountBpfFilesystem()
    try {
      runTool('bpftool', 'prog', 'load', path, pin)
      body(pin)
    } finally {
      unpin(pin)
    }
  })

for (const name of scenarios)
  test(`bpftool loads ${name}, which agrees with the interpreter`, { skip: bpftool }, async () => {
    const { subject, capture } = scenario(name)
    assert.ok(!usesClock(subject))
    await withPinned(subject, pin => {
      const program = openPinnedProgram(pin)
      try {
        const object = parsed(fileOf(subject))
        agreeOn(subject, packetsOf(capture), program, object, () => sectionsOf(program, 'program'))
      } finally {
        program.close()
      }
    })
  })

for (const name of programNames.filter(n => usesClock(bundledProgram(n))))
  test(`bpftool loads ${name}`, { skip: bpftool }, async () => {
    await withPinned(bundledProgram(name), pin => {
      const text = runTool('bpftool', 'prog', 'dump', 'xlated', 'pinned', pin)
      assert.match(text, /^; (const|if|return) /m)
    })
  })

/** Why ip cannot load objects; false if it can. */
function withoutIp(): string | false {
  const missing = requiresTool('ip', 'Debian package iproute2')
  if (missing) return missing
  return /libbpf/.test(runTool('ip', '-V')) ? false : 'tool: this ip was built without libbpf'
}

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

/** Sends a case's packets over a veth whose other end `attach` gives the program to, once each, in order. */
async function onVeth(
  name: string,
  attach: (lab: Lab, path: string, file: Uint8Array<ArrayBuffer>) => Promise<() => void> | (() => void),
): Promise<void> {
  const { subject, capture } = scenario(name)
  await withFile(subject, async path => {
    const lab = up(pair)
    let release: (() => void) | undefined
    try {
      const file = fileOf(subject)
      release = await attach(lab, path, file)
      const { index, xdp } = lab.interface('right', 'b')
      assert.equal(xdp[0].mode, 'native')
      const { packets, verdict, state } = expectation(subject, packetsOf(capture), index)
      const frames = packets.map(p => Uint8Array.from(p.bytes))
      const expected: Record<string, number> = {}
      packets.forEach((packet, k) => {
        const found = verdictNames[verdict(packet, k)]
        expected[found] = (expected[found] ?? 0) + 1
      })

      const open = (): LiveSender => openLiveSender({ packets: frames, device: 'a', rate: 5000 })
      const sender = lab.inNamespace('left', open)
      const { sent, dropped } = await sender.send(frames.length)
      sender.close()
      assert.deepEqual([sent, dropped], [frames.length, 0])

      const program = openProgram(xdp[0].programId)!
      try {
        const value = sectionsOf(program, 'program')
        assert.deepEqual(countedVerdicts(parsed(file), value), expected)
        sameState(subject, parsed(file), value, state())
      } finally {
        program.close()
      }
    } finally {
      release?.()
      lab.down()
    }
  })
}

const live = withoutPrograms || withoutLab || without('liveFrames')

for (const name of ['port-knocking-opens', 'heavy-hitter-threshold', 'key-value-cache-eviction'])
  test(`ip attaches ${name}, and packets get the interpreter's verdicts`, { skip: live || withoutIp() }, () =>
    onVeth(name, async (lab, path) => {
      const command = ['ip', 'link', 'set', 'dev', 'b', 'xdp', 'obj', path, 'sec', 'xdp']
      const { status, stderr } = await lab.run('right', command)
      assert.equal(status, 0, stderr)
      return () => {}
    }),
  )

test('key-value-cache-eviction on a veth from its object, without any tool', { skip: live }, () =>
  onVeth('key-value-cache-eviction', (lab, _, file) => {
    const loaded = loadObject(file)
    const attachment = lab.inNamespace('right', () => attachXdp(loaded.program, 'b', 'native'))
    return () => {
      attachment.detach()
      loaded.close()
    }
  }),
)
