// What doctor thinks of an interface: pure functions of facts.

import type { DeviceFacts, PresentProgram } from './facts.js'
import { fail, ok, unseen, warn } from './row.js'
import type { Row } from './row.js'

/** The largest MTU of native XDP in one page: 4096 less headroom, the kernel's own data and the Ethernet header. */
const vethMtu = 3506
/** Drivers keep more room for themselves, each its own; up to here all that we know take it. */
const usualMtu = 3498

export const judgeDevice = (facts: DeviceFacts): Row[] => [
  link(facts),
  native(facts),
  present(facts),
  queues(facts),
  ...spreading(facts),
  mtu(facts),
  ...offloads(facts),
  ...peer(facts),
]

function link({ device: { name, up, carrier, loopback }, driver }: DeviceFacts): Row {
  const kind = driver === '' ? (loopback ? 'loopback' : 'unknown driver') : `driver ${driver}`
  if (!up) return warn('HP-LINK', `${kind}, down`, 'it receives nothing', `ip link set dev ${name} up`)
  if (!carrier)
    return warn(
      'HP-LINK',
      `${kind}, up without carrier`,
      'nothing is at the other end',
      'look at cable and peer',
    )
  return ok('HP-LINK', `${kind}, up`)
}

function native({ xdp, device: { name } }: DeviceFacts): Row {
  if (xdp === undefined)
    return unseen(
      'HP-XDP',
      'this kernel does not tell what its drivers can (Linux 6.3 does)',
      `hairpin attach PROGRAM ${name} --mode native tells`,
    )
  if (!xdp.features.includes('native'))
    return warn(
      'HP-XDP',
      'no native XDP',
      'programs run in generic mode, after the kernel has made a socket buffer of each packet: several times slower',
      `hairpin attach PROGRAM ${name} --mode generic`,
    )
  return ok(
    'HP-XDP',
    `native; ${
      xdp.features
        .filter(f => f !== 'native')
        .map(spelled)
        .join(', ') || 'nothing more'
    }`,
  )
}

const spelled = (feature: string): string => feature.replace(/[A-Z]/g, letter => ` ${letter.toLowerCase()}`)

function present({ present: programs, device: { name } }: DeviceFacts): Row {
  if (programs.length === 0) return ok('HP-XDP-PRESENT', 'no XDP program')
  const words = programs.map(programText).join(', ')
  if (programs.every(p => p.ours))
    return warn('HP-XDP-PRESENT', words, 'an interface takes one program', `hairpin detach ${name}`)
  return fail(
    'HP-XDP-PRESENT',
    words,
    'an interface takes one program, and hairpin does not touch those of others',
    `find its owner (bpftool link, ip -d link show ${name}); if nobody wants it: ip link set dev ${name} xdp off`,
  )
}

function programText({ mode, programId, name, ours }: PresentProgram): string {
  const pins = ours?.pins.length ? `, pinned as ${ours.pins.join(', ')}` : ''
  return `${mode} program ${programId}${name === undefined ? '' : ` (${ours?.description.name ?? name})`}${pins}`
}

const inUse = ({ channels, device }: DeviceFacts): number =>
  channels ? channels.receive + channels.combined : device.receiveQueues

function queues(facts: DeviceFacts): Row {
  const { channels, device } = facts
  const count = inUse(facts)
  const evidence = `${count} receive ${count === 1 ? 'queue' : 'queues'} in use`
  if (count <= 1) return ok('HP-QUEUES', evidence)
  const kind = channels && channels.combined > 0 ? 'combined' : 'rx'
  return ok(
    'HP-QUEUES',
    `${evidence}; a program with state under strategy single wants one: ethtool -L ${device.name} ${kind} 1`,
  )
}

