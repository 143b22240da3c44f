import assert from 'node:assert/strict'
import { test } from 'node:test'
import { neededFeatures } from '../../engine/kernel/needs.js'
import { judgeDevice } from './device.js'
import type { DeviceFacts } from './facts.js'
import { wanted } from './facts.js'
import type { MachineFacts } from './facts.js'
import { isAtLeast, judgeMachine } from './machine.js'
import { pageOf, summaryOf } from './page.js'
import type { Level, Row } from './row.js'

const tried = [...neededFeatures, ...wanted].map(feature => ({
  feature,
  text: feature,
  since: '6.9',
  present: true,
}))

const well: MachineFacts = {
  release: '6.12.0',
  architecture: 'x64',
  littleEndian: true,
  root: true,
  cpus: 8,
  jit: true,
  jitHarden: 0,
  kernelBtf: true,
  unprivilegedBpf: false,
  lockdown: 'none',
  capabilities: ['CAP_SYS_ADMIN'],
  memlock: 8 << 20,
  bpfFilesystem: true,
  statistics: false,
  seccomp: false,
  userNamespace: false,
  mitigations: [],
  features: tried,
}

const device: DeviceFacts['device'] = {
  index: 2,
  name: 'eth1',
  kind: '',
  up: true,
  carrier: true,
  loopback: false,
  mtu: 1500,
  address: '02:00:00:00:00:01',
  receiveQueues: 8,
  sendQueues: 8,
  link: 0,
  linkElsewhere: false,
  master: 0,
  xdp: [],
  counters: {
    receivedPackets: 0,
    sentPackets: 0,
    receivedBytes: 0,
    sentBytes: 0,
    receiveErrors: 0,
    sendErrors: 0,
    receiveDropped: 0,
    sendDropped: 0,
  },
}

const healthy: DeviceFacts = {
  device,
  driver: 'ice',
  xdp: { features: ['native', 'redirect'], zeroCopySegments: 0 },
  present: [],
  channels: { receive: 0, send: 0, combined: 1, most: { receive: 0, send: 0, combined: 8 } },
  offloads: { largeReceive: false, receiveOffload: true },
  scaling: undefined,
  hashed: { tcp4: undefined, udp4: undefined },
  peer: undefined,
}

const notWell = (rows: readonly Row[]): [string, Level][] =>
  rows.filter(r => r.level !== 'ok').map(r => [r.id, r.level])
const machineOf = (more: Partial<MachineFacts>): [string, Level][] =>
  notWell(judgeMachine({ ...well, ...more }))
const deviceOf = (more: Partial<DeviceFacts>): Row[] =>
  judgeDevice({ ...healthy, ...more }).filter(r => r.level !== 'ok')

test('a good machine and a good interface have nothing to complain about', () => {
  assert.deepEqual(machineOf({}), [])
  assert.deepEqual(deviceOf({}), [])
})

test('versions are compared as numbers', () => {
  assert.ok(isAtLeast('6.10.0-rc1', [6, 9]))
  assert.ok(!isAtLeast('5.15.0-91-generic', [6, 9]))
  assert.ok(!isAtLeast('6.8.12', [6, 9]))
})

test('kernels: too old, old, and one that lacks a feature', () => {
  assert.deepEqual(machineOf({ release: '5.4.0' }), [
    ['HP-KERNEL', 'fail'],
    ['HP-MEMLOCK', 'warn'],
  ])
  assert.deepEqual(machineOf({ release: '6.1.0-13-amd64' }), [['HP-KERNEL', 'warn']])
  const without = (name: string) => tried.map(f => ({ ...f, present: f.feature !== name }))
  assert.deepEqual(machineOf({ features: without('mmapableMaps') }), [['HP-FEATURES', 'fail']])
  assert.deepEqual(machineOf({ features: without('mayGoto') }), [['HP-OPTIONAL', 'warn']])
  assert.deepEqual(machineOf({ architecture: 's390x', littleEndian: false }), [['HP-ARCH', 'fail']])
  assert.deepEqual(machineOf({ architecture: 'riscv64' }), [['HP-ARCH', 'warn']])
})

test('privilege: a user may not look, a container may not load', () => {
  assert.deepEqual(machineOf({ root: false, capabilities: [], features: undefined }), [
    ['HP-CAPS', 'unseen'],
    ['HP-FEATURES', 'unseen'],
  ])
  for (const [more, remedy] of [
    [{ capabilities: ['CAP_NET_ADMIN'] }, /--cap-add BPF --cap-add PERFMON/],
    [{ capabilities: ['CAP_BPF', 'CAP_NET_ADMIN'] }, /--cap-add PERFMON/],
    [{ userNamespace: true }, /as root of the machine/],
  ] as const) {
    const [row] = judgeMachine({ ...well, ...more }).filter(r => r.level === 'fail')
    assert.equal(row.id, 'HP-CAPS')
    assert.match(row.remedy!, remedy)
  }
})

