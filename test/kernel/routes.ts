/**
 * A namespace whose kernel has routes of every kind, and the same routes as the rule tables that stand in for them in user
 * space: the router's answers in the kernel are then those of the interpreter.
 */

import assert from 'node:assert/strict'
import { compile } from '../../src/compile.js'
import type { Compiled } from '../../src/compile.js'
import { PacketStore } from '../../src/engine/packets.js'
import { Serial } from '../../src/engine/serial.js'
import { ip } from '../../src/lab/ip.js'
import { up } from '../../src/lab/lab.js'
import { buildRules } from '../../src/state/rules.js'
import { readRules } from '../../src/state/rules-file.js'
import type { Subject } from './agree.js'

const unforwarded = `import { type Packet, Verdict, ipv6, lpm, u8 } from 'hairpin'
const never = lpm({ key: ipv6, value: u8, capacity: 8 })
export default function unforwarded(packet: Packet): Verdict {
  const ip = packet.ipv6
  return ip && never.lookup(ip.source) !== undefined ? Verdict.Drop : Verdict.Pass
}`

/**
 * Packets without those that no router forwards whatever its routes say, because of their source: link-local, multicast and
 * loopback of IPv6. The kernel looks at it, and a table of destinations cannot.
 */
export function forwardable(store: PacketStore): PacketStore {
  const { compiled } = compile('unforwarded.ts', unforwarded)
  const { stateLayout, rulesLayout, rules } = compiled!.artifact
  const text = 'key,value\nfe80::/10,1\nff00::/8,1\n::1/128,1'
  const built = buildRules(rulesLayout, { never: readRules(text, 'csv', rules[0]).rows })
  assert.ok(built.ok)
  const judge = new Serial(compiled!.program, { stateLayout, rulesLayout, rules: built.bytes, seed: 1n })
  const kept = new PacketStore(store.name)
  for (let k = 0; k < store.count; k++) {
    if (judge.process(store.packet(k)) !== pass) continue
    const { bytes, originalLength, timestamp, device } = store.packet(k)
    kept.add(bytes, originalLength, timestamp, device)
  }
  return kept
}

const pass = 2

/** A network for the next hops, which no capture has. */
const near = { ipv4: '198.18.77', ipv6: 'fd09:77:' } as const
const nextHops = ['02:00:00:00:77:02', '02:00:00:00:77:03'] as const
const header = 'destination,outcome,device,source,nextHop,mtu'
const nowhere = '0,00:00:00:00:00:00,00:00:00:00:00:00,0'

/** Runs `body` in the namespace, with a program that asks `fib4` and `fib6`. */
export function amongRoutes<T>(program: Compiled, body: (subject: Subject) => T): T {
  const [own, other] = [1, 9].map(n => ({ ipv4: `${near.ipv4}.${n}/24`, ipv6: `${near.ipv6}:${n}/64` }))
  const lab = up({
    namespaces: { router: { forward: true }, next: {} },
    pairs: [
      {
        ends: [
          { namespace: 'router', device: 'out', addresses: [own.ipv4, own.ipv6] },
          { namespace: 'next', device: 'in', addresses: [other.ipv4] },
        ],
      },
    ],
  })
  try {
    const { index, address } = lab.interface('router', 'out')
    ip(
      [
        ...nextHops.flatMap((hardware, k) =>
          [`${near.ipv4}.${k + 2}`, `${near.ipv6}:${k + 2}`].map(
            to => `neighbour add ${to} lladdr ${hardware} dev out nud permanent`,
          ),
        ),
        `route add 0.0.0.0/1 via ${near.ipv4}.2`,
        `route add 128.0.0.0/2 via ${near.ipv4}.3 mtu lock 576`,
        'route add blackhole 192.168.0.0/16',
        'route add unreachable 192.168.1.0/24',
        'route add prohibit 224.0.0.0/4',
        `route add 10.0.0.0/8 via ${near.ipv4}.4 mtu lock 65520`,
        `route add 2000::/3 via ${near.ipv6}:2`,
        `route add 2001:db8::/32 via ${near.ipv6}:3`,
        'route add blackhole 3ffe::/16',
        'route add unreachable fec0::/10',
        'route add prohibit 2002::/16',
      ],
      lab.fullName('router'),
    )
    const found = (k: 0 | 1, mtu: number): string => `found,${index},${address},${nextHops[k]},${mtu}`
    const files = {
      fib4: [
        header,
        `0.0.0.0/1,${found(0, 1500)}`,
        `127.0.0.0/8,not-forwarded,${nowhere}`,
        `128.0.0.0/2,${found(1, 576)}`,
        `192.168.0.0/16,blackhole,${nowhere}`,
        `192.168.1.0/24,unreachable,${nowhere}`,
        `224.0.0.0/4,prohibited,${nowhere}`,
        // Nobody knows that router.
        `10.0.0.0/8,no-neighbour,${nowhere}`,
      ],
      fib6: [
        header,
        `2000::/3,${found(0, 1500)}`,
        `2001:db8::/32,${found(1, 1500)}`,
        `3ffe::/16,blackhole,${nowhere}`,
        `fec0::/10,unreachable,${nowhere}`,
        `2002::/16,prohibited,${nowhere}`,
      ],
    }
    const { rules: tables, rulesLayout } = program.artifact
    const rows = Object.fromEntries(
      tables.map(table => {
        const text = files[table.name as keyof typeof files].join('\n')
        const read = readRules(text, 'csv', table)
        assert.deepEqual(read.problems, [])
        return [table.name, read.rows]
      }),
    )
    const built = buildRules(rulesLayout, rows)
    assert.ok(built.ok, built.ok ? '' : built.message)
    return lab.inNamespace('router', () => body({ ...program, rules: built.bytes }))
  } finally {
    lab.down()
  }
}
