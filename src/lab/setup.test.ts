import assert from 'node:assert/strict'
import { test } from 'node:test'
import { problemsOf } from './description.js'
import type { LabDescription } from './description.js'
import { readName } from './name.js'
import { setupOf } from './setup.js'

const description: LabDescription = {
  namespaces: { left: {}, right: { forward: true, routes: [{ to: 'default', via: '10.0.0.1' }] } },
  pairs: [
    {
      queues: 4,
      mtu: 1400,
      staticNeighbours: true,
      ends: [
        { namespace: 'left', device: 'a', addresses: ['10.0.0.1/24', 'fd00::1/64'] },
        { namespace: 'right', device: 'b', addresses: ['10.0.0.2/24'], hardwareAddress: '02:00:00:00:00:77' },
      ],
    },
  ],
}

test('the steps of a small lab', () => {
  const setup = setupOf(description, name => `lab-${name}`)
  assert.deepEqual(setup.namespaces, ['netns add lab-left', 'netns add lab-right'])
  assert.deepEqual(setup.devices, [
    'link add name a netns lab-left address 02:00:00:00:01:01 mtu 1400 numrxqueues 4 numtxqueues 4 ' +
      'type veth peer name b netns lab-right address 02:00:00:00:00:77 mtu 1400 numrxqueues 4 numtxqueues 4',
  ])
  assert.deepEqual(setup.addresses.get('left'), [
    'link set dev lo up',
    'address add 10.0.0.1/24 dev a',
    'address add fd00::1/64 dev a',
    'link set dev a up',
    'neighbour add 10.0.0.2 lladdr 02:00:00:00:00:77 dev a nud permanent',
  ])
  assert.deepEqual(setup.routes.get('right'), ['route add default via 10.0.0.1'])
  assert.deepEqual(setup.routes.get('left'), [])
  const settings = setup.settings.map(([namespace, path, value]) => `${namespace} ${path}=${value}`)
  assert.ok(settings.includes('right net/ipv4/ip_forward=1'))
  assert.ok(settings.includes('right net/ipv6/conf/all/disable_ipv6=1'))
  assert.ok(settings.includes('left net/ipv6/conf/default/accept_dad=0'))
  assert.equal(setup.withoutOffloads.length, 2)
})

test('everything that would not work is found before anything is made', () => {
  assert.deepEqual(problemsOf(description), [])
  const problems = problemsOf({
    namespaces: { left: { routes: [{ to: 'there' }] }, 'Right!': {} },
    pairs: [
      {
        queues: 0,
        mtu: 10,
        ends: [
          { namespace: 'left', device: 'abcdefghijklmnop', addresses: ['10.0.0.1'] },
          { namespace: 'nowhere', device: 'b', hardwareAddress: '01:00:00:00:00:00' },
        ],
      },
      {
        ends: [
          { namespace: 'left', device: 'c' },
          { namespace: 'left', device: 'c' },
        ],
      },
    ],
  })
  assert.deepEqual(
    problems.map(
      problem =>
        /'Right!'|0 is no number|10 is no MTU|no name of a device|10\.0\.0\.1'|no namespace nowhere|hardware address|twice|'there'|neither/.exec(
          problem,
        )?.[0] ?? problem,
    ),
    [
      "'Right!'",
      '0 is no number',
      '10 is no MTU',
      'no name of a device',
      "10.0.0.1'",
      'no namespace nowhere',
      'hardware address',
      'twice',
      "'there'",
      'neither',
    ],
  )
})

test('names of namespaces tell whose they are, and nothing else is ours', () => {
  assert.deepEqual(readName('hairpin-123.4567-1-left'), {
    full: 'hairpin-123.4567-1-left',
    lab: 'hairpin-123.4567-1',
    name: 'left',
    owner: { pid: 123, start: 4567 },
  })
  assert.deepEqual(readName('hairpin-kept-demo-right'), {
    full: 'hairpin-kept-demo-right',
    lab: 'hairpin-kept-demo',
    name: 'right',
    owner: undefined,
  })
  for (const other of [
    'hairpin',
    'hairpin-1',
    'my-hairpin-123.4567-1-left',
    'hairpin-x.y-1-left',
    'cni-1234',
  ])
    assert.equal(readName(other), undefined)
})