/** How packets are spread over several queues. */
function spreading(facts: DeviceFacts): Row[] {
  const count = inUse(facts)
  if (count <= 1) return []
  const { scaling, hashed, device } = facts
  if (scaling === undefined) return [unseen('HP-RSS', 'the driver does not tell how it spreads packets')]
  const used = new Set(scaling.indirection.filter(queue => queue < count))
  const hash = (fields: readonly string[] | undefined): string => fields?.join('+') ?? 'not told'
  const evidence = `${used.size} of ${count} queues in the table; TCP by ${hash(hashed.tcp4)}, UDP by ${hash(hashed.udp4)}`
  return [
    used.size < count
      ? warn('HP-RSS', evidence, 'some queues get no packets', `ethtool -X ${device.name} equal ${count}`)
      : ok('HP-RSS', evidence),
  ]
}

function mtu({ device, xdp, peer: other }: DeviceFacts): Row {
  const evidence = `MTU ${device.mtu}`
  if (xdp && !xdp.features.includes('native')) return ok('HP-MTU', evidence)
  if (device.kind === 'veth') {
    // The packets that a veth receives are as long as its peer's MTU lets them be.
    const far = other !== undefined && other !== 'elsewhere' ? other : undefined
    const [name, size] = far ? [far.name, far.mtu] : [`the peer of ${device.name}`, device.mtu]
    return size > vethMtu
      ? fail(
          'HP-MTU',
          far ? `${evidence}, peer ${far.name} ${far.mtu}` : evidence,
          `native XDP on veth takes packets of at most ${vethMtu} from its peer (ERANGE)`,
          `ip link set dev ${far ? name : 'PEER'} mtu 1500`,
        )
      : ok('HP-MTU', evidence)
  }
  return device.mtu > usualMtu
    ? warn(
        'HP-MTU',
        evidence,
        `in native mode most drivers take at most 1500 to ${usualMtu}, because a packet lies in one page`,
        `ip link set dev ${device.name} mtu 1500`,
      )
    : ok('HP-MTU', evidence)
}

function offloads({ device: { name }, offloads: { largeReceive, receiveOffload }, xdp }: DeviceFacts): Row[] {
  const generic = xdp !== undefined && !xdp.features.includes('native')
  const state = (on: boolean | undefined): string => (on === undefined ? 'not told' : on ? 'on' : 'off')
  const merges = generic
    ? 'the kernel leaves it out while a generic program is there'
    : 'it comes after native XDP'
  return [
    largeReceive
      ? warn(
          'HP-LRO',
          'LRO on',
          'the device merges packets before XDP sees them, and drivers refuse a native program then',
          `ethtool -K ${name} lro off`,
        )
      : ok('HP-LRO', `LRO ${state(largeReceive)}`),
    ok('HP-GRO', `GRO ${state(receiveOffload)}${receiveOffload ? `; ${merges}` : ''}`),
  ]
}

/** What the other end of a veth does to the packets that arrive here. */
function peer({ device: { name }, peer: found }: DeviceFacts): Row[] {
  if (found === undefined) return []
  if (found === 'elsewhere')
    return [
      unseen(
        'HP-PEER',
        `the peer of ${name} is in another namespace`,
        `there: ethtool -K PEER tx off, and ethtool -K PEER gro on if the program transmits`,
      ),
    ]
  const sum = found.offloads.sendChecksum
  return [
    sum
      ? warn(
          'HP-PEER-CSUM',
          `peer ${found.name} has tx checksum offload`,
          'packets of this machine arrive without their checksums, and leave without them if transmitted or redirected',
          `ethtool -K ${found.name} tx off`,
        )
      : ok('HP-PEER-CSUM', `peer ${found.name} fills in checksums`),
    found.hasProgram || found.offloads.receiveOffload
      ? ok('HP-PEER-TRANSMIT', `peer ${found.name} takes packets back`)
      : warn(
          'HP-PEER-TRANSMIT',
          `peer ${found.name} has neither an XDP program nor GRO`,
          'a veth takes back only what its peer polls for: verdict transmit loses every packet',
          `ethtool -K ${found.name} gro on`,
        ),
  ]
}
