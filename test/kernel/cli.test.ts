/** hairpin attach, list and detach as a user types them, in a lab. */

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { up } from '../../src/lab/lab.js'
import type { Lab } from '../../src/lab/lab.js'
import { isPinned, removePins } from '../../src/engine/kernel/attached.js'
import { folder, main, run } from '../cli/hairpin.js'
import type { Ended } from '../cli/hairpin.js'
import { problemsOf } from '../schema.js'
import { programNames } from '../programs.js'
import { root } from '../../tools/sources.js'
import { withoutPrograms } from './machine.js'
import { withoutLab } from './probes.js'

const skip = withoutLab || withoutPrograms
const pin = `test-${process.pid}`
const knocking = 'programs/port-knocking.ts'

let lab: Lab

before(() => {
  if (skip) return
  lab = up({
    namespaces: { left: {}, right: {} },
    pairs: [
      {
        ends: [
          { namespace: 'left', device: 'a', addresses: ['10.9.0.1/24'] },
          { namespace: 'right', device: 'b', addresses: ['10.9.0.2/24'] },
        ],
      },
    ],
  })
})
after(() => {
  if (skip) return
  lab.down()
  removePins(pin)
})

/** nsenter leaves /sys as it is; ip netns exec would bring a BPF file system of its own. */
const inside = (args: readonly string[]): string[] => [
  `--net=${lab.path('right')}`,
  process.execPath,
  main,
  ...args,
]
const hairpin = (...args: string[]): Promise<Ended> => run('nsenter', inside(args))
const programsOn = (): readonly { readonly mode: string }[] => lab.interface('right', 'b').xdp

interface Listed {
  readonly programs: readonly {
    readonly program: string
    readonly interfaces: readonly { readonly name: string; readonly mode: string }[]
    readonly pins: readonly string[]
    readonly holders: readonly { readonly pid: number }[]
  }[]
}

async function listed(): Promise<Listed['programs']> {
  const { code, out, err } = await hairpin('list', '--json')
  assert.equal(code, 0, err)
  return (JSON.parse(out) as Listed).programs.filter(p => p.interfaces.some(i => i.name === 'b'))
}

for (const name of programNames)
  test(`attach --dry-run: ${name} is verified with its entry`, { skip }, async () => {
    const { code, out, err } = await hairpin('attach', `programs/${name}.ts`, '--dry-run')
    assert.equal(code, 0, err)
    assert.match(out, /verifier accepts it: .*Nothing was attached/)
    assert.deepEqual(programsOn(), [])
  })

test('attach finds the program that an earlier one left in the output cache', { skip }, async () => {
  const verified = async (): Promise<string> => {
    const { code, out, err } = await hairpin('attach', knocking, '--dry-run', '--json')
    assert.equal(code, 0, err)
    return out
  }
  const first = await verified()
  assert.ok(readdirSync(join(folder, 'cache')).some(file => file.includes('.expanded')))
  assert.equal(await verified(), first)
})

test('attach --verifier-log keeps what the verifier says', { skip }, async () => {
  const log = join(folder, 'verifier.txt')
  const { code, err } = await hairpin('attach', knocking, '--dry-run', '--verifier-log', log)
  assert.equal(code, 0, err)
  assert.match(readFileSync(log, 'utf8'), /processed \d+ insns/)
})