test('what slows programs down, and what stands in their way', () => {
  assert.deepEqual(machineOf({ jit: false }), [['HP-JIT', 'warn']])
  assert.deepEqual(machineOf({ jit: undefined }), [['HP-JIT', 'unseen']])
  assert.deepEqual(machineOf({ jitHarden: 2 }), [['HP-JIT', 'warn']])
  assert.deepEqual(machineOf({ statistics: true }), [['HP-STATS', 'warn']])
  assert.deepEqual(machineOf({ mitigations: undefined }), [['HP-MITIGATIONS', 'unseen']])
  const evidence = 'spec_rstack_overflow: Mitigation: Safe RET'
  const mitigations = [{ name: 'safe-ret', slower: 'every return', evidence }]
  const row = judgeMachine({ ...well, mitigations }).find(r => r.id === 'HP-MITIGATIONS')
  assert.equal(row?.level, 'ok')
  assert.match(row.evidence, /safe-ret \(every return .* Safe RET\)/)
  assert.deepEqual(machineOf({ kernelBtf: false, bpfFilesystem: false }), [
    ['HP-BTF', 'warn'],
    ['HP-BPFFS', 'warn'],
  ])
  assert.deepEqual(machineOf({ lockdown: 'integrity' }), [])
  assert.deepEqual(machineOf({ lockdown: 'confidentiality' }), [['HP-LOCKDOWN', 'warn']])
  assert.deepEqual(
    machineOf({ release: '5.10.0', memlock: Infinity }).map(([id]) => id),
    ['HP-KERNEL'],
  )
})

test('every finding has a reason, and a command with the interface’s name where there is one', () => {
  const findings = [
    ...deviceOf({ device: { ...device, up: false } }),
    ...deviceOf({ device: { ...device, mtu: 9000 } }),
    ...deviceOf({ offloads: { largeReceive: true } }),
    ...deviceOf({ xdp: { features: [], zeroCopySegments: 0 } }),
    ...deviceOf({ present: [{ mode: 'native', programId: 7, name: 'firewall', ours: undefined }] }),
  ]
  assert.deepEqual(
    findings.map(({ id, level, remedy }) => [id, level, remedy]),
    [
      ['HP-LINK', 'warn', 'ip link set dev eth1 up'],
      ['HP-MTU', 'warn', 'ip link set dev eth1 mtu 1500'],
      ['HP-LRO', 'warn', 'ethtool -K eth1 lro off'],
      ['HP-XDP', 'warn', 'hairpin attach PROGRAM eth1 --mode generic'],
      [
        'HP-XDP-PRESENT',
        'fail',
        'find its owner (bpftool link, ip -d link show eth1); if nobody wants it: ip link set dev eth1 xdp off',
      ],
    ],
  )
  assert.ok(findings.every(r => r.why))
  assert.match(findings[4].evidence, /native program 7 \(firewall\)/)
})

test('several queues: how packets are spread', () => {
  const channels = { receive: 0, send: 0, combined: 4, most: { receive: 0, send: 0, combined: 8 } }
  const scaling = { indirection: [0, 1, 2, 3], key: new Uint8Array(40), toeplitz: true }
  const hashed = { tcp4: ['source', 'destination'], udp4: undefined } as const
  assert.deepEqual(deviceOf({ channels, scaling, hashed }), [])
  assert.deepEqual(notWell(deviceOf({ channels })), [['HP-RSS', 'unseen']])
  const [skewed] = deviceOf({ channels, hashed, scaling: { ...scaling, indirection: [0, 0, 1, 1] } })
  assert.equal(skewed.evidence, '2 of 4 queues in the table; TCP by source+destination, UDP by not told')
  assert.equal(skewed.remedy, 'ethtool -X eth1 equal 4')
  assert.match(
    judgeDevice({ ...healthy, channels, scaling }).find(r => r.id === 'HP-QUEUES')!.evidence,
    /ethtool -L eth1 combined 1/,
  )
})

test('the other end of a veth: checksums, what it takes back, its MTU', () => {
  const veth = { ...device, kind: 'veth', name: 'a' }
  const peer = { name: 'b', mtu: 1500, offloads: { sendChecksum: true }, hasProgram: false }
  assert.deepEqual(
    deviceOf({ device: veth, peer }).map(r => [r.id, r.remedy]),
    [
      ['HP-PEER-CSUM', 'ethtool -K b tx off'],
      ['HP-PEER-TRANSMIT', 'ethtool -K b gro on'],
    ],
  )
  const good = { ...peer, offloads: { sendChecksum: false, receiveOffload: true } }
  assert.deepEqual(deviceOf({ device: veth, peer: good }), [])
  assert.deepEqual(
    deviceOf({ device: veth, peer: { ...good, mtu: 9000 } }).map(r => [r.id, r.level, r.remedy]),
    [['HP-MTU', 'fail', 'ip link set dev b mtu 1500']],
  )
  assert.deepEqual(notWell(deviceOf({ device: veth, peer: 'elsewhere' })), [['HP-PEER', 'unseen']])
})

test('the page: ids, evidence, reasons and remedies, and a last line', () => {
  const rows = judgeDevice({ ...healthy, device: { ...device, mtu: 9000 } })
  const page = pageOf([{ subject: 'eth1', rows }], 80, false)
  assert.match(page, /^eth1\n {2}ok {4}HP-LINK {9}driver ice, up\n/)
  assert.match(
    page,
    /\n {2}warn {2}HP-MTU {10}MTU 9000\n {24}in native mode .*\n.*\n {24}→ ip link set dev eth1/,
  )
  assert.ok(page.split('\n').every(line => line.length <= 80))
  assert.ok(pageOf([{ subject: 'eth1', rows }], 80, true).includes('\x1b[33mwarn\x1b[0m'))
  assert.equal(summaryOf(rows), '1 to look at, 6 well')
  assert.equal(summaryOf(rows.filter(r => r.level === 'ok')), 'all 6 well')
})