test('attach in the foreground, with traffic, until Ctrl-C', { skip }, async () => {
  const child = spawn(
    'nsenter',
    inside(['attach', 'programs/forwarder.ts', 'b', '--mode', 'native', '--json']),
    {
      cwd: root,
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  const lines: string[] = []
  child.stdout.setEncoding('utf8').on('data', (part: string) => lines.push(...part.trim().split('\n')))
  await once(child.stdout, 'data')
  assert.match(lines[0], /"event":"attached".*"interface":"b","mode":"native","by":"link"/)
  assert.deepEqual(
    (await listed()).map(p => [p.program, p.interfaces, p.holders.some(h => h.pid === child.pid)]),
    [['forwarder', [{ name: 'b', mode: 'native' }], true]],
  )
  // Whether it is answered does not matter: asking for the address is a packet.
  const send = 'for i in 1 2 3; do echo x > /dev/udp/10.9.0.2/9; sleep 0.1; done'
  assert.equal((await lab.run('left', ['bash', '-c', send])).status, 0)
  child.kill('SIGINT')
  assert.deepEqual(await once(child, 'exit'), [130, null])
  const end = JSON.parse(lines.at(-1)!) as {
    event: string
    packets: number
    verdicts: Record<string, number>
    received: number
    drops: Record<string, number>
    unaccounted: number
  }
  assert.equal(end.event, 'ended')
  assert.ok(end.packets > 0)
  assert.equal(end.received, end.packets)
  // A veth takes back only what its peer polls for, and the peer has no program: the driver counts the loss.
  assert.deepEqual(end.drops, { program: 0, aborted: 0, transmit: end.verdicts.transmit })
  assert.equal(end.unaccounted, 0)
  assert.equal(
    end.packets,
    Object.values(end.verdicts).reduce((a, b) => a + b),
  )
  assert.equal(end.verdicts.aborted, 0)
  assert.deepEqual(programsOn(), [])
})

test('a table that refuses updates is a warning with its line, while packets flow', { skip }, async () => {
  const file = join(folder, 'ports.ts')
  writeFileSync(
    file,
    `import { type Packet, table, u16, u32, Verdict } from 'hairpin'

const ports = table({ key: u16, value: u32, capacity: 8 })

export default function portCounter(packet: Packet): Verdict {
  const udp = packet.ipv4?.udp
  if (!udp) return Verdict.Pass
  const port = ports.upsert(udp.destinationPort)
  if (!port) return Verdict.Drop
  port.value += 1
  return Verdict.Pass
}
`,
  )
  const far = lab.interface('right', 'b').address
  await lab.run('left', ['ip', 'neigh', 'replace', '10.9.0.2', 'lladdr', far, 'dev', 'a'])
  const child = spawn('nsenter', inside(['attach', file, 'b', '--json']), {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const [out, err]: [string[], string[]] = [[], []]
  child.stdout.setEncoding('utf8').on('data', (part: string) => out.push(part))
  child.stderr.setEncoding('utf8').on('data', (part: string) => err.push(part))
  await once(child.stdout, 'data')
  const send = 'for i in $(seq 20); do echo x > /dev/udp/10.9.0.2/$((1000 + i)); done'
  assert.equal((await lab.run('left', ['bash', '-c', send])).status, 0)
  child.kill('SIGINT')
  await once(child, 'exit')
  assert.match(
    err.join(''),
    /ports\.ts:3: warning: table ports is full \(8 of 8 entries\): 12 updates are lost/,
  )
  const events = out
    .join('')
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as { event: string; refused?: number; line?: number })
  const schema = JSON.parse(readFileSync(join(root, 'docs/schema/attach.json'), 'utf8')) as object
  for (const event of events) assert.deepEqual(problemsOf(event, schema), [])
  const warnings = events.filter(e => e.event === 'warning')
  assert.equal(
    warnings.reduce((sum, w) => sum + w.refused!, 0),
    12,
  )
  assert.equal(warnings[0].line, 3)
})

test('a crashed owner leaves nothing behind', { skip }, async () => {
  const child = spawn('nsenter', inside(['attach', knocking, 'b']), {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(child.stdout, 'data')
  assert.equal(programsOn().length, 1)
  child.kill('SIGKILL')
  await once(child, 'exit')
  assert.deepEqual(programsOn(), [])
  assert.deepEqual(await listed(), [])
})

test('detach takes a program off while its owner runs, and the owner ends', { skip }, async () => {
  const child = spawn('nsenter', inside(['attach', knocking, 'b', '-m', 'generic']), {
    cwd: root,
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  await once(child.stdout, 'data')
  assert.deepEqual(
    programsOn().map(x => x.mode),
    ['generic'],
  )
  const exited = once(child, 'exit')
  assert.equal((await hairpin('detach', 'b')).code, 0)
  assert.deepEqual(programsOn(), [])
  assert.deepEqual(await exited, [0, null])
})

test('attach --pin, list, and detach by name', { skip }, async () => {
  const attached = await hairpin('attach', knocking, 'b', '--pin', pin)
  assert.equal(attached.code, 0, attached.err)
  assert.match(attached.out, /port_?-?[kK]nocking on b: native mode, program \d+\npinned as test-/)
  assert.equal(programsOn().length, 1)
  assert.deepEqual(
    (await listed()).map(p => [p.pins, p.holders]),
    [[[pin], []]],
  )

  const again = await hairpin('attach', knocking, 'b', '--pin', pin)
  assert.equal(again.code, 3)
  assert.match(again.err, /is pinned already.*hairpin detach/)
  const second = await hairpin('attach', 'programs/forwarder.ts', 'b')
  assert.equal(second.code, 3)
  assert.match(second.err, /the device has a program already/)

  const off = await hairpin('detach', pin)
  assert.equal(off.code, 0, off.err)
  assert.deepEqual(programsOn(), [])
  assert.equal(isPinned(pin), false)
  assert.deepEqual(await listed(), [])
  assert.equal((await hairpin('detach', pin)).code, 1)
})

test('one program on several interfaces: each mode is read back, all or none', { skip }, async () => {
  const both = ['attach', 'programs/forwarder.ts', 'b', 'lo']
  const attached = await hairpin(...both, '--pin', pin, '--json')
  assert.equal(attached.code, 0, attached.err)
  const lines = attached.out
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as { interface: string; mode: string; refusal?: string })
  assert.deepEqual(
    lines.map(l => [l.interface, l.mode, l.refusal !== undefined]),
    [
      ['b', 'native', false],
      ['lo', 'generic', true],
    ],
  )
  const [found] = await listed()
  assert.deepEqual(found.interfaces.map(i => i.name).toSorted(), ['b', 'lo'])
  assert.equal((await hairpin('detach', 'lo')).code, 0)
  assert.deepEqual(programsOn(), [])
  assert.equal(isPinned(pin), false)

  const none = await hairpin(...both, '--mode', 'native')
  assert.equal(none.code, 3)
  assert.match(none.err, /native XDP on lo needs/)
  assert.deepEqual(programsOn(), [])
})

test(
  'an interface that is down takes a program, and that it receives nothing is said',
  { skip },
  async () => {
    assert.equal((await lab.run('right', ['ip', 'link', 'set', 'dev', 'b', 'down'])).status, 0)
    const attached = await hairpin('attach', 'programs/forwarder.ts', 'b', '--pin', pin)
    assert.equal(attached.code, 0, attached.err)
    assert.match(attached.err, /b is down: it receives nothing until ip link set dev b up/)
    assert.equal((await hairpin('detach', pin)).code, 0)
    assert.equal((await lab.run('right', ['ip', 'link', 'set', 'dev', 'b', 'up'])).status, 0)
  },
)

test('mistakes are answered in words', { skip }, async () => {
  const cases: readonly [args: string[], code: number, text: RegExp][] = [
    [['attach', knocking], 2, /IF is missing: .*no default/],
    [['attach', knocking, 'bb'], 3, /there is no interface bb in this namespace; there are lo, b/],
    [['attach', knocking, 'b', '--mode', 'nativ'], 2, /--mode takes auto, native, generic.* native/],
    [['attach', knocking, 'b', '--pin', 'a.b'], 2, /--pin takes a name/],
    [['attach', knocking, 'lo', '--mode', 'native'], 3, /native XDP on lo needs .*--mode generic/],
    [['attach', knocking, 'b', 'lo'], 3, /on 2 interfaces CPUs would change the state at the same time/],
    [['attach', 'programs/forwarder.ts', 'b', 'b'], 2, /b is there twice/],
    [['detach'], 2, /NAME or IF is missing/],
    [['detach', 'b'], 1, /no program of hairpin/],
    [['list', 'b'], 2, /takes no argument/],
  ]
  for (const [args, code, text] of cases) {
    const ended = await hairpin(...args)
    assert.equal(ended.code, code, ended.err)
    assert.match(ended.err, text)
  }
})
